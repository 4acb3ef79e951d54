// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/sha256.h"

// The closed message tables between the daemon and vigia-scand (zygote and workers) and vigia-hash.
// One message is one SEQPACKET packet: a 4-byte type, then fixed fields in host order, then bounded
// strings. decode_* are total: anything that is not exactly one known message is nothing.
namespace vigia::wire {

inline constexpr std::size_t kMaxPacket = 4096;
inline constexpr std::uint32_t kMaxFolders = 4;  // of definitions
inline constexpr std::uint32_t kMaxSlots = 64;   // of workers

// daemon → zygote. The first message; definition folders arrive as its descriptors.
struct LoadDefinitions {
    std::uint32_t folders = 0;
    std::uint32_t slots = 0;            // workers that may exist at once
    std::uint64_t worker_memory = 0;    // bytes beyond the engine
    std::uint64_t temporary_space = 0;  // bytes
};

// daemon → zygote; the worker's end of its socket is the descriptor.
struct SpawnWorker {
    std::uint32_t slot = 0;
};

// zygote → daemon
struct Loaded {
    std::uint64_t signatures = 0;
    std::int64_t built_unix = 0;  // 0: unknown
    std::string version;          // ≤ 64 bytes
    std::string sandbox;          // ≤ 256 bytes
};

struct LoadFailed {
    std::uint32_t cause = 0;  // index into kLoadFailures
    std::string file;         // ≤ 512 bytes
    std::string message;      // ≤ 1024 bytes
};

inline constexpr std::array<std::string_view, 4> kLoadFailures{
    "definitions-rejected", "no-definitions", "out-of-memory", "sandbox-failed"};

struct WorkerStarted {
    std::uint32_t slot = 0;
    std::int32_t pid = 0;  // in the daemon's pid namespace
};

struct WorkerEnded {
    std::uint32_t slot = 0;
    std::int32_t pid = 0;  // 0: it could not even be forked
    std::int32_t wait_status = 0;
};

// daemon → worker, with the file as descriptor
struct ScanFile {
    std::uint64_t id = 0;
    std::uint64_t size = 0;
    std::uint32_t archives = 1;
};

// worker → daemon
struct ScanDone {
    std::uint64_t id = 0;
    std::uint32_t outcome = 0;  // 0 clean, 1 infected, 2 error
    std::uint32_t limit_hit = 0;
    std::uint64_t bytes_scanned = 0;
    std::int32_t engine_error = 0;  // libclamav's code
    std::string text;               // threat name or error, ≤ 512 bytes
};

// daemon → vigia-hash, with the file as descriptor
struct HashFile {
    std::uint64_t id = 0;
};

struct HashDone {
    std::uint64_t id = 0;
    std::int32_t error = 0;  // errno
    std::uint64_t size = 0;
    Sha256 sha256;
};

using ToZygote = std::variant<LoadDefinitions, SpawnWorker>;
using FromZygote = std::variant<Loaded, LoadFailed, WorkerStarted, WorkerEnded>;

[[nodiscard]] std::vector<std::byte> encode(const ToZygote& message);
[[nodiscard]] std::vector<std::byte> encode(const FromZygote& message);
[[nodiscard]] std::vector<std::byte> encode(const ScanFile& message);
[[nodiscard]] std::vector<std::byte> encode(const ScanDone& message);
[[nodiscard]] std::vector<std::byte> encode(const HashFile& message);
[[nodiscard]] std::vector<std::byte> encode(const HashDone& message);

[[nodiscard]] std::optional<ToZygote> decode_to_zygote(std::span<const std::byte> packet);
[[nodiscard]] std::optional<FromZygote> decode_from_zygote(std::span<const std::byte> packet);
[[nodiscard]] std::optional<ScanFile> decode_scan_file(std::span<const std::byte> packet);
[[nodiscard]] std::optional<ScanDone> decode_scan_done(std::span<const std::byte> packet);
[[nodiscard]] std::optional<HashFile> decode_hash_file(std::span<const std::byte> packet);
[[nodiscard]] std::optional<HashDone> decode_hash_done(std::span<const std::byte> packet);

}  // namespace vigia::wire
