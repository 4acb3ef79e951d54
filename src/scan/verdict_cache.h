// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/file_identity.h"
#include "model/sha256.h"
#include "model/verdict.h"

namespace vigia::scan {

// Two bounded tables (least recently used goes first): identity → verdict and SHA-256 → verdict,
// both valid only for the generation of definitions they were made under. Only Clean, Infected and
// Unscannable `kills-workers` are kept. Kept on disk between runs (SQLite, losing it costs time
// only). Thread-safe.
class VerdictCache {
public:
    struct Options {
        std::filesystem::path file = {};   // empty: memory only
        std::size_t identities = 500'000;  // about 250 bytes each
        std::size_t contents = 500'000;
    };

    struct Counters {
        std::uint64_t identity_hits = 0;
        std::uint64_t identity_misses = 0;
        std::uint64_t content_hits = 0;
        std::uint64_t content_misses = 0;
        std::size_t identities = 0;
        std::size_t contents = 0;
    };

    // A damaged or foreign file is set aside (renamed to *.damaged-N) and a new one begun. A file
    // in use by another daemon is an error (device_or_resource_busy). It is read by a private
    // thread, so that the start does not wait for it (about 1.5 s of CPU for the default bounds);
    // the first set_generation() or forget() does, for what is left of it.
    [[nodiscard]] static Result<std::unique_ptr<VerdictCache>> open(Options options);
    virtual ~VerdictCache() = default;

    // Drops what was learnt under another generation (which includes the policy's scan options).
    // Before the first call nothing is found and nothing is remembered. Does not touch the file.
    virtual void set_generation(std::string_view generation) = 0;

    // Changes with the generation. Take it before judging and hand it to remember(): a verdict that
    // was begun under older definitions is then not kept under the new ones.
    using Epoch = std::uint64_t;
    [[nodiscard]] virtual Epoch epoch() const = 0;

    [[nodiscard]] virtual std::optional<Verdict> find(const FileIdentity& identity) = 0;
    [[nodiscard]] virtual std::optional<Verdict> find(const Sha256& content) = 0;

    // `persistent`: the identity may be believed after a restart.
    virtual void remember(const FileIdentity& identity,
                          const Verdict& verdict,
                          bool persistent,
                          Epoch learnt_in) = 0;
    virtual void remember(const Sha256& content, const Verdict& verdict, Epoch learnt_in) = 0;

    void remember(const FileIdentity& identity, const Verdict& verdict, bool persistent) {
        remember(identity, verdict, persistent, epoch());
    }

    void remember(const Sha256& content, const Verdict& verdict) {
        remember(content, verdict, epoch());
    }

    virtual void forget(const ObjectId& object) = 0;
    virtual void forget(FileSystemId fs) = 0;  // unmounted

    // Writes what is not on disk yet; called every few seconds off the loop, and at the end.
    [[nodiscard]] virtual Result<> flush() = 0;

    [[nodiscard]] virtual Counters counters() const = 0;
};

}  // namespace vigia::scan
