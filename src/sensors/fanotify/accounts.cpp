// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/fanotify/accounts.h"

#include <utility>

namespace vigia::sensors {

Tally& Tally::operator+=(const Tally& other) {
    read += other.read;
    delivered += other.delivered;
    overflows += other.overflows;
    for (std::size_t at = 0; at < filtered.size(); ++at) {
        filtered.at(at) += other.filtered.at(at);
    }
    return *this;
}

void Accounts::add(const Tally& batch) {
    const std::scoped_lock lock(mutex_);
    total_ += batch;
}

void Accounts::set_error(const std::string& reader, std::string error) {
    const std::scoped_lock lock(mutex_);
    errors_.insert_or_assign(reader, std::move(error));
}

void Accounts::tell(FileSensor::State& state) const {
    const std::scoped_lock lock(mutex_);
    state.read = total_.read;
    state.delivered = total_.delivered;
    state.overflows = total_.overflows;
    for (std::size_t at = 0; at < kReasonNames.size(); ++at) {
        state.filtered[std::string(kReasonNames.at(at))] = total_.filtered.at(at);
    }
    state.reading = !errors_.empty();
    state.error.clear();
    for (const auto& [reader, error] : errors_) {
        if (!error.empty()) {
            state.reading = false;
            state.error += state.error.empty() ? "" : "; ";
            state.error.append(reader).append(": ").append(error);
        }
    }
}

}  // namespace vigia::sensors
