// SPDX-License-Identifier: GPL-2.0-or-later
// Any bytes are records or nothing; every record takes some of them, so that it ends.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "wire/kernel_records.h"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::span<const std::byte> rest = std::as_bytes(std::span(data, size));
    while (!rest.empty()) {
        const auto before = rest.size();
        const auto record = vigia::wire::take_kernel_record(rest);
        if (rest.size() >= before || (!record && !rest.empty())) {
            std::abort();
        }
        if (record) {
            if (const auto* exec = std::get_if<vigia::ProcessExec>(&*record);
                exec != nullptr && exec->process.path.size() > before + 4) {
                std::abort();
            }
        }
    }
    return 0;
}
