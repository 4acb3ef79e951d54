// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/single_flight.h"

#include <utility>

namespace vigia::scan {
namespace {

// Far more than there are lanes; beyond it everybody scans for himself.
constexpr std::size_t kMaxFlights = 1024;

}  // namespace

struct SingleFlight::Turn::Flight {
    bool ended = false;
    std::optional<Verdict> verdict = {};
};

SingleFlight::Turn::Turn(SingleFlight* home, Key key, std::shared_ptr<Flight> flight, bool leads)
    : home_(home), key_(key), flight_(std::move(flight)), leads_(leads) {}

SingleFlight::Turn::Turn(Turn&& other) noexcept
    : home_(other.home_),
      key_(other.key_),
      flight_(std::move(other.flight_)),
      leads_(std::exchange(other.leads_, false)) {}

SingleFlight::Turn::~Turn() {
    if (leads_) {
        publish(std::nullopt);
    }
}

std::optional<Verdict> SingleFlight::Turn::wait(std::chrono::milliseconds timeout) {
    std::unique_lock lock(home_->mutex_);
    home_->ended_.wait_for(lock, timeout, [this] { return flight_->ended; });
    return flight_->verdict;
}

void SingleFlight::Turn::publish(std::optional<Verdict> verdict) {
    leads_ = false;
    if (!flight_) {
        return;
    }
    {
        const std::scoped_lock lock(home_->mutex_);
        flight_->verdict = std::move(verdict);
        flight_->ended = true;
        home_->flights_.erase(key_);
    }
    if (flight_.use_count() > 1) {
        home_->ended_.notify_all();
    }
}

SingleFlight::Turn SingleFlight::join(const Key& key) {
    const std::scoped_lock lock(mutex_);
    if (const auto found = flights_.find(key); found != flights_.end()) {
        return {this, key, found->second, false};
    }
    if (flights_.size() >= kMaxFlights) {
        return {this, key, nullptr, true};
    }
    auto flight = std::make_shared<Turn::Flight>();
    flights_.emplace(key, flight);
    return {this, key, std::move(flight), true};
}

}  // namespace vigia::scan
