// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "sinks/sink.h"

namespace vigia::sinks {

// events.jsonl: each event exactly once (hard-parts 15). One thread at a time; blocking. The folder
// must be there; new files get mode 0640 and the folder's group.
class JsonlSink : public Sink {
public:
    struct Options {
        std::filesystem::path file;                              // 0640
        std::uint64_t rotate_bytes = std::uint64_t{100} << 20U;  // a batch may be split for it
        unsigned keep = 5;  // events.jsonl.1 is the newest rotated one; 0: none kept
    };

    struct Resume {
        std::string epoch;  // of the last complete line; empty: no line found
        std::uint64_t sequence = 0;
        std::uint64_t torn_bytes = 0;  // cut from the end
    };

    // Cuts what follows the last complete event (a torn line) and finds that event, in the newest
    // rotated file if the current one is empty. A file without any event in its last 16 MiB is none
    // of ours: it is renamed to `<file>.damaged-<utc>` and a new one begun.
    [[nodiscard]] static Result<std::unique_ptr<JsonlSink>> open(Options options);

    // What open() found. In another epoch than the journal's, or none: begin at the position that
    // the journal holds for this sink.
    [[nodiscard]] virtual const Resume& resume() const = 0;

    // Appends the lines and fdatasyncs; a short write is truncated back and an error returned, with
    // nothing of that write in the file. A file that was deleted, replaced, rotated or cut by
    // somebody else is begun anew. Rotates by size. Events that stand in the file already (same
    // epoch, number not above the last) are left out, so a batch may be given again.
    [[nodiscard]] Result<std::uint64_t> deliver(std::span<const StoredEvent> events) override = 0;
};

}  // namespace vigia::sinks
