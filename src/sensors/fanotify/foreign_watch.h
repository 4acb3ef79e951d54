// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>

#include "base/result.h"
#include "sensors/fanotify/layout.h"
#include "sensors/fanotify/shared.h"

namespace vigia::sensors {

// Network file systems and FUSE: descriptor mode on a thread of its own, because there every call
// can hang in the kernel for as long as somebody else likes (hard-parts 5), even the read of an
// event, which opens the file. Such a thread cannot be ended; it is left behind, and does no more
// than wait.
class ForeignWatch {
public:
    // Error: errno of fanotify_init or eventfd.
    [[nodiscard]] static Result<std::unique_ptr<ForeignWatch>> create(
        const std::shared_ptr<Shared>& shared);

    ForeignWatch(const ForeignWatch&) = delete;
    ForeignWatch& operator=(const ForeignWatch&) = delete;
    // Within 100 ms.
    ~ForeignWatch();

    // Returns at once; the marks are made and removed by the thread.
    void apply(const Devices& devices);

    // What became of the marks of the last apply: 0 or the errno of each device; one that is not in
    // it has not answered yet.
    [[nodiscard]] std::map<dev_t, int> results() const;

private:
    struct State;

    explicit ForeignWatch(std::shared_ptr<State> state) : state_(std::move(state)) {}

    std::shared_ptr<State> state_;
};

}  // namespace vigia::sensors
