// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "base/text.h"

namespace vigia::wire {

// `key` as text for people and, where the bytes are no UTF-8, `<key>_base64` with them exactly. For
// any JSON object of nlohmann-json; a template, so that the heavy header stays out of ours.
template <typename Json>
void put_bytes(Json& object, const std::string& key, std::string_view bytes) {
    std::string text = utf8_lossy(bytes);
    const bool exact = text == bytes;
    object[key] = std::move(text);
    if (!exact) {
        object[key + "_base64"] = base64(bytes);
    }
}

}  // namespace vigia::wire
