// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/kernel_features.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>

#include "host/kernel_config.h"

namespace vigia::host {
namespace {

using enum KernelFeature;

// Each number is the mainline release in which the commit that adds the thing appeared: for
// fanotify as fanotify_init(2) and fanotify_mark(2) state it, for BPF as bpf-helpers(7) and bcc's
// docs/kernel-versions.md do, else as named.
constexpr std::array kFeatures{
    FeatureRow{Fanotify, "fanotify", {2, 6, 37}, "CONFIG_FANOTIFY"},
    FeatureRow{FanotifyPermissions,
               "fanotify permission events",
               {2, 6, 37},
               "CONFIG_FANOTIFY_ACCESS_PERMISSIONS"},
    FeatureRow{FanotifyMarkFilesystem, "FAN_MARK_FILESYSTEM", {4, 20, 0}, "CONFIG_FANOTIFY"},
    FeatureRow{FanotifyOpenExecPerm,
               "FAN_OPEN_EXEC_PERM",
               {5, 0, 0},
               "CONFIG_FANOTIFY_ACCESS_PERMISSIONS"},
    FeatureRow{FanotifyReportFid, "FAN_REPORT_FID", {5, 1, 0}, "CONFIG_FANOTIFY"},
    FeatureRow{FanotifyReportDfidName, "FAN_REPORT_DFID_NAME", {5, 9, 0}, "CONFIG_FANOTIFY"},
    FeatureRow{FanotifyReportPidfd, "FAN_REPORT_PIDFD", {5, 15, 0}, "CONFIG_FANOTIFY"},
    FeatureRow{FanotifyReportTargetFid, "FAN_REPORT_TARGET_FID", {5, 17, 0}, "CONFIG_FANOTIFY"},
    FeatureRow{FanotifyRename, "FAN_RENAME", {5, 17, 0}, "CONFIG_FANOTIFY"},
    FeatureRow{FanotifyMarkEvictable, "FAN_MARK_EVICTABLE", {5, 19, 0}, "CONFIG_FANOTIFY"},
    FeatureRow{BpfSyscall, "bpf(2)", {3, 18, 0}, "CONFIG_BPF_SYSCALL"},
    // BPF_PROG_TYPE_KPROBE 4.1; CONFIG_BPF_EVENTS builds all of tracing.
    FeatureRow{BpfTracing, "BPF tracing programs", {4, 1, 0}, "CONFIG_BPF_EVENTS"},
    FeatureRow{BpfRawTracepoint, "BPF raw tracepoints", {4, 17, 0}, "CONFIG_BPF_EVENTS"},
    FeatureRow{BpfBtfLoad, "BPF type information (BPF_BTF_LOAD)", {4, 18, 0}, "CONFIG_BPF_SYSCALL"},
    FeatureRow{BpfLruHash, "BPF LRU hash", {4, 10, 0}, "CONFIG_BPF_SYSCALL"},
    FeatureRow{BpfLpmTrie, "BPF LPM trie", {4, 11, 0}, "CONFIG_BPF_SYSCALL"},
    FeatureRow{BpfMapInMap, "BPF map in map", {4, 12, 0}, "CONFIG_BPF_SYSCALL"},
    // BPF_MAP_TYPE_PERF_EVENT_ARRAY 4.3, bpf_perf_event_output 4.4.
    FeatureRow{BpfPerfBuffer, "BPF perf buffer", {4, 4, 0}, "CONFIG_BPF_EVENTS"},
    FeatureRow{BpfRingBuffer, "BPF ring buffer", {5, 8, 0}, "CONFIG_BPF_SYSCALL"},
    // BPF_PSEUDO_MAP_VALUE: .rodata, .data and .bss of an object.
    FeatureRow{BpfGlobalData, "BPF global data", {5, 2, 0}, "CONFIG_BPF_SYSCALL"},
    FeatureRow{BpfCgroupSkb, "BPF cgroup packet hooks", {4, 10, 0}, "CONFIG_CGROUP_BPF"},
    FeatureRow{BpfCgroupMulti, "several BPF programs per cgroup", {4, 15, 0}, "CONFIG_CGROUP_BPF"},
    FeatureRow{BpfCgroupConnect, "BPF cgroup connect hooks", {4, 17, 0}, "CONFIG_CGROUP_BPF"},
    FeatureRow{BpfCgroupSendmsg, "BPF cgroup sendmsg hooks", {4, 18, 0}, "CONFIG_CGROUP_BPF"},
    // Moved from tcp: to sock: in 4.16.
    FeatureRow{SockSetStateTracepoint,
               "tracepoint sock:inet_sock_set_state",
               {4, 16, 0},
               "CONFIG_TRACEPOINTS"},
    // Generated since 5.2, shown as /sys/kernel/btf/vmlinux since 5.4.
    FeatureRow{KernelFeature::KernelBtf, "kernel BTF", {5, 4, 0}, "CONFIG_DEBUG_INFO_BTF"},
};

constexpr bool rows_stand_at_their_number() {
    for (std::size_t at = 0; at < kFeatures.size(); ++at) {
        if (static_cast<std::size_t>(kFeatures.at(at).feature) != at) {
            return false;
        }
    }
    return true;
}

static_assert(rows_stand_at_their_number());

const std::vector<CapabilityRow>& capabilities() {
    // The flags that sensors/fanotify/groups.cpp opens its groups with.
    static const std::vector<CapabilityRow> kCapabilities{
        {KernelCapability::FilesByHandle,
         "files-by-handle",
         {Fanotify,
          FanotifyMarkFilesystem,
          FanotifyReportFid,
          FanotifyReportDfidName,
          FanotifyReportTargetFid}},
        {KernelCapability::FilesByDescriptor, "files-by-descriptor", {Fanotify}},
        {KernelCapability::ExecGate,
         "exec-gate",
         {Fanotify, FanotifyPermissions, FanotifyOpenExecPerm}},
        {KernelCapability::Processes,
         "processes",
         {BpfSyscall, BpfTracing, BpfRawTracepoint, BpfBtfLoad, BpfLruHash},
         {BpfRingBuffer, BpfPerfBuffer}},
        {KernelCapability::Network,
         "network",
         {BpfSyscall,
          BpfTracing,
          BpfRawTracepoint,
          BpfBtfLoad,
          BpfLruHash,
          SockSetStateTracepoint,
          BpfCgroupSkb,
          BpfCgroupConnect,
          BpfCgroupSendmsg},
         {BpfRingBuffer, BpfPerfBuffer}},
        {KernelCapability::NetworkBlock,
         "network-block",
         {BpfSyscall,
          BpfBtfLoad,
          BpfLpmTrie,
          BpfMapInMap,
          BpfCgroupSkb,
          BpfCgroupMulti,
          BpfCgroupConnect,
          BpfCgroupSendmsg},
         {}},
    };
    return kCapabilities;
}

// --- backports
// ------------------------------------------------------------------------------------
bool is_enterprise_linux(const KernelRelease& release, unsigned major) {
    return release.text.contains(".el" + std::to_string(major)) && !release.is_uek;
}

unsigned first_build(const KernelRelease& release) {
    return release.build.empty() ? 0 : release.build.front();
}

struct Backport {
    std::optional<bool> present = {};  // nothing: nobody can tell from here
    std::string why = {};
};

// Red Hat 7: 7.6 (3.10.0-957) brought bpf(2) for tracing only (its release notes); what is newer
// than the 3.10 it started from and is not named there is not there.
Backport backport_el7(KernelFeature feature, const KernelRelease& release) {
    const bool has_bpf = first_build(release) >= 957;
    const bool brought = feature == BpfSyscall || feature == BpfTracing || feature == BpfPerfBuffer;
    return {.present = has_bpf && brought, .why = "Red Hat 7 backports bpf(2) for tracing only"};
}

// Red Hat 8, by the first number of the build: 193 is 8.2, 240 is 8.3, 305 is 8.4, 372 is 8.6.
Backport backport_el8(KernelFeature feature, const KernelRelease& release) {
    const unsigned build = first_build(release);
    if (feature == KernelFeature::KernelBtf) {
        return {.present = build >= 193, .why = "Red Hat 8 has BTF since 4.18.0-193"};
    }
    if (feature == BpfRingBuffer && build <= 240) {
        return {.present = false, .why = "Red Hat 8 has none up to 4.18.0-240"};
    }
    // Programs that need it are known to load on 8.6.
    if (feature == BpfRingBuffer && build >= 372) {
        return {.present = true, .why = "Red Hat 8 has it, by 4.18.0-372 at the latest"};
    }
    return {.why = "Red Hat 8 backports much, and this is not known"};
}

// Nothing: this vendor's kernels have what their version says.
std::optional<Backport> backport(KernelFeature feature, const KernelRelease& release) {
    if (is_enterprise_linux(release, 7)) {
        return backport_el7(feature, release);
    }
    if (is_enterprise_linux(release, 8)) {
        return backport_el8(feature, release);
    }
    const bool backports_much = is_enterprise_linux(release, 9) ||
                                is_enterprise_linux(release, 10) ||
                                release.text.ends_with("-default");  // SUSE
    if (backports_much) {
        return Backport{.why = "this vendor backports much, and this is not known"};
    }
    return std::nullopt;
}

std::string version_text(const KernelVersion& version) {
    auto text = std::to_string(version.major_number) + "." + std::to_string(version.minor_number);
    return version.major_number < 3 ? text + "." + std::to_string(version.patch) : text;
}

Fact<bool> feature_by_version(const FeatureRow& row,
                              const KernelRelease& release,
                              const Fact<KernelConfig>& config) {
    if (config.is_known() && !config->enabled(row.option)) {
        return Fact<bool>::known(false, std::string(row.option) + " is not set");
    }
    if (release.version < row.since) {
        const auto known = backport(row.feature, release);
        if (!known) {
            return Fact<bool>::known(false, "in Linux since " + version_text(row.since));
        }
        if (!known->present) {
            return Fact<bool>::unknown(known->why);
        }
        if (!*known->present) {
            return Fact<bool>::known(false, known->why);
        }
    }
    if (!config.is_known()) {
        return Fact<bool>::unknown("its configuration is not known: " + config.why_unknown);
    }
    return Fact<bool>::known(true, config.source);
}

MissingFeature missing(KernelFeature feature, const Fact<bool>& fact) {
    const auto& row = row_of(feature);
    return {.feature = feature,
            .name = std::string(row.name),
            .first_version = row.since,
            .why = fact.source};
}

const Fact<bool>& fact_of(KernelFeature feature, const FeatureFacts& features) {
    static const auto kNotAsked = Fact<bool>::unknown("not asked");
    const auto found = features.find(feature);
    return found == features.end() ? kNotAsked : found->second;
}

std::string unknown_text(KernelFeature feature, const Fact<bool>& fact) {
    return std::string(row_of(feature).name) + ": " + fact.why_unknown;
}

void judge_needed(const CapabilityRow& row, const FeatureFacts& features, CapabilityDecision& out) {
    for (const auto feature : row.needs) {
        const auto& fact = fact_of(feature, features);
        if (!fact.is_known()) {
            out.why_unknown =
                out.why_unknown.empty() ? unknown_text(feature, fact) : out.why_unknown;
        } else if (!*fact) {
            out.missing.push_back(missing(feature, fact));
        }
    }
}

void judge_alternatives(const CapabilityRow& row,
                        const FeatureFacts& features,
                        CapabilityDecision& out) {
    std::vector<MissingFeature> absent;
    std::string why;
    for (const auto feature : row.one_of) {
        const auto& fact = fact_of(feature, features);
        if (fact.is_known() && *fact) {
            return;
        }
        if (fact.is_known()) {
            absent.push_back(missing(feature, fact));
        } else {
            why = unknown_text(feature, fact);
        }
    }
    if (!why.empty()) {
        out.why_unknown = out.why_unknown.empty() ? why : out.why_unknown;
        return;
    }
    out.missing.insert(out.missing.end(), absent.begin(), absent.end());
}

}  // namespace

std::span<const FeatureRow> feature_table() {
    return kFeatures;
}

const FeatureRow& row_of(KernelFeature feature) {
    return kFeatures.at(static_cast<std::size_t>(feature));
}

std::span<const CapabilityRow> capability_table() {
    return capabilities();
}

const CapabilityRow& row_of(KernelCapability capability) {
    return capabilities().at(static_cast<std::size_t>(capability));
}

FeatureFacts features_by_version(const KernelRelease& release, const Fact<KernelConfig>& config) {
    FeatureFacts facts;
    for (const auto& row : kFeatures) {
        facts.emplace(row.feature, feature_by_version(row, release, config));
    }
    return facts;
}

CapabilityDecision decide(KernelCapability capability, const FeatureFacts& features) {
    using enum CapabilityDecision::State;
    CapabilityDecision decision{.capability = capability};
    const auto& row = row_of(capability);
    judge_needed(row, features, decision);
    judge_alternatives(row, features, decision);
    decision.state = !decision.missing.empty()      ? Missing
                     : decision.why_unknown.empty() ? Ok
                                                    : Unknown;
    if (decision.state == Missing) {
        decision.why_unknown.clear();
    }
    return decision;
}

std::vector<CapabilityDecision> decide_all(const FeatureFacts& features) {
    std::vector<CapabilityDecision> decisions;
    for (const auto& row : capabilities()) {
        decisions.push_back(decide(row.capability, features));
    }
    return decisions;
}

Fact<std::string> newest_sufficient(const Root& root,
                                    const Fact<std::vector<InstalledKernel>>& installed,
                                    std::span<const KernelCapability> wanted) {
    using State = CapabilityDecision::State;
    if (!installed.is_known()) {
        return Fact<std::string>::unknown(installed.why_unknown, installed.source);
    }
    constexpr std::size_t kMaxTried = 16;
    std::string why;
    std::size_t tried = 0;
    for (const auto& kernel : *installed) {
        if (!kernel.has_image || ++tried > kMaxTried) {
            continue;
        }
        const auto config = kernel_config(root, kernel.release, false);
        const auto features = features_by_version(kernel.release, config);
        State worst = State::Ok;
        for (const auto capability : wanted) {
            const auto decision = decide(capability, features);
            if (decision.state == State::Missing) {
                worst = State::Missing;
            } else if (decision.state == State::Unknown && worst == State::Ok) {
                worst = State::Unknown;
                why = kernel.release.text + ": " + decision.why_unknown;
            }
        }
        if (worst == State::Ok) {
            return Fact<std::string>::known(kernel.release.text, config.source);
        }
    }
    return why.empty() ? Fact<std::string>::known("", installed.source)
                       : Fact<std::string>::unknown(why, installed.source);
}

}  // namespace vigia::host
