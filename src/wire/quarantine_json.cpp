// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/quarantine_json.h"

#include <nlohmann/json.hpp>

#include <array>
#include <concepts>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/base64.h"
#include "base/text.h"

namespace vigia::wire {
namespace {

using Json = nlohmann::json;

// In the order of QuarantineState.
constexpr std::array<std::string_view, 5> kStates{
    "storing", "removing", "quarantined", "restored", "deleted"};

struct Writer {
    Json& out;

    void operator()(const char* key, const std::string& value) const { out[key] = base64(value); }

    void operator()(const char* key, std::integral auto value) const { out[key] = value; }

    void operator()(const char* key, QuarantineState value) const {
        out[key] = kStates.at(static_cast<std::size_t>(value));
    }

    void operator()(const char* key, const Sha256& value) const { out[key] = value.hex(); }

    void operator()(const char* key, WallTime value) const {
        out[key] = value.time_since_epoch().count();
    }

    void operator()(const char* key, const std::vector<std::string>& values) const {
        auto& list = out[key] = Json::array();
        for (const auto& value : values) {
            list.push_back(base64(value));
        }
    }

    void operator()(const char* key,
                    const std::vector<std::pair<std::string, std::string>>& values) const {
        auto& list = out[key] = Json::array();
        for (const auto& [name, value] : values) {
            list.push_back(Json::array({base64(name), base64(value)}));
        }
    }
};

// Remembers the first value that is of the wrong kind.
struct Parser {
    const Json& in;
    bool& ok;

    static bool parse(const Json& json, std::string& value) {
        const auto bytes =
            json.is_string() ? from_base64(json.get_ref<const std::string&>()) : std::nullopt;
        value = bytes.value_or("");
        return bytes.has_value();
    }

    static bool parse(const Json& json, std::integral auto& value) {
        if (!json.is_number_integer()) {
            return false;
        }
        if (json.is_number_unsigned()) {
            const auto number = json.get<std::uint64_t>();
            value = static_cast<std::remove_reference_t<decltype(value)>>(number);
            return std::in_range<std::remove_reference_t<decltype(value)>>(number);
        }
        const auto number = json.get<std::int64_t>();
        value = static_cast<std::remove_reference_t<decltype(value)>>(number);
        return std::in_range<std::remove_reference_t<decltype(value)>>(number);
    }

    static bool parse(const Json& json, QuarantineState& value) {
        for (std::size_t at = 0; at < kStates.size(); ++at) {
            if (json.is_string() && json.get_ref<const std::string&>() == kStates.at(at)) {
                value = static_cast<QuarantineState>(at);
                return true;
            }
        }
        return false;
    }

    static bool parse(const Json& json, Sha256& value) {
        const auto digest =
            json.is_string() ? Sha256::parse(json.get_ref<const std::string&>()) : std::nullopt;
        value = digest.value_or(Sha256{});
        return digest.has_value();
    }

    static bool parse(const Json& json, WallTime& value) {
        std::int64_t nanoseconds = 0;
        const bool good = parse(json, nanoseconds);
        value = WallTime{std::chrono::nanoseconds{nanoseconds}};
        return good;
    }

    template <typename T>
    static bool parse(const Json& json, std::vector<T>& values) {
        if (!json.is_array()) {
            return false;
        }
        for (const auto& item : json) {
            T value;
            if (!parse(item, value)) {
                return false;
            }
            values.push_back(std::move(value));
        }
        return true;
    }

    static bool parse(const Json& json, std::pair<std::string, std::string>& value) {
        return json.is_array() && json.size() == 2 && parse(json[0], value.first) &&
               parse(json[1], value.second);
    }

    template <typename T>
    void operator()(const char* key, T& value) const {
        if (const auto found = in.find(key); found != in.end()) {
            ok = ok && parse(*found, value);
        }
    }
};

template <typename Item, typename Visitor>
void each_field(Item& item, const Visitor& visit) {
    // Names every field: one that is added to the model does not compile here, or it would be lost.
    auto& [id,
           state,
           path,
           sha256,
           size,
           threat,
           mode,
           uid,
           gid,
           atime_ns,
           mtime_ns,
           xattrs,
           names_removed,
           names_left,
           outcome,
           detection_uid,
           quarantined_at,
           fs0,
           fs1,
           object_handle_type,
           object_handle,
           inode,
           links,
           taking] = item;
    visit("id", id);
    visit("state", state);
    visit("path", path);
    visit("sha256", sha256);
    visit("size", size);
    visit("threat", threat);
    visit("mode", mode);
    visit("uid", uid);
    visit("gid", gid);
    visit("atime_ns", atime_ns);
    visit("mtime_ns", mtime_ns);
    visit("xattrs", xattrs);
    visit("names_removed", names_removed);
    visit("names_left", names_left);
    visit("outcome", outcome);
    visit("detection_uid", detection_uid);
    visit("quarantined_at", quarantined_at);
    visit("fs0", fs0);
    visit("fs1", fs1);
    visit("object_handle_type", object_handle_type);
    visit("object_handle", object_handle);
    visit("inode", inode);
    visit("links", links);
    visit("taking", taking);
}

}  // namespace

std::string to_record(const QuarantineItem& item) {
    Json out = Json::object();
    each_field(item, Writer{out});
    return out.dump();
}

Result<QuarantineItem> parse_quarantine_record(std::string_view record) {
    const auto json = Json::parse(record, nullptr, false);
    QuarantineItem item;
    bool ok = json.is_object();
    if (ok) {
        each_field(item, Parser{json, ok});
    }
    if (!ok) {
        return fail(std::errc::illegal_byte_sequence, "quarantine record");
    }
    return item;
}

}  // namespace vigia::wire
