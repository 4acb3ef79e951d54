// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/service/zygote.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <system_error>
#include <utility>

#include "base/seqpacket.h"
#include "base/text.h"
#include "scan/service/child.h"
#include "scan/service/process_facts.h"

namespace vigia::scan::detail {
namespace {

// The zygote reads its socket whenever it does not load.
constexpr std::chrono::milliseconds kSendTimeout{500};

std::unexpected<std::string> violation(std::string_view what) {
    return std::unexpected(fmt::format("protocol violation: {}", what));
}

}  // namespace

Result<Zygote> Zygote::start(const ScanService::Options& options,
                             const ScanService::DefinitionSet& set,
                             std::uint64_t serial) {
    auto child = TRY(start_child(options.program, options.user));
    std::vector<int> folders;
    folders.reserve(set.folders.size());
    for (const auto& folder : set.folders) {
        folders.push_back(folder.get());
    }
    const auto packet = wire::encode(
        wire::ToZygote{wire::LoadDefinitions{.folders = static_cast<std::uint32_t>(folders.size()),
                                             .slots = kSlots,
                                             .worker_memory = options.worker_memory,
                                             .temporary_space = options.temporary_space}});
    TRY(seqpacket::send(child.socket.get(), packet, folders, kSendTimeout),
        "give it the definitions");
    return Zygote(std::move(child.process), std::move(child.socket), serial);
}

Zygote::Zygote(Subprocess process, UniqueFd socket, std::uint64_t serial)
    : process_(std::move(process)), socket_(std::move(socket)), serial_(serial) {}

Result<> Zygote::spawn() {
    const auto slot =
        std::ranges::find_if(slots_, [](const Slot& s) { return s.use == Slot::Use::Free; });
    if (slot == slots_.end()) {
        return fail(std::errc::resource_unavailable_try_again, "start a worker: no free slot");
    }
    auto [ours, its] = TRY(seqpacket::pair(), "start a worker");
    const auto index = static_cast<std::uint32_t>(slot - slots_.begin());
    const auto packet = wire::encode(wire::ToZygote{wire::SpawnWorker{.slot = index}});
    const int descriptor = its.get();
    TRY(seqpacket::send(socket_.get(), packet, std::span(&descriptor, 1), kSendTimeout),
        "start a worker");
    slot->use = Slot::Use::Starting;
    slot->socket = std::move(ours);
    slot->asked = BootClock::now();
    return {};
}

std::expected<std::optional<Zygote::Event>, std::string> Zygote::next() {
    std::array<std::byte, wire::kMaxPacket> buffer{};
    auto received = seqpacket::receive(socket_.get(), buffer, std::chrono::milliseconds{0});
    if (!received) {
        const auto code = received.error().code;
        if (code == std::errc::timed_out) {
            return std::nullopt;
        }
        if (code == std::errc::message_size) {
            return violation("oversized packet");
        }
        return Closed{};
    }
    if (received->size == 0) {
        return Closed{};
    }
    auto message = wire::decode_from_zygote(std::span(buffer).first(received->size));
    if (!message) {
        return violation("malformed message");
    }
    return std::visit([&](auto& known) { return take(std::move(known), received->descriptors); },
                      *message);
}

Zygote::Taken Zygote::take(wire::Loaded message, Descriptors& descriptors) {
    if (std::exchange(answered_, true) || !descriptors.empty()) {
        return violation("'loaded' out of turn");
    }
    message.version = printable(message.version);
    message.sandbox = printable(message.sandbox);
    return message;
}

Zygote::Taken Zygote::take(wire::LoadFailed message, Descriptors& descriptors) {
    if (std::exchange(answered_, true) || !descriptors.empty()) {
        return violation("'load failed' out of turn");
    }
    if (message.cause >= wire::kLoadFailures.size()) {
        return violation("unknown cause of a failed load");
    }
    message.file = printable(message.file);
    message.message = printable(message.message);
    return message;
}

Zygote::Taken Zygote::take(const wire::WorkerStarted& message, Descriptors& descriptors) {
    if (message.slot >= kSlots || slots_.at(message.slot).use != Slot::Use::Starting) {
        return violation("a worker that was not asked for");
    }
    if (descriptors.size() != 1) {
        return violation("a worker without its pidfd");
    }
    if (auto why = doubt(message.pid, descriptors.front().get())) {
        return violation(*why);
    }
    Slot& slot = slots_.at(message.slot);
    slot.use = Slot::Use::Running;
    slot.pid = message.pid;
    return Started{.worker = {.engine = serial_,
                              .slot = message.slot,
                              .pid = message.pid,
                              .socket = std::move(slot.socket),
                              .pidfd = std::move(descriptors.front())}};
}

// A zygote that could make us believe in a pidfd could make us kill any process.
std::optional<std::string> Zygote::doubt(pid_t pid, int pidfd) const {
    const auto behind = pid_behind(pidfd);
    if (!behind) {
        return "a worker with something else than its pidfd";
    }
    if (!*behind) {
        return std::nullopt;  // ended and reaped meanwhile: nobody can be hit by it
    }
    if (**behind != pid) {
        return fmt::format("said worker {}, sent the pidfd of {}", pid, **behind);
    }
    const auto parent = parent_of(pid);
    // Only if it still lives now was it this process that we looked at.
    if (has_ended(pidfd)) {
        return std::nullopt;
    }
    if (!parent || *parent != process_.pid()) {
        return fmt::format("process {} is not its child", pid);
    }
    return std::nullopt;
}

Zygote::Taken Zygote::take(const wire::WorkerEnded& message, Descriptors& descriptors) {
    if (message.slot >= kSlots || !descriptors.empty()) {
        return violation("the end of an unknown worker");
    }
    Slot& slot = slots_.at(message.slot);
    // A worker that ended before it was reported as started has no pid that we know.
    if (slot.use == Slot::Use::Free ||
        (slot.use == Slot::Use::Running && slot.pid != message.pid)) {
        return violation("the end of an unknown worker");
    }
    slot = Slot{};
    return Ended{.slot = message.slot, .wait_status = message.wait_status};
}

unsigned Zygote::starting() const noexcept {
    return static_cast<unsigned>(std::ranges::count_if(
        slots_, [](const Slot& slot) { return slot.use == Slot::Use::Starting; }));
}

std::optional<BootTime> Zygote::starting_since() const noexcept {
    std::optional<BootTime> first;
    for (const Slot& slot : slots_) {
        if (slot.use == Slot::Use::Starting && (!first || slot.asked < *first)) {
            first = slot.asked;
        }
    }
    return first;
}

}  // namespace vigia::scan::detail
