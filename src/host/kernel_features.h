// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/root.h"
#include "model/host/features.h"

namespace vigia::host {

struct FeatureRow {
    KernelFeature feature;
    std::string_view name;    // for people
    KernelVersion since;      // the first mainline release with it
    std::string_view option;  // of the kernel's configuration, without which it is not built
};

struct CapabilityRow {
    KernelCapability capability;
    std::string_view name;  // stable word: "files-by-handle"
    // All of these, …
    std::vector<KernelFeature> needs;
    // … and one of these, when there are any.
    std::vector<KernelFeature> one_of = {};
};

[[nodiscard]] std::span<const FeatureRow> feature_table();
[[nodiscard]] const FeatureRow& row_of(KernelFeature feature);
[[nodiscard]] std::span<const CapabilityRow> capability_table();
[[nodiscard]] const CapabilityRow& row_of(KernelCapability capability);

// What a kernel can do that is not running, from its configuration, the first mainline version of
// each feature and what is certain of vendors' backports. Pure.
//   option off                          → no
//   a vendor's backport that we know    → yes or no
//   older than the feature              → no; unknown for the vendors that backport much
//   new enough, the configuration known → yes; otherwise unknown
[[nodiscard]] FeatureFacts features_by_version(const KernelRelease& release,
                                               const Fact<KernelConfig>& config);

// Pure. One feature that is known to be missing decides; else one that is unknown.
[[nodiscard]] CapabilityDecision decide(KernelCapability capability, const FeatureFacts& features);
[[nodiscard]] std::vector<CapabilityDecision> decide_all(const FeatureFacts& features);

// The newest kernel with an image that could do all of `wanted`, decided by configuration and
// version. Known and empty: none could. Unknown: none is sure to, and for some nobody can tell.
[[nodiscard]] Fact<std::string> newest_sufficient(
    const Root& root,
    const Fact<std::vector<InstalledKernel>>& installed,
    std::span<const KernelCapability> wanted);

}  // namespace vigia::host
