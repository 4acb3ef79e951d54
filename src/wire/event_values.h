// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "model/event.h"
#include "wire/event_kinds.h"

// Small parts that the JSON of every event is made of. Total: whatever the bytes. Pure.
namespace vigia::wire {

using Json = nlohmann::ordered_json;

// As put_bytes() (wire/exact_bytes.h); nothing for an empty text.
void put_if(Json& object, const char* key, std::string_view text);

// A list and, if one of them is no UTF-8, the exact bytes of all in the same order.
void put_names(Json& object, const std::string& key, const std::vector<std::string>& names);

// `<key>_id` and `key`.
void put_caption(Json& object, const std::string& key, const Caption& caption);
void put_kind(Json& event, const OcsfClass& ocsf, const Kind& kind);

[[nodiscard]] std::string_view base_name(std::string_view path);
[[nodiscard]] Json file_json(const FileFacts& facts);

}  // namespace vigia::wire
