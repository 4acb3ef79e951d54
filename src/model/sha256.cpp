// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/sha256.h"

#include <algorithm>

#include "base/text.h"

namespace vigia {

std::string Sha256::hex() const {
    return to_hex(bytes);
}

std::optional<Sha256> Sha256::parse(std::string_view hex) {
    const auto raw = from_hex(hex);
    if (!raw || raw->size() != 32) {
        return std::nullopt;
    }
    Sha256 digest;
    std::ranges::copy(*raw, digest.bytes.begin());
    return digest;
}

}  // namespace vigia
