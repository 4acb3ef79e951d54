// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "model/sha256.h"
#include "model/verdict.h"

namespace vigia::scan {

// Equal content that several lanes meet at once goes to the engine once: the first leads, the
// others wait for its verdict. Thread-safe.
class SingleFlight {
public:
    // What must be equal for a verdict to be the same. Urgent ones do not wait behind others.
    struct Key {
        Sha256 content;
        std::uint64_t epoch = 0;
        bool archives = true;
        bool urgent = false;

        auto operator<=>(const Key&) const = default;
    };

    // A place in the flight of one content. A leader that ends without publish() lets the others go
    // without a verdict. Used by one thread; must not outlive the SingleFlight.
    class Turn {
    public:
        Turn(Turn&& other) noexcept;
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;
        Turn& operator=(Turn&&) = delete;
        ~Turn();

        [[nodiscard]] bool leads() const noexcept { return leads_; }

        // For those that follow: nothing if the leader had none to share, or after the timeout.
        [[nodiscard]] std::optional<Verdict> wait(std::chrono::milliseconds timeout);

        // For the leader; the flight ends.
        void publish(std::optional<Verdict> verdict);

    private:
        friend class SingleFlight;
        struct Flight;
        Turn(SingleFlight* home, Key key, std::shared_ptr<Flight> flight, bool leads);

        SingleFlight* home_;
        Key key_;
        std::shared_ptr<Flight> flight_;  // none: alone, the table was full
        bool leads_;
    };

    [[nodiscard]] Turn join(const Key& key);

private:
    std::mutex mutex_;  // guards what follows and all flights
    std::condition_variable ended_;
    std::map<Key, std::shared_ptr<Turn::Flight>> flights_;
};

}  // namespace vigia::scan
