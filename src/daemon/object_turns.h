// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <unordered_set>
#include <utility>

#include "model/file_identity.h"

namespace vigia::daemon {

// One at a time for each object: who comes second waits. Thread-safe; holds as many objects as
// threads have turns.
class ObjectTurns {
public:
    // Ends with its destruction. Must not outlive the ObjectTurns it is of.
    class Turn {
    public:
        Turn(ObjectTurns* turns, ObjectId object) : turns_(turns), object_(std::move(object)) {}

        ~Turn();
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;

        Turn(Turn&& other) noexcept
            : turns_(std::exchange(other.turns_, nullptr)), object_(std::move(other.object_)) {}

        Turn& operator=(Turn&&) = delete;

    private:
        ObjectTurns* turns_;
        ObjectId object_;
    };

    // Nothing if the other one takes longer than `longest`. An object without a handle cannot be
    // told from others and waits for nobody.
    [[nodiscard]] std::optional<Turn> take(const ObjectId& object,
                                           std::chrono::milliseconds longest);

private:
    std::mutex mutex_;  // guards what follows
    std::condition_variable ended_;
    std::unordered_set<ObjectId> taken_;
};

}  // namespace vigia::daemon
