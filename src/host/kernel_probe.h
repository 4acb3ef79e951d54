// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "model/host/features.h"

namespace vigia::host {

// Asks the running kernel by trying: opens fanotify groups and BPF objects and closes them at once.
// A refusal for want of a right (EPERM, EACCES: capabilities, lockdown, SELinux, seccomp) is
// unknown; "no" is only what a kernel says that does not have the thing (EINVAL, ENOSYS). What
// cannot be tried so is taken from `concluded`, features_by_version of the same kernel.
// A mark is set for microseconds on "/" alone. Any thread.
[[nodiscard]] FeatureFacts probe_features(const FeatureFacts& concluded);

// Whether the kernel lets us use BPF trampolines (fentry, fexit, LSM programs), which nothing of
// ours needs: hardened kernels refuse them and nothing else. Unknown where it lets us load nothing
// at all, or does not describe its functions.
[[nodiscard]] Fact<bool> probe_trampolines(bool has_btf);

// What an errno of such a try means; 0 is "yes". Pure.
[[nodiscard]] Fact<bool> meaning_of(int error, const char* call);

}  // namespace vigia::host
