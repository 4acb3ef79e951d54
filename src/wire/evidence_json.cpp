// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/evidence_json.h"

#include <nlohmann/json.hpp>

#include <string>
#include <utility>

#include "base/text.h"

namespace vigia::wire {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMostDepth = 8;
constexpr std::string_view kExact = "_base64";

// `exact` becomes false when a text in it had to be changed.
Json value_json(const Evidence& evidence, bool& exact);

Json list_json(const Evidence::List& list, bool& exact) {
    Json array = Json::array();
    for (const auto& one : list) {
        array.push_back(value_json(one, exact));
    }
    return array;
}

// The exact bytes of a text or of a list of texts.
Json bytes_json(const Evidence& evidence) {
    if (const auto* text = std::get_if<std::string>(&evidence.value)) {
        return base64(*text);
    }
    Json array = Json::array();
    if (const auto* list = std::get_if<Evidence::List>(&evidence.value)) {
        for (const auto& one : *list) {
            const auto* text = std::get_if<std::string>(&one.value);
            array.push_back(text == nullptr ? Json(nullptr) : Json(base64(*text)));
        }
    }
    return array;
}

Json members_json(const Evidence::Members& members) {
    Json object = Json::object();
    for (const auto& [name, member] : members) {
        bool exact = true;
        object[name] = value_json(member, exact);
        if (!exact) {
            object[name + std::string(kExact)] = bytes_json(member);
        }
    }
    return object;
}

Json value_json(const Evidence& evidence, bool& exact) {
    struct Visitor {
        bool& exact;

        Json operator()(std::monostate /*none*/) const { return nullptr; }

        Json operator()(bool truth) const { return truth; }

        Json operator()(std::int64_t number) const { return number; }

        Json operator()(double number) const { return number; }

        Json operator()(const std::string& text) const {
            auto valid = utf8_lossy(text);
            exact = exact && valid == text;
            return valid;
        }

        Json operator()(const Evidence::List& list) const { return list_json(list, exact); }

        Json operator()(const Evidence::Members& members) const { return members_json(members); }
    };

    return std::visit(Visitor{exact}, evidence.value);
}

Evidence parse(const Json& json, int depth) {
    if (json.is_boolean()) {
        return json.get<bool>();
    }
    if (json.is_number_integer()) {
        return json.get<std::int64_t>();
    }
    if (json.is_number()) {
        return json.get<double>();
    }
    if (json.is_string()) {
        return json.get<std::string>();
    }
    if (json.is_array() && depth < kMostDepth) {
        Evidence::List list;
        for (const auto& one : json) {
            list.push_back(parse(one, depth + 1));
        }
        return list;
    }
    if (json.is_object() && depth < kMostDepth) {
        Evidence::Members members;
        for (const auto& [name, member] : json.items()) {
            members.emplace_back(name, parse(member, depth + 1));
        }
        return members;
    }
    return {};
}

}  // namespace

Json evidence_json(const Evidence& evidence) {
    bool exact = true;
    return value_json(evidence, exact);
}

Evidence parse_evidence(const Json& json) {
    return parse(json, 0);
}

}  // namespace vigia::wire
