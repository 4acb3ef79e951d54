// SPDX-License-Identifier: GPL-2.0-or-later
// What a hostile child or daemon sends. A decoder takes exactly what its encoder makes: whatever it
// accepts must come out byte for byte the same when encoded again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "wire/scan_protocol.h"

namespace {

void check(const auto& decoded, std::span<const std::byte> packet) {
    if (decoded && !std::ranges::equal(vigia::wire::encode(*decoded), packet)) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace vigia::wire;
    const auto packet = std::as_bytes(std::span(data, size));
    check(decode_to_zygote(packet), packet);
    check(decode_from_zygote(packet), packet);
    check(decode_scan_file(packet), packet);
    check(decode_scan_done(packet), packet);
    check(decode_hash_file(packet), packet);
    check(decode_hash_done(packet), packet);
    return 0;
}
