// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/crash_log.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace vigia::daemon {
namespace {

using nlohmann::json;

constexpr std::size_t kMost = 200;        // of this run
constexpr std::size_t kMostDurable = 50;  // each end writes them all

std::optional<Facts::Crash> crash_of(const json& one) {
    if (!one.is_object() || !one.contains("at") || !one["at"].is_number_integer() ||
        !one.contains("wall") || !one["wall"].is_number_integer()) {
        return std::nullopt;
    }
    const auto text = [&one](const char* key) {
        return one.contains(key) && one[key].is_string() ? one[key].get<std::string>()
                                                         : std::string{};
    };
    Facts::Crash crash{.at = BootTime{std::chrono::nanoseconds{one["at"].get<std::int64_t>()}},
                       .wall = WallTime{std::chrono::nanoseconds{one["wall"].get<std::int64_t>()}},
                       .how = text("how"),
                       .path = text("path"),
                       .sha256 = Sha256::parse(text("sha256"))};
    if (one.contains("size") && one["size"].is_number_unsigned()) {
        crash.size = one["size"].get<std::uint64_t>();
    }
    return crash;
}

}  // namespace

void CrashLog::restore(const std::string& record, WallTime wall, BootTime now) {
    const auto kept = json::parse(record, nullptr, false);
    if (!kept.is_object() || !kept.contains("crashes") || !kept["crashes"].is_array()) {
        return;
    }
    const bool same_boot = kept.value("boot", json{}) == boot_id_;
    const std::scoped_lock lock(mutex_);
    for (const auto& one : kept["crashes"]) {
        auto crash = crash_of(one);
        if (!crash) {
            continue;
        }
        if (!same_boot) {
            crash->at = now - std::max(wall - crash->wall, WallTime::duration::zero());
        }
        // Before this run's first one: restored at the start.
        if (crash->at <= now && crashes_.size() < kMost) {
            crashes_.push_back(*std::move(crash));
        }
    }
    std::ranges::stable_sort(crashes_, {}, &Facts::Crash::at);
}

std::string CrashLog::note(Facts::Crash crash) {
    const std::scoped_lock lock(mutex_);
    crashes_.push_back(std::move(crash));
    if (crashes_.size() > kMost) {
        crashes_.pop_front();
    }
    return record();
}

// With mutex_ held.
std::string CrashLog::record() const {
    json list = json::array();
    const auto skip = crashes_.size() - std::min(crashes_.size(), kMostDurable);
    for (auto at = skip; at < crashes_.size(); ++at) {
        const auto& crash = crashes_[at];
        json one{{"at", crash.at.time_since_epoch().count()},
                 {"wall", crash.wall.time_since_epoch().count()},
                 {"how", utf8_lossy(crash.how)},
                 {"path", utf8_lossy(crash.path)},
                 {"size", crash.size}};
        if (crash.sha256) {
            one["sha256"] = crash.sha256->hex();
        }
        list.push_back(std::move(one));
    }
    return json{{"boot", boot_id_}, {"crashes", std::move(list)}}.dump();
}

std::vector<Facts::Crash> CrashLog::list() const {
    const std::scoped_lock lock(mutex_);
    return {crashes_.begin(), crashes_.end()};
}

}  // namespace vigia::daemon
