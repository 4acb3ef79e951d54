// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "model/event.h"

namespace vigia::sinks {

// Where events go. One thread at a time; blocking.
class Sink {
public:
    Sink() = default;
    Sink(const Sink&) = delete;
    Sink& operator=(const Sink&) = delete;
    virtual ~Sink() = default;

    // Returns the last sequence that has arrived: less than the last of `events` when an error came
    // in between, then give the rest again.
    [[nodiscard]] virtual Result<std::uint64_t> deliver(std::span<const StoredEvent> events) = 0;

    // How often the place was found taken away by somebody else, and begun anew.
    [[nodiscard]] virtual std::uint64_t renewals() const { return 0; }
};

}  // namespace vigia::sinks
