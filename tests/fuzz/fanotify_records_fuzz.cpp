// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "wire/fanotify_records.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::span<const std::byte> rest = std::as_bytes(std::span(data, size));
    while (true) {
        const auto before = rest.size();
        const auto record = vigia::wire::take_fanotify_record(rest);
        if (!record) {
            return before == 0 ? 0 : (std::abort(), 0);
        }
        if (rest.size() >= before) {
            std::abort();  // it would never end
        }
        const auto* begin = reinterpret_cast<const char*>(data);
        for (const auto& entry : {record->entry, record->moved_from, record->moved_to}) {
            if (entry && !entry->name.empty() &&
                (entry->name.data() < begin ||
                 entry->name.data() + entry->name.size() > begin + size)) {
                std::abort();
            }
        }
    }
}
