// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>

namespace vigia::scand {

// So much memory that was freed stays with a worker, in bytes.
inline constexpr std::size_t kKeptHeap = std::size_t{64} << 20U;

// What is freed stays with the process for the next file, up to kKeptHeap. libclamav sets up and
// clears megabytes of state for every file, however small; giving them back to the kernel each time
// and having them zeroed again costs several times as much as scanning a small file. For a process
// with one thread, before it works; affects the whole process. Does nothing but tune: no errors.
void keep_freed_memory() noexcept;

}  // namespace vigia::scand
