// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/event_values.h"

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "wire/exact_bytes.h"

namespace vigia::wire {

void put_if(Json& object, const char* key, std::string_view text) {
    if (!text.empty()) {
        put_bytes(object, key, text);
    }
}

void put_names(Json& object, const std::string& key, const std::vector<std::string>& names) {
    Json texts = Json::array();
    bool exact = true;
    for (const auto& name : names) {
        texts.push_back(utf8_lossy(name));
        exact = exact && texts.back().get_ref<const std::string&>() == name;
    }
    object[key] = std::move(texts);
    if (!exact) {
        Json bytes = Json::array();
        for (const auto& name : names) {
            bytes.push_back(base64(name));
        }
        object[key + "_base64"] = std::move(bytes);
    }
}

void put_caption(Json& object, const std::string& key, const Caption& caption) {
    object[key + "_id"] = caption.id;
    object[key] = caption.name;
}

void put_kind(Json& event, const OcsfClass& ocsf, const Kind& kind) {
    event["class_uid"] = ocsf.uid;
    event["class_name"] = ocsf.name;
    event["category_uid"] = ocsf.category;
    event["category_name"] = ocsf.category_name;
    event["activity_id"] = kind.activity.id;
    event["activity_name"] = kind.activity.name;
    event["type_uid"] = ocsf.uid * 100 + kind.activity.id;
    event["type_name"] = std::string(ocsf.name) + ": " + kind.activity.name;
    put_caption(event, "status", kind.status);
    event["vigia"]["event"] = kind.word;
}

std::string_view base_name(std::string_view path) {
    const auto slash = path.rfind('/');
    const auto name = slash == std::string_view::npos ? path : path.substr(slash + 1);
    return name.empty() ? path : name;
}

Json file_json(const FileFacts& facts) {
    Json file = Json::object();
    put_bytes(file, "name", base_name(facts.path));
    put_bytes(file, "path", facts.path);
    file["type_id"] = 1;
    file["type"] = "Regular File";
    file["size"] = facts.size;
    file["hashes"] = Json::array();
    if (facts.sha256) {
        file["hashes"].push_back(
            {{"algorithm_id", 3}, {"algorithm", "SHA-256"}, {"value", facts.sha256->hex()}});
    }
    return file;
}

}  // namespace vigia::wire
