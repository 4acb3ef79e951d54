// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/context.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <ctime>

#include "base/text.h"

namespace vigia::cli {
namespace {

std::string text_member(const nlohmann::json& object, const std::string& key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

std::string paint(const Context& context, Tone tone, std::string_view text) {
    if (!context.colour || tone == Tone::Plain) {
        return std::string(text);
    }
    std::string_view code;
    switch (tone) {
        case Tone::Plain:
            break;
        case Tone::Good:
            code = "32";
            break;
        case Tone::Bad:
            code = "1;31";
            break;
        case Tone::Warning:
            code = "33";
            break;
        case Tone::Faint:
            code = "2";
            break;
        case Tone::Strong:
            code = "1";
            break;
    }
    return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::string padded(std::string_view text, std::size_t width) {
    const auto shown = static_cast<std::size_t>(std::ranges::count_if(text, [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;  // not inside a character
    }));
    return std::string(text) + std::string(shown < width ? width - shown : 0, ' ');
}

Exit report_error(const Context& context, const Error& error) {
    if (error.code == std::errc::permission_denied) {
        fmt::print(
            stderr,
            "vigia: {}: {}\n",
            error.context,
            context.say({"not permitted; run it as root", "no permitido; ejecútelo como root"}));
        return Exit::NotPermitted;
    }
    if (error.code == std::errc::connection_refused) {
        fmt::print(stderr,
                   "vigia: {} ({})\n",
                   context.say({"the daemon cannot be reached; is vigiad running? Start it with "
                                "'systemctl start vigiad', or name its --prefix",
                                "no se puede contactar con el demonio; ¿está vigiad en marcha? "
                                "Inícielo con 'systemctl start vigiad' o indique su --prefix"}),
                   error.context);
        return Exit::NotReachable;
    }
    fmt::print(stderr, "vigia: {}\n", error.message());
    return Exit::NotReachable;
}

Exit report_refusal(const Context& context, const Reply& reply) {
    const auto body = nlohmann::json::parse(reply.body, nullptr, false);
    std::string message = fmt::format("HTTP {}", reply.status);
    if (body.is_object() && body.contains("error")) {
        message = body["error"].value("message", message);
    }
    fmt::print(stderr,
               "vigia: {}: {}\n",
               context.say({"the daemon refuses", "el demonio lo rechaza"}),
               harmless(message));
    constexpr long kForbidden = 403;
    constexpr long kBadRequest = 400;
    if (reply.status == kForbidden) {
        return Exit::NotPermitted;
    }
    return reply.status == kBadRequest ? Exit::Usage : Exit::No;
}

std::optional<nlohmann::json> fetch(const Context& context, const std::string& path, Exit& exit) {
    constexpr long kOk = 200;
    const auto reply = context.client().get(path);
    if (!reply) {
        exit = report_error(context, reply.error());
        return std::nullopt;
    }
    if (reply->status != kOk) {
        exit = report_refusal(context, *reply);
        return std::nullopt;
    }
    auto body = nlohmann::json::parse(reply->body, nullptr, false);
    if (body.is_discarded()) {
        exit = report_error(
            context,
            {.code = std::make_error_code(std::errc::bad_message), .context = "answer of vigiad"});
        return std::nullopt;
    }
    return body;
}

std::string printable_member(const nlohmann::json& object, const std::string& key) {
    return printable(text_member(object, key));
}

std::string sentence_member(const nlohmann::json& object, const std::string& key) {
    return harmless(text_member(object, key));
}

std::string local_time(const std::string& iso) {
    std::tm utc{};
    if (::strptime(iso.c_str(), "%Y-%m-%dT%H:%M:%S", &utc) == nullptr) {
        return iso;
    }
    const std::time_t seconds = ::timegm(&utc);
    std::tm local{};
    ::localtime_r(&seconds, &local);
    std::array<char, 64> text{};
    const auto length = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &local);
    return {text.data(), length};
}

std::string grouped(std::uint64_t number) {
    auto digits = std::to_string(number);
    for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
        digits.insert(static_cast<std::size_t>(at), ",");
    }
    return digits;
}

std::string bytes_text(std::uint64_t bytes) {
    constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
    constexpr double kStep = 1024;
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= kStep && unit + 1 < kUnits.size()) {
        value /= kStep;
        ++unit;
    }
    return unit == 0 ? fmt::format("{} B", bytes)
                     : fmt::format("{:.1f} {}", value, kUnits.at(unit));
}

}  // namespace vigia::cli
