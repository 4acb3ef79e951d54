// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/scan_protocol.h"

#include <algorithm>
#include <concepts>
#include <cstring>
#include <utility>

namespace vigia::wire {
namespace {

// A packet's first four bytes. Never reused: an old child must not be misread by a new daemon.
enum class Type : std::uint32_t {
    LoadDefinitions = 1,
    SpawnWorker = 2,
    Loaded = 16,
    LoadFailed = 17,
    WorkerStarted = 18,
    WorkerEnded = 19,
    ScanFile = 32,
    ScanDone = 33,
    HashFile = 48,
    HashDone = 49,
};

constexpr std::size_t kMaxVersion = 64;
constexpr std::size_t kMaxSandbox = 256;
constexpr std::size_t kMaxFile = 512;
constexpr std::size_t kMaxMessage = 1024;
constexpr std::size_t kMaxText = 512;
constexpr std::uint32_t kMaxOutcome = 2;

// A string and the bound it has on the wire.
template <std::size_t Limit, typename String>
struct Bounded {
    String& text;
};

template <std::size_t Limit, typename String>
Bounded<Limit, String> bounded(String& text) {
    return {text};
}

class Writer {
public:
    explicit Writer(Type type) { (*this)(std::to_underlying(type)); }

    template <std::integral T>
    void operator()(const T& value) {
        append(&value, sizeof value);
    }

    void operator()(const Sha256& digest) { append(digest.bytes.data(), digest.bytes.size()); }

    // What is longer than the bound is cut: a message too long for the peer must still arrive.
    template <std::size_t Limit>
    void operator()(Bounded<Limit, const std::string> string) {
        const auto size = static_cast<std::uint32_t>(std::min(string.text.size(), Limit));
        (*this)(size);
        append(string.text.data(), size);
    }

    [[nodiscard]] std::vector<std::byte> take() const {
        return {bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(size_)};
    }

private:
    // Every message fits: its strings are cut to their bounds (tested with the largest ones).
    void append(const void* data, std::size_t size) {
        const std::size_t fitting = std::min(size, bytes_.size() - size_);
        if (fitting > 0) {
            std::memcpy(bytes_.data() + size_, data, fitting);
        }
        size_ += fitting;
    }

    std::array<std::byte, kMaxPacket> bytes_{};
    std::size_t size_ = 0;
};

class Reader {
public:
    explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}

    template <std::integral T>
    void operator()(T& value) {
        take(&value, sizeof value);
    }

    void operator()(Sha256& digest) { take(digest.bytes.data(), digest.bytes.size()); }

    template <std::size_t Limit>
    void operator()(Bounded<Limit, std::string> string) {
        std::uint32_t size = 0;
        (*this)(size);
        if (size > Limit || size > rest_.size()) {
            ok_ = false;
            return;
        }
        string.text.resize(size);
        take(string.text.data(), size);
    }

    // Everything was there, and nothing is left over.
    [[nodiscard]] bool complete() const { return ok_ && rest_.empty(); }

private:
    void take(void* into, std::size_t size) {
        if (!ok_ || rest_.size() < size) {
            ok_ = false;
            return;
        }
        if (size > 0) {
            std::memcpy(into, rest_.data(), size);
        }
        rest_ = rest_.subspan(size);
    }

    std::span<const std::byte> rest_;
    bool ok_ = true;
};

// Each message once, for both directions: its type, its fields in order (`message` is const when
// written), and what a value may be beyond fitting its field; a peer that breaks that is hostile.
template <typename M>
struct Layout;

template <>
struct Layout<LoadDefinitions> {
    static constexpr Type kType = Type::LoadDefinitions;

    static void visit(auto& message, auto& field) {
        field(message.folders);
        field(message.slots);
        field(message.worker_memory);
        field(message.temporary_space);
    }

    static bool is_valid(const LoadDefinitions& message) {
        return message.folders >= 1 && message.folders <= kMaxFolders && message.slots >= 1 &&
               message.slots <= kMaxSlots;
    }
};

template <>
struct Layout<SpawnWorker> {
    static constexpr Type kType = Type::SpawnWorker;

    static void visit(auto& message, auto& field) { field(message.slot); }

    static bool is_valid(const SpawnWorker& message) { return message.slot < kMaxSlots; }
};

template <>
struct Layout<Loaded> {
    static constexpr Type kType = Type::Loaded;

    static void visit(auto& message, auto& field) {
        field(message.signatures);
        field(message.built_unix);
        field(bounded<kMaxVersion>(message.version));
        field(bounded<kMaxSandbox>(message.sandbox));
    }

    static bool is_valid(const Loaded& /*message*/) { return true; }
};

template <>
struct Layout<LoadFailed> {
    static constexpr Type kType = Type::LoadFailed;

    static void visit(auto& message, auto& field) {
        field(message.cause);
        field(bounded<kMaxFile>(message.file));
        field(bounded<kMaxMessage>(message.message));
    }

