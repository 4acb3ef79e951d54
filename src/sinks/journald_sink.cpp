// SPDX-License-Identifier: GPL-2.0-or-later
#include "sinks/journald_sink.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <cerrno>

#include "model/message_id.h"

namespace vigia::sinks {
namespace {

using nlohmann::json;

constexpr const char* kSocket = "/run/systemd/journal/socket";
constexpr int kNetworkActivity = 4001;
constexpr int kFirstFinding = 2000;

// syslog(3).
const char* priority_of(Severity severity) {
    switch (severity) {
        case Severity::Critical:
            return "2";
        case Severity::Major:
            return "3";
        case Severity::Minor:
            return "4";
        case Severity::Informational:
            break;
    }
    return "6";
}

std::string text_at(const json& document, const char* pointer) {
    const auto* found = document.contains(json::json_pointer(pointer))
                            ? &document.at(json::json_pointer(pointer))
                            : nullptr;
    if (found == nullptr || found->is_null()) {
        return {};
    }
    return found->is_string() ? found->get<std::string>() : found->dump();
}

}  // namespace

std::vector<std::pair<std::string, std::string>> journald_fields(const StoredEvent& event) {
    if (event.class_uid < kFirstFinding || event.class_uid == kNetworkActivity) {
        return {};
    }
    const auto document = json::parse(event.json, nullptr, false);
    if (!document.is_object()) {
        return {{"MESSAGE", event.json}, {"PRIORITY", "3"}};
    }
    const auto fault = text_at(document, "/vigia/fault/id");
    const int number = fault.empty() ? 0 : document.at("vigia").at("fault").at("id").get<int>();
    std::vector<std::pair<std::string, std::string>> fields{
        {"MESSAGE", text_at(document, "/message")},
        {"MESSAGE_ID", message_id(number)},
        {"PRIORITY", priority_of(event.severity)},
        {"SYSLOG_IDENTIFIER", "vigia"},
        {"VIGIA_SEQUENCE", std::to_string(event.sequence)},
        {"VIGIA_EPOCH", event.epoch},
        {"VIGIA_UID", event.uid},
        {"VIGIA_CLASS", std::to_string(event.class_uid)},
        {"VIGIA_EVENT", text_at(document, "/vigia/event")}};
    if (number != 0) {
        fields.emplace_back("VIGIA_FAULT", fault);
        fields.emplace_back("VIGIA_FAULT_KEY", text_at(document, "/vigia/fault/key"));
        fields.emplace_back("VIGIA_CAUSE", text_at(document, "/vigia/fault/cause"));
        fields.emplace_back("VIGIA_EPISODE", text_at(document, "/metadata/correlation_uid"));
    }
    return fields;
}

Result<std::unique_ptr<JournaldSink>> JournaldSink::open() {
    // The library takes a journal that is not there for one that took the entry.
    if (::access(kSocket, F_OK) < 0) {
        return fail_errno(std::string("reach systemd-journald at ") + kSocket);
    }
    return std::make_unique<JournaldSink>();
}

Result<std::uint64_t> JournaldSink::deliver(std::span<const StoredEvent> events) {
    std::uint64_t delivered = 0;
    for (const auto& event : events) {
        if (::access(kSocket, F_OK) < 0) {
            if (delivered > 0) {
                return delivered;
            }
            return fail_errno(std::string("reach systemd-journald at ") + kSocket);
        }
        std::vector<std::string> lines;
        for (const auto& [name, value] : journald_fields(event)) {
            lines.push_back(fmt::format("{}={}", name, value));
        }
        std::vector<iovec> pieces;
        pieces.reserve(lines.size());
        for (auto& line : lines) {
            pieces.push_back({.iov_base = line.data(), .iov_len = line.size()});
        }
        const int result =
            pieces.empty() ? 0 : ::sd_journal_sendv(pieces.data(), static_cast<int>(pieces.size()));
        if (result < 0 && delivered > 0) {
            return delivered;
        }
        if (result < 0) {
            errno = -result;
            return fail_errno("write to the systemd journal");
        }
        delivered = event.sequence;
    }
    return delivered;
}

}  // namespace vigia::sinks
