// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/log.h"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <memory>
#include <vector>

namespace vigia::log {
namespace {

constexpr std::size_t kRotateAt = std::size_t{10} * 1024 * 1024;  // bytes
constexpr std::size_t kKeepFiles = 5;

struct Name {
    std::string_view text;
    Level level;
    spdlog::level::level_enum library;
};

constexpr std::array kNames{
    Name{"debug", Level::Debug, spdlog::level::debug},
    Name{"info", Level::Info, spdlog::level::info},
    Name{"warning", Level::Warning, spdlog::level::warn},
    Name{"error", Level::Error, spdlog::level::err},
};

}  // namespace

Result<> open(const Options& options) {
    try {
        std::vector<spdlog::sink_ptr> sinks;
        if (!options.file.empty()) {
            sinks.push_back(std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
                options.file.string(), kRotateAt, kKeepFiles));
        }
        if (options.to_stderr || sinks.empty()) {
            sinks.push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
        }
        auto logger = std::make_shared<spdlog::logger>("vigia", sinks.begin(), sinks.end());
        logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
        for (const auto& name : kNames) {
            if (name.level == options.level) {
                logger->set_level(name.library);
            }
        }
        logger->flush_on(spdlog::level::info);
        spdlog::set_default_logger(std::move(logger));
    } catch (const spdlog::spdlog_ex& error) {
        return fail(std::errc::io_error, std::string("open log: ") + error.what());
    }
    return {};
}

void debug(std::string_view message) {
    spdlog::debug("{}", message);
}

void info(std::string_view message) {
    spdlog::info("{}", message);
}

void warning(std::string_view message) {
    spdlog::warn("{}", message);
}

void error(std::string_view message) {
    spdlog::error("{}", message);
}

Result<Level> parse_level(std::string_view name) {
    for (const auto& known : kNames) {
        if (known.text == name) {
            return known.level;
        }
    }
    return fail(std::errc::invalid_argument,
                "log level '" + std::string(name) + "' (known: debug, info, warning, error)");
}

}  // namespace vigia::log
