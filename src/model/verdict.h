// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "model/sha256.h"

namespace vigia {

// An error is never a detection, and never "clean".
enum class VerdictKind : std::uint8_t {
    Clean,
    Infected,
    Unscannable,  // this content cannot be judged: kills workers, too large, encrypted beyond
                  // policy
    Failed,       // not judged this time: could not be read, service not ready, out of time
};

enum class VerdictSource : std::uint8_t {
    Engine,
    IdentityCache,
    ContentCache,
    AllowList,
    BlockList
};

struct Verdict {
    VerdictKind kind = VerdictKind::Failed;
    VerdictSource source = VerdictSource::Engine;
    std::string threat = {};  // name of the signature; only when Infected
    std::string reason = {};  // short stable word (`kills-workers`, `timeout`, `too-large`,
                              // `read-error`, `service-not-ready`, …); when Unscannable or Failed
    std::string detail = {};  // for people
    bool limit_hit = false;  // the engine stopped early (size, recursion): clean "as far as looked"
    std::optional<Sha256> sha256 = {};
    std::uint64_t size = 0;  // bytes of the content judged
    // That a worker was busy with it, attempts that failed included. Of this time only: what is
    // remembered has none.
    std::chrono::nanoseconds engine_time = {};
};

[[nodiscard]] constexpr const char* to_string(VerdictKind kind) noexcept {
    switch (kind) {
        case VerdictKind::Clean:
            return "clean";
        case VerdictKind::Infected:
            return "infected";
        case VerdictKind::Unscannable:
            return "unscannable";
        case VerdictKind::Failed:
            return "failed";
    }
    return "unknown";
}

}  // namespace vigia
