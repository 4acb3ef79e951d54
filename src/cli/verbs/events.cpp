// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/types.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <ctime>
#include <iterator>
#include <vector>

#include "base/text.h"
#include "cli/verbs.h"

namespace vigia::cli {
namespace {

struct ClassName {
    std::string_view name;
    int uid;
};

// docs/EVENTS.md
constexpr std::array kClasses{ClassName{"detection", 2004},
                              ClassName{"file", 1001},
                              ClassName{"process", 1007},
                              ClassName{"network", 4001},
                              ClassName{"scan", 6007},
                              ClassName{"service", 6002},
                              ClassName{"fault", 6008}};

// What the daemon gives at once.
constexpr std::uint32_t kMostEvents = 10'000;

struct Asked {
    bool follow = false;
    std::string since;
    std::string cls;
    std::uint32_t limit = 100;
};

// "10m", "2h", "3d", "2026-11-22", "2026-11-22T19:20:00": milliseconds since 1970.
std::optional<std::int64_t> parse_since(const std::string& text) {
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
    std::int64_t amount = 0;
    const auto* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, amount);
    if (parsed.ec == std::errc{} && parsed.ptr + 1 == end && amount >= 0) {
        constexpr std::string_view kUnits = "smhd";
        constexpr std::array<std::int64_t, 4> kMilliseconds{1000, 60'000, 3'600'000, 86'400'000};
        const auto unit = kUnits.find(*parsed.ptr);
        if (unit != std::string_view::npos) {
            return now - amount * kMilliseconds.at(unit);
        }
    }
    for (const char* format : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d"}) {
        std::tm local{};
        const char* rest = ::strptime(text.c_str(), format, &local);
        if (rest != nullptr && (*rest == '\0' || *rest == 'Z')) {
            local.tm_isdst = -1;
            const auto seconds = *rest == 'Z' ? ::timegm(&local) : ::mktime(&local);
            return std::int64_t{seconds} * 1000;
        }
    }
    return std::nullopt;
}

void print_event(const Context& context, const std::string& text) {
    if (context.json) {
        fmt::print("{}\n", text);
        return;
    }
    const auto event = nlohmann::json::parse(text, nullptr, false);
    if (!event.is_object()) {
        return;
    }
    constexpr int kHigh = 4;
    const int severity = event.value("severity_id", 1);
    const auto tone = severity > kHigh    ? Tone::Bad
                      : severity == kHigh ? Tone::Warning
                                          : Tone::Plain;
    fmt::print("{}  {:<14} {}\n",
               local_time(event.value("time_dt", "")),
               printable_member(event, "activity_name"),
               paint(context, tone, sentence_member(event, "message")));
}

Exit run_events(const Context& context, const Asked& asked) {
    std::string path = fmt::format("/v1/events?limit={}", asked.limit);
    if (!asked.cls.empty()) {
        const auto found = std::ranges::find(kClasses, asked.cls, &ClassName::name);
        const bool is_number =
            std::ranges::all_of(asked.cls, [](char c) { return c >= '0' && c <= '9'; });
        if (found == kClasses.end() && !is_number) {
            std::vector<std::string_view> names;
            std::ranges::transform(kClasses, std::back_inserter(names), &ClassName::name);
            fmt::print(stderr,
                       "vigia: --class '{}': expected {} or an OCSF number\n",
                       printable(asked.cls),
                       fmt::join(names, ", "));
            return Exit::Usage;
        }
        path += fmt::format("&class={}",
                            found == kClasses.end() ? asked.cls : std::to_string(found->uid));
    }
    if (!asked.since.empty()) {
        const auto since = parse_since(asked.since);
        if (!since) {
            fmt::print(stderr,
                       "vigia: --since '{}': expected 10m, 2h, 3d, 2026-11-22 or "
                       "2026-11-22T19:20:00\n",
                       printable(asked.since));
            return Exit::Usage;
        }
        path += fmt::format("&since={}", *since);
    }
    path += asked.follow ? "&follow=1" : "";
    std::string rest;
    const auto on_piece = [&](std::string_view piece) {
        rest += piece;
        for (auto end = rest.find('\n'); end != std::string::npos; end = rest.find('\n')) {
            if (end > 0) {
                print_event(context, rest.substr(0, end));
            }
            rest.erase(0, end + 1);
        }
        std::fflush(stdout);
        return true;
    };
    const auto reply = context.client().stream(path, on_piece);
    if (!reply) {
        return report_error(context, reply.error());
    }
    constexpr long kOk = 200;
    return reply->status == kOk ? Exit::Fine : report_refusal(context, *reply);
}

}  // namespace

Verb events_verb() {
    auto asked = std::make_shared<Asked>();
    return {.name = "events",
            .help = {"what happened, from the journal", "qué ha ocurrido, según el registro"},
            .options = {{.name = "--follow",
                         .letter = 'f',
                         .help = {"go on with new ones as they come",
                                  "continúa con los nuevos según llegan"},
                         .into = &asked->follow},
                        {.name = "--since",
                         .value = "T",
                         .help = {"10m, 2h, 3d, a date, or date and time",
                                  "10m, 2h, 3d, una fecha, o fecha y hora"},
                         .into = &asked->since},
                        {.name = "--class",
                         .value = "CLASS",
                         .help = {"detection, scan, service, fault, … or an OCSF number",
                                  "detection, scan, service, fault, … o un número de OCSF"},
                         .into = &asked->cls},
                        {.name = "--limit",
                         .value = "N",
                         .help = {"at most so many", "como máximo tantos"},
                         .least = 1,
                         .most = kMostEvents,
                         .into = &asked->limit}},
            .action = [asked](const Context& context) { return run_events(context, *asked); }};
}

}  // namespace vigia::cli
