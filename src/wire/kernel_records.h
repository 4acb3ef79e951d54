// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "model/flow.h"
#include "model/process.h"

// Records of the kernel side (bpf/vigia_records.h) as values. Total functions: whatever the bytes,
// they return, read nothing beyond them, and what is not exactly one known record is nothing.
namespace vigia::wire {

// From a snapshot, not an event.
struct RunningProcess {
    ProcessInfo process;
};

using KernelRecord = std::variant<ProcessExec, ProcessFork, ProcessExit, FlowEvent, RunningProcess>;

// One record from the ring; bytes behind it are padding.
[[nodiscard]] std::optional<KernelRecord> decode_kernel_record(std::span<const std::byte> bytes);

// The next record of an iterator's output; cuts it off `rest`. Nothing: no (whole) record, `rest`
// is then empty.
[[nodiscard]] std::optional<KernelRecord> take_kernel_record(std::span<const std::byte>& rest);

// Components, leaf first, each ended by NUL → "/usr/bin/true". What has no folder above it (a
// memory file) has no slash before it; `cut` paths begin with "…/".
[[nodiscard]] std::string path_of_components(std::string_view components, bool rooted, bool cut);

}  // namespace vigia::wire
