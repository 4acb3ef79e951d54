// SPDX-License-Identifier: GPL-2.0-or-later
// links: vigia_host
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "host/mounts.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    std::vector<std::string> problems;
    for (const auto& mount : vigia::host::parse_mountinfo(text, problems)) {
        if (!mount.point.starts_with('/') || mount.type.empty()) {
            std::abort();
        }
        (void)vigia::mount_option(mount, "upperdir");
    }
    return 0;
}
