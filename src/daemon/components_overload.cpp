// SPDX-License-Identifier: GPL-2.0-or-later
// What is looked at later, and what it takes to keep up: how the parts for it are introduced.
#include <fmt/format.h>

#include <cstdlib>

#include "base/files.h"
#include "daemon/components.h"
#include "host/mounts.h"

namespace vigia::daemon {
namespace {

constexpr const char* kWatermark = "watermark";
constexpr std::size_t kMostMountinfo = 16U << 20U;

// Of our mount namespace.
std::vector<Mount> own_mounts() {
    std::vector<std::string> ignored;
    const auto text = read_file("/proc/self/mountinfo", kMostMountinfo);
    return text ? host::parse_mountinfo(*text, ignored) : std::vector<Mount>{};
}

}  // namespace

void Components::make_walker() {
    walker_ = std::make_unique<Walker>(Walker::Hooks{
        .watched_folders = [this] { return policies_.current()->policy->files.watch; },
        .mounts = own_mounts,
        .is_watched =
            [this](const std::string& path) {
                const auto sensor = monitor_->sensor();
                return sensor && sensor->is_watched(path);
            },
        .offer = [this](FileActivity&& activity) { pipeline_->offer_found(std::move(activity)); },
        .has_room = [this] { return pipeline_->has_room(); },
        .is_busy = [this] { return overload_->is_busy(); },
        .full_walk = [this] { return policies_.current()->policy->overload.full_walk; },
        .oldest = [this] { return pipeline_->oldest(); },
        .now = [this] { return clock_.wall(); },
        .on_caught_up = [this](const Walker::Report& report) { overload_->on_caught_up(report); }});
}

void Components::make_overload_monitor() {
    overload_ = std::make_unique<OverloadMonitor>(
        OverloadMonitor::Parts{.policies = policies_,
                               .reporter = *reporter_,
                               .pipeline = *pipeline_,
                               .walker = *walker_,
                               .monitor = *monitor_,
                               .kernel = *kernel_,
                               .scans = [this] { return scanner_->state().state == "ready"; },
                               .busiest = [this] { return busiest_programs(); },
                               .changed = [this] { poke_health(); }});
}

// From the watermark: whatever the run before had not judged.
void Components::catch_up_after_start() {
    overload_->restore();
    if (const auto mark = journal_->value(kWatermark)) {
        const std::chrono::nanoseconds since{std::strtoll(mark->c_str(), nullptr, 10)};
        walker_->catch_up(WallTime{since});
        return;
    }
    // The first start: from here on, whatever happens, a restart knows where to begin.
    journal::Change change;
    change.values[kWatermark] = std::to_string(started_.time_since_epoch().count());
    reporter_->commit(std::move(change));
}

void Components::move_watermark() {
    // While nothing happens an older mark says the same, and each move costs a write to the disk.
    constexpr std::chrono::minutes kLongest{1};
    const auto offered = pipeline_->counters().offered;
    const auto now = BootClock::now();
    const bool due = !moved_at_ || offered != offered_at_move_ || now - *moved_at_ >= kLongest;
    if (due && pipeline_->idle() && !walker_->state().catching_up) {
        moved_at_ = now;
        offered_at_move_ = offered;
        // What changed in the last moments may be on its way here still.
        constexpr std::chrono::seconds kOnItsWay{5};
        journal::Change change;
        change.values[kWatermark] =
            std::to_string((clock_.wall() - kOnItsWay).time_since_epoch().count());
        reporter_->commit(std::move(change));
    }
    (void)cache_->flush();
}

}  // namespace vigia::daemon
