// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/examine.h"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "host/accounts.h"
#include "host/distribution.h"
#include "host/kernel_config.h"
#include "host/kernel_features.h"
#include "host/kernel_probe.h"
#include "host/kernel_release.h"
#include "host/kernel_types.h"
#include "host/listeners.h"
#include "host/memory.h"
#include "host/mounts.h"
#include "host/security.h"

namespace vigia::host {
namespace {

constexpr std::size_t kMaxMountinfo = std::size_t{64} * 1024 * 1024;

Fact<KernelRelease> kernel_to_judge(const ExamineOptions& options,
                                    const Fact<KernelRelease>& running) {
    if (options.kernel_release.empty()) {
        return running;
    }
    auto parsed = parse_kernel_release(options.kernel_release);
    return parsed ? Fact<KernelRelease>::known(*std::move(parsed), "as asked")
                  : Fact<KernelRelease>::unknown(std::move(parsed).error(), "as asked");
}

Fact<KernelFeatures> features(const Root& root, const HostFacts& facts, bool is_running) {
    KernelFeatures found{.release = *facts.kernel};
    found.features = features_by_version(*facts.kernel, facts.kernel_config);
    if (facts.btf.is_known()) {
        const auto btf = Fact<bool>::known(facts.btf->present, facts.btf.source);
        found.features.insert_or_assign(KernelFeature::KernelBtf, btf);
    }
    if (root.is_live() && is_running) {
        found.features = probe_features(found.features);
        found.probed = true;
    }
    found.capabilities = decide_all(found.features);
    const auto source = found.probed ? "asked of the kernel" : "its version and configuration";
    return Fact<KernelFeatures>::known(std::move(found), source);
}

template <typename Value>
void same_as_kernel(const Fact<KernelRelease>& kernel, Fact<Value>& fact) {
    fact = Fact<Value>::unknown(kernel.why_unknown, kernel.source);
}

Fact<std::vector<Mount>> mounts(const Root& root) {
    return fact_from<std::vector<Mount>>(
        root,
        "proc/self/mountinfo",
        kMaxMountinfo,
        [](std::string_view text) -> Parsed<std::vector<Mount>> {
            std::vector<std::string> problems;
            auto found = parse_mountinfo(text, problems);
            if (found.empty()) {
                return std::unexpected(problems.empty() ? "it has no mount" : problems.front());
            }
            return found;
        });
}

}  // namespace

void examine_kernel(const Root& root, const ExamineOptions& options, HostFacts& facts) {
    facts.running_kernel = running_kernel(root);
    facts.kernel = kernel_to_judge(options, facts.running_kernel);
    if (!facts.kernel.is_known()) {
        same_as_kernel(facts.kernel, facts.kernel_config);
        same_as_kernel(facts.kernel, facts.btf);
        same_as_kernel(facts.kernel, facts.headers);
        same_as_kernel(facts.kernel, facts.features);
        return;
    }
    const bool is_running =
        facts.running_kernel.is_known() && facts.running_kernel->text == facts.kernel->text;
    facts.kernel_config = kernel_config(root, *facts.kernel, is_running);
    facts.btf = kernel_btf(root, facts.kernel_config, is_running);
    facts.headers = kernel_headers(root, *facts.kernel);
    facts.features = features(root, facts, is_running);
    facts.bpf_trampolines = root.is_live() && is_running
                                ? probe_trampolines(facts.btf.is_known() && facts.btf->present)
                                : Fact<bool>::unknown("only a running kernel can be asked");
}

HostFacts examine(const Root& root, const ExamineOptions& options) {
    HostFacts facts{.root = root.name(), .is_live = root.is_live()};
    facts.distribution = distribution(root);
    facts.package_manager = package_manager(root, facts.distribution);
    facts.installed_kernels = installed_kernels(root);
    examine_kernel(root, options, facts);
    facts.has_clang = has_clang(root);
    facts.sufficient_kernel = newest_sufficient(root, facts.installed_kernels, options.wanted);
    facts.security_modules = security_modules(root);
    facts.lockdown = lockdown(root);
    facts.secure_boot = secure_boot(root);
    facts.selinux = selinux(root, options.selinux);
    facts.capabilities = capabilities(root);
    facts.scan_user = scan_user(root, options.scan_user);
    facts.login_defs = login_defs(root);
    facts.own_paths =
        own_paths(options.own_root != nullptr ? *options.own_root : root, options.own_paths);
    facts.memory = memory(root);
    facts.mounts = mounts(root);
    facts.listeners = options.look_for_listeners ? listeners(root, root.is_live() ? ::getpid() : 0)
                                                 : Fact<Listeners>::unknown("not looked for");
    facts.fanotify_limits = fanotify_limits(root);
    facts.has_pressure = has_pressure(root);
    return facts;
}

}  // namespace vigia::host
