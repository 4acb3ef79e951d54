// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/result.h"

namespace vigia::journal {

// Space kept back on the journal's file system, given up when there is none left so that the
// detections of that moment can still be written (hard-parts 14). One thread at a time.
class Reserve {
public:
    // `bytes` 0: never ready. What an earlier run left is taken over.
    Reserve(std::filesystem::path file, std::uint64_t bytes);

    [[nodiscard]] bool ready() const noexcept { return ready_; }

    // Allocates it unless it is there. Only where as much again stays free (ENOSPC otherwise): the
    // reserve must not be what fills the disk.
    [[nodiscard]] Result<> prepare();

    void release() noexcept;

private:
    std::filesystem::path file_;
    std::uint64_t bytes_;
    bool ready_ = false;
};

}  // namespace vigia::journal
