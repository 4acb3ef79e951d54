// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/program_table.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <tuple>

namespace vigia::daemon {
namespace {

using Seconds = std::chrono::duration<double>;

std::int64_t second_of(BootTime at) {
    return std::chrono::floor<std::chrono::seconds>(at.time_since_epoch()).count();
}

bool in_window(std::int64_t second, std::int64_t now) {
    return second >= 0 && second <= now && now - second < CostWindow::kLength.count();
}

double part_of(double one, double all) {
    return all > 0 ? one / all : 0.0;
}

}  // namespace

Cost& Cost::operator+=(const Cost& more) {
    events += more.events;
    scans += more.scans;
    scanning += more.scanning;
    started += more.started;
    return *this;
}

double Cost::seconds() const {
    return static_cast<double>(events) * kSecondsPerEvent + Seconds(scanning).count();
}

void CostWindow::add(const Cost& cost, BootTime now) {
    const auto second = second_of(now);
    auto& slot = slots_.at(static_cast<std::size_t>(second) % slots_.size());
    if (slot.second != second) {
        slot = {.second = second, .cost = {}};
    }
    slot.cost += cost;
}

void CostWindow::add(const CostWindow& more) {
    for (std::size_t at = 0; at < slots_.size(); ++at) {
        const auto& theirs = more.slots_.at(at);
        auto& slot = slots_.at(at);
        if (theirs.second > slot.second) {
            slot = theirs;
        } else if (theirs.second == slot.second) {
            slot.cost += theirs.cost;
        }
    }
}

Cost CostWindow::sum(BootTime now) const {
    Cost sum;
    for (const auto& slot : slots_) {
        if (in_window(slot.second, second_of(now))) {
            sum += slot.cost;
        }
    }
    return sum;
}

void FadingCost::add(const Cost& cost, BootTime now) {
    seconds_ = seconds(now) + cost.seconds();
    at_ = std::max(at_, now);
}

double FadingCost::seconds(BootTime now) const {
    const auto age = Seconds(std::max(now - at_, BootTime::duration::zero())).count();
    return seconds_ * std::exp(-age / Seconds(kFades).count());
}

void BusyFolders::add(std::string_view folder, std::uint64_t times, BootTime now) {
    if (now - halved_at_ > CostWindow::kLength) {
        halved_at_ = now;
        for (auto& entry : entries_) {
            entry.times /= 2;
        }
        std::erase_if(entries_, [](const Entry& entry) { return entry.times == 0; });
        all_ /= 2;
    }
    all_ += times;
    const auto known = std::ranges::find(entries_, folder, &Entry::path);
    if (known != entries_.end()) {
        known->times += times;
    } else if (entries_.size() < kMost) {
        entries_.push_back({.path = std::string(folder), .times = times});
    } else {
        auto& least = *std::ranges::min_element(entries_, {}, &Entry::times);
        least.path = folder;
        least.times += times;
    }
}

std::vector<BusyFolders::Folder> BusyFolders::list() const {
    auto sorted = entries_;
    std::ranges::sort(sorted, [](const Entry& one, const Entry& other) {
        return std::tie(other.times, one.path) < std::tie(one.times, other.path);
    });
    std::vector<Folder> folders;
    for (auto& entry : sorted) {
        const auto part = part_of(static_cast<double>(entry.times), static_cast<double>(all_));
        folders.push_back({.path = std::move(entry.path), .part = std::min(part, 1.0)});
    }
    return folders;
}

std::size_t ProgramTable::Hash::operator()(const ProgramKey& key) const noexcept {
    constexpr std::size_t kOddFactor = 0x9e3779b97f4a7c15;  // the golden ratio: spreads the uid
    return std::hash<std::string>{}(key.path) ^ (key.uid * kOddFactor);
}

void ProgramTable::add(const ProgramKey& program,
                       const Cost& cost,
                       std::string_view folder,
                       BootTime now) {
    auto found = programs_.find(program);
    if (found == programs_.end()) {
        if (programs_.size() >= most_) {
            displace_one(now);
        }
        found = programs_.emplace(program, Entry{}).first;
    }
    auto& entry = found->second;
    entry.recent.add(cost, now);
    entry.lasting.add(cost, now);
    if (!folder.empty()) {
        entry.folders.add(folder, std::max<std::uint64_t>(cost.events, 1), now);
    }
}

void ProgramTable::displace_one(BootTime now) {
    const auto least = std::ranges::min_element(
        programs_, {}, [&](const auto& one) { return one.second.lasting.seconds(now); });
    others_.add(least->second.recent);
    programs_.erase(least);
    ++displaced_;
}

ProgramTable::Rows ProgramTable::rows(BootTime now) const {
    Rows rows{.programs = {}, .others = others_.sum(now), .displaced = displaced_};
    double recent = rows.others.seconds();
    double lasting = 0;
    for (const auto& [program, entry] : programs_) {
        Row row{.program = program,
                .recent = entry.recent.sum(now),
                .recent_share = 0,
                .lasting = entry.lasting.seconds(now),
                .lasting_share = 0,
                .folders = entry.folders.list()};
        recent += row.recent.seconds();
        lasting += row.lasting;
        rows.programs.push_back(std::move(row));
    }
    for (auto& row : rows.programs) {
        row.recent_share = part_of(row.recent.seconds(), recent);
        row.lasting_share = part_of(row.lasting, lasting);
    }
    rows.others_share = part_of(rows.others.seconds(), recent);
    // By name where they cost the same: two looks in a row show the same order.
    std::ranges::sort(rows.programs, [](const Row& one, const Row& other) {
        const auto left = std::tuple(-one.recent.seconds(), -one.lasting);
        const auto right = std::tuple(-other.recent.seconds(), -other.lasting);
        return left != right ? left < right
                             : std::tie(one.program.path, one.program.uid) <
                                   std::tie(other.program.path, other.program.uid);
    });
    return rows;
}

}  // namespace vigia::daemon
