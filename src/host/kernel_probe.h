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

// What an errno of such a try means; 0 is "yes". Pure.
[[nodiscard]] Fact<bool> meaning_of(int error, const char* call);

}  // namespace vigia::host
