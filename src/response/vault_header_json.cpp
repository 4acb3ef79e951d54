// SPDX-License-Identifier: GPL-2.0-or-later
#include "response/vault_header_json.h"

#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include <algorithm>

#include "base/base64.h"
#include "base/text.h"

namespace vigia::response {
namespace {

using Json = nlohmann::json;

// The members of one JSON object; anything missing or wrong makes `ok` false, once and for all.
class Reader {
public:
    explicit Reader(const Json& json) : json_(json) {}

    [[nodiscard]] bool ok() const { return ok_; }

    [[nodiscard]] std::string bytes(const char* key) { return decoded(json_.value(key, Json())); }

    [[nodiscard]] std::string decoded(const Json& value) {
        auto bytes = value.is_string() ? from_base64(value.get<std::string>()) : std::nullopt;
        ok_ = ok_ && bytes.has_value();
        return std::move(bytes).value_or("");
    }

    template <typename Number>
    [[nodiscard]] Number number(const char* key) {
        const auto value = json_.value(key, Json());
        ok_ = ok_ && value.is_number_integer();
        return ok_ ? value.get<Number>() : Number{};
    }

    template <std::size_t size>
    void hex(const char* key, std::array<std::byte, size>& into) {
        const auto value = json_.value(key, Json());
        const auto bytes = value.is_string() ? from_hex(value.get<std::string>()) : std::nullopt;
        ok_ = ok_ && bytes && bytes->size() == size;
        if (ok_) {
            std::ranges::copy(*bytes, into.begin());
        }
    }

    void attributes(const char* key, QuarantineItem& item) {
        const auto list = json_.value(key, Json());
        ok_ = ok_ && list.is_array();
        for (const auto& pair : ok_ ? list : Json::array()) {
            if (!pair.is_array() || pair.size() != 2) {
                ok_ = false;
                return;
            }
            item.xattrs.emplace_back(decoded(pair[0]), decoded(pair[1]));
        }
    }

private:
    const Json& json_;
    bool ok_ = true;
};

}  // namespace

std::string header_to_json(const VaultHeader& header) {
    const auto& item = header.item;
    Json attributes = Json::array();
    for (const auto& [name, value] : item.xattrs) {
        attributes.push_back({base64(name), base64(value)});
    }
    return Json{
        {"id", base64(item.id)},
        {"path", base64(item.path)},
        {"sha256", item.sha256.hex()},
        {"size", item.size},
        {"threat", base64(item.threat)},
        {"mode", item.mode},
        {"uid", item.uid},
        {"gid", item.gid},
        {"atime_ns", item.atime_ns},
        {"mtime_ns", item.mtime_ns},
        {"xattrs", std::move(attributes)},
        {"detection_uid", base64(item.detection_uid)},
        {"quarantined_at_ns", item.quarantined_at.time_since_epoch().count()},
        {"key", to_hex(header.secret.key)},
        {"counter", to_hex(header.secret.counter)},
    }
        .dump();
}

std::optional<VaultHeader> header_from_json(std::string_view json) {
    const auto parsed = Json::parse(json, nullptr, false);
    if (!parsed.is_object()) {
        return std::nullopt;
    }
    Reader reader(parsed);
    VaultHeader header;
    auto& item = header.item;
    item.id = reader.bytes("id");
    item.state = QuarantineState::Quarantined;
    item.path = reader.bytes("path");
    reader.hex("sha256", item.sha256.bytes);
    item.size = reader.number<std::uint64_t>("size");
    item.threat = reader.bytes("threat");
    item.mode = reader.number<std::uint32_t>("mode");
    item.uid = reader.number<uid_t>("uid");
    item.gid = reader.number<gid_t>("gid");
    item.atime_ns = reader.number<std::int64_t>("atime_ns");
    item.mtime_ns = reader.number<std::int64_t>("mtime_ns");
    reader.attributes("xattrs", item);
    item.detection_uid = reader.bytes("detection_uid");
    item.quarantined_at =
        WallTime(std::chrono::nanoseconds(reader.number<std::int64_t>("quarantined_at_ns")));
    reader.hex("key", header.secret.key);
    reader.hex("counter", header.secret.counter);
    return reader.ok() ? std::optional(std::move(header)) : std::nullopt;
}

}  // namespace vigia::response
