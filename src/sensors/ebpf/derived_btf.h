// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace vigia::sensors {

// The description of a kernel's types, for kernels that do not carry one, made from the headers of
// that kernel: one C file that includes them is compiled for the bpf target, and its .BTF kept.
// What no header declares is left out: the number of the mount namespace.
struct DerivedBtf {
    std::string release = {};            // of the kernel, as in uname -r
    std::filesystem::path build = {};    // its headers: /lib/modules/RELEASE/build
    std::filesystem::path cache = {};    // folder for the results, made by the caller, root's alone
    std::filesystem::path clang = {};    // the compiler
    std::chrono::seconds deadline{120};  // of each of its two runs
};

// The file for KernelSensor::Options::btf_file: from the cache, or made now. Blocks for seconds;
// call it off the loop. Error: ENOENT no headers or no compiler; ENOEXEC the compiler refused them,
// the context ends with its last lines; ETIMEDOUT.
[[nodiscard]] Result<std::filesystem::path> derive_btf(const DerivedBtf& options);

// The folders of the headers, in the order in which they are searched. Distributions split them:
// the Makefile of the build folder then names the other one. Pure but for reading those.
[[nodiscard]] std::vector<std::filesystem::path> header_folders(const std::filesystem::path& build);

// The first clang of /usr/bin that is new enough, or nothing.
[[nodiscard]] std::filesystem::path find_clang();

}  // namespace vigia::sensors