    static bool is_valid(const LoadFailed& message) { return message.cause < kLoadFailures.size(); }
};

template <>
struct Layout<WorkerStarted> {
    static constexpr Type kType = Type::WorkerStarted;

    static void visit(auto& message, auto& field) {
        field(message.slot);
        field(message.pid);
    }

    static bool is_valid(const WorkerStarted& message) {
        return message.slot < kMaxSlots && message.pid > 0;
    }
};

template <>
struct Layout<WorkerEnded> {
    static constexpr Type kType = Type::WorkerEnded;

    static void visit(auto& message, auto& field) {
        field(message.slot);
        field(message.pid);
        field(message.wait_status);
    }

    static bool is_valid(const WorkerEnded& message) {
        return message.slot < kMaxSlots && message.pid >= 0;
    }
};

template <>
struct Layout<ScanFile> {
    static constexpr Type kType = Type::ScanFile;

    static void visit(auto& message, auto& field) {
        field(message.id);
        field(message.size);
        field(message.archives);
    }

    static bool is_valid(const ScanFile& message) { return message.archives <= 1; }
};

template <>
struct Layout<ScanDone> {
    static constexpr Type kType = Type::ScanDone;

    static void visit(auto& message, auto& field) {
        field(message.id);
        field(message.outcome);
        field(message.limit_hit);
        field(message.bytes_scanned);
        field(message.engine_error);
        field(bounded<kMaxText>(message.text));
    }

    static bool is_valid(const ScanDone& message) {
        return message.outcome <= kMaxOutcome && message.limit_hit <= 1;
    }
};

template <>
struct Layout<HashFile> {
    static constexpr Type kType = Type::HashFile;

    static void visit(auto& message, auto& field) { field(message.id); }

    static bool is_valid(const HashFile& /*message*/) { return true; }
};

template <>
struct Layout<HashDone> {
    static constexpr Type kType = Type::HashDone;

    static void visit(auto& message, auto& field) {
        field(message.id);
        field(message.error);
        field(message.size);
        field(message.sha256);
    }

    static bool is_valid(const HashDone& message) { return message.error >= 0; }
};

template <typename M>
std::vector<std::byte> write(const M& message) {
    Writer writer(Layout<M>::kType);
    Layout<M>::visit(message, writer);
    return writer.take();
}

template <typename M>
std::optional<M> read(std::span<const std::byte> packet) {
    M message;
    Reader reader(packet);
    std::uint32_t type = 0;
    reader(type);
    if (type != std::to_underlying(Layout<M>::kType)) {
        return std::nullopt;
    }
    Layout<M>::visit(message, reader);
    if (!reader.complete() || !Layout<M>::is_valid(message)) {
        return std::nullopt;
    }
    return message;
}

// The first alternative that the packet is; types differ, so at most one fits.
template <typename... Messages>
std::optional<std::variant<Messages...>> read_one_of(std::span<const std::byte> packet,
                                                     const std::variant<Messages...>* /*shape*/) {
    std::optional<std::variant<Messages...>> found;
    const auto attempt = [&]<typename M>() {
        if (auto message = read<M>(packet)) {
            found = *std::move(message);
        }
        return found.has_value();
    };
    (void)(attempt.template operator()<Messages>() || ...);
    return found;
}

constexpr auto kWriteMessage = [](const auto& message) { return write(message); };

}  // namespace

std::vector<std::byte> encode(const ToZygote& message) {
    return std::visit(kWriteMessage, message);
}

std::vector<std::byte> encode(const FromZygote& message) {
    return std::visit(kWriteMessage, message);
}

std::vector<std::byte> encode(const ScanFile& message) {
    return write(message);
}

std::vector<std::byte> encode(const ScanDone& message) {
    return write(message);
}

std::vector<std::byte> encode(const HashFile& message) {
    return write(message);
}

std::vector<std::byte> encode(const HashDone& message) {
    return write(message);
}

std::optional<ToZygote> decode_to_zygote(std::span<const std::byte> packet) {
    return read_one_of(packet, static_cast<const ToZygote*>(nullptr));
}

std::optional<FromZygote> decode_from_zygote(std::span<const std::byte> packet) {
    return read_one_of(packet, static_cast<const FromZygote*>(nullptr));
}

std::optional<ScanFile> decode_scan_file(std::span<const std::byte> packet) {
    return read<ScanFile>(packet);
}

std::optional<ScanDone> decode_scan_done(std::span<const std::byte> packet) {
    return read<ScanDone>(packet);
}

std::optional<HashFile> decode_hash_file(std::span<const std::byte> packet) {
    return read<HashFile>(packet);
}

std::optional<HashDone> decode_hash_done(std::span<const std::byte> packet) {
    return read<HashDone>(packet);
}

}  // namespace vigia::wire
