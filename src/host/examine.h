// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "host/root.h"
#include "host/selinux.h"
#include "model/host_facts.h"

namespace vigia::host {

struct ExamineOptions {
    // A kernel to judge instead of the running one (`doctor --kernel`); empty: the running one.
    std::string kernel_release = {};
    std::string scan_user = "vigia-scan";
    // What owners and modes are compared with; installed_paths() for the places of a package. Under
    // `own_root` where own files have a prefix of their own, else under the root examined.
    std::vector<ExpectedPath> own_paths = {};
    const Root* own_root = nullptr;
    SelinuxOptions selinux = {};
    // What `sufficient_kernel` has to be able to do.
    std::vector<KernelCapability> wanted = {KernelCapability::FilesByDescriptor,
                                            KernelCapability::Processes,
                                            KernelCapability::Network};
    bool look_for_listeners = true;  // walks all of proc
};

// Everything at once. Reads only; of a live root it also asks the kernel: it opens and closes
// fanotify groups and BPF objects, and asks SELinux for a decision. Any thread but one that may not
// wait: it reads files, forks for an SELinux policy that is not in force, and takes as long as
// proc is large. Never fails; what cannot be known is an unknown fact.
[[nodiscard]] HostFacts examine(const Root& root, const ExamineOptions& options);

// --- groups that change while the system runs, each on its own
// ------------------------------------- Fills running_kernel, kernel, kernel_config, btf, headers,
// features. The rest of `facts` stays.
void examine_kernel(const Root& root, const ExamineOptions& options, HostFacts& facts);

}  // namespace vigia::host
