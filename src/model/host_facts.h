// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "model/fact.h"
#include "model/host/accounts.h"
#include "model/host/distribution.h"
#include "model/host/features.h"
#include "model/host/kernel.h"
#include "model/host/resources.h"
#include "model/host/security.h"
#include "model/mount.h"

namespace vigia {

// What a machine is, or a root folder that will become one: values only. host/examine.h finds them.
struct HostFacts {
    std::string root = {};  // the folder examined
    bool is_live = false;   // it is the system that runs here

    Fact<Distribution> distribution = {};
    Fact<PackageManager> package_manager = {};

    Fact<KernelRelease> running_kernel = {};
    Fact<KernelRelease> kernel = {};  // the one examined: the running one unless another was asked
    Fact<std::vector<InstalledKernel>> installed_kernels = {};  // newest first
    Fact<KernelConfig> kernel_config = {};
    Fact<KernelBtf> btf = {};
    Fact<KernelHeaders> headers = {};
    Fact<bool> has_clang = {};
    Fact<KernelFeatures> features = {};
    Fact<bool> bpf_trampolines = {};  // fentry, fexit, LSM programs: nothing of ours needs them
    // The newest kernel in boot/ that can do all that was wanted; empty: none of them.
    Fact<std::string> sufficient_kernel = {};

    Fact<std::vector<std::string>> security_modules = {};
    Fact<Lockdown> lockdown = {};
    Fact<SecureBoot> secure_boot = {};
    SelinuxFacts selinux = {};
    Fact<CapabilitySets> capabilities = {};

    ScanUserFacts scan_user = {};
    Fact<LoginDefs> login_defs = {};
    OwnPaths own_paths = {};

    MemoryFacts memory = {};
    Fact<std::vector<Mount>> mounts = {};
    Fact<Listeners> listeners = {};
    FanotifyLimits fanotify_limits = {};
    Fact<bool> has_pressure = {};  // pressure stall information
};

}  // namespace vigia
