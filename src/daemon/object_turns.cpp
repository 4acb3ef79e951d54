// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/object_turns.h"

namespace vigia::daemon {

std::optional<ObjectTurns::Turn> ObjectTurns::take(const ObjectId& object,
                                                   std::chrono::milliseconds longest) {
    if (object.handle.bytes.empty()) {
        return std::optional<Turn>(std::in_place, nullptr, object);
    }
    std::unique_lock lock(mutex_);
    if (!ended_.wait_for(lock, longest, [&] { return !taken_.contains(object); })) {
        return std::nullopt;
    }
    taken_.insert(object);
    return std::optional<Turn>(std::in_place, this, object);
}

ObjectTurns::Turn::~Turn() {
    if (turns_ == nullptr) {
        return;
    }
    const std::scoped_lock lock(turns_->mutex_);
    turns_->taken_.erase(object_);
    turns_->ended_.notify_all();
}

}  // namespace vigia::daemon
