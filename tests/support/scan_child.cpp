// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/scan_child.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <fstream>
#include <utility>

#include "base/seqpacket.h"

namespace vigia::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kStep = 30s;

}  // namespace

UniqueFd open_to_read(const std::filesystem::path& path) {
    UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    EXPECT_TRUE(file) << path;
    return file;
}

std::optional<wire::ScanDone> ScanWorker::scan(const std::filesystem::path& file,
                                               std::chrono::milliseconds timeout) const {
    const auto opened = open_to_read(file);
    return scan(opened.get(), timeout);
}

std::optional<wire::ScanDone> ScanWorker::scan(int file, std::chrono::milliseconds timeout) const {
    struct stat status{};
    EXPECT_EQ(::fstat(file, &status), 0);
    const wire::ScanFile request{.id = static_cast<std::uint64_t>(file) + 1000,
                                 .size = static_cast<std::uint64_t>(status.st_size),
                                 .archives = 1};
    const auto sent = seqpacket::send(socket.get(), wire::encode(request), std::array{file}, kStep);
    EXPECT_TRUE(sent) << sent.error().message();
    std::array<std::byte, wire::kMaxPacket> buffer{};
    const auto got = seqpacket::receive(socket.get(), buffer, timeout);
    if (!got || got->size == 0) {
        return std::nullopt;
    }
    auto done = wire::decode_scan_done(std::span(buffer).first(got->size));
    EXPECT_TRUE(done && done->id == request.id) << "not an answer to this request";
    EXPECT_TRUE(got->descriptors.empty());
    return done;
}

ScanZygote::ScanZygote(Options options) : options_(std::move(options)) {
    auto ends = seqpacket::pair();
    EXPECT_TRUE(ends);
    auto process =
        Subprocess::start({.program = options_.program,
                           .arguments = {"--socket-fd", "3", "--user", options_.user},
                           .descriptors = {{ends->second.get(), 3}, {STDERR_FILENO, 2}}});
    EXPECT_TRUE(process) << process.error().message();
    socket_ = std::move(ends->first);
    process_ = *std::move(process);
}

wire::FromZygote ScanZygote::load(const std::vector<std::filesystem::path>& folders) {
    std::vector<UniqueFd> opened;
    std::vector<int> numbers;
    for (const auto& folder : folders) {
        opened.push_back(open_to_read(folder));
        numbers.push_back(opened.back().get());
    }
    const wire::ToZygote order =
        wire::LoadDefinitions{.folders = static_cast<std::uint32_t>(folders.size()),
                              .slots = 2,
                              .worker_memory = options_.worker_memory,
                              .temporary_space = options_.temporary_space};
    EXPECT_TRUE(seqpacket::send(socket_.get(), wire::encode(order), numbers, kStep));
    const auto answer = next(60s);
    EXPECT_TRUE(answer) << "the zygote says nothing";
    return answer.value_or(wire::LoadFailed{.cause = 0, .file = {}, .message = "no answer"});
}

ScanWorker ScanZygote::spawn(std::uint32_t slot) {
    auto ends = seqpacket::pair();
    EXPECT_TRUE(ends);
    const wire::ToZygote order = wire::SpawnWorker{.slot = slot};
    EXPECT_TRUE(
        seqpacket::send(socket_.get(), wire::encode(order), std::array{ends->second.get()}, kStep));
    ends->second.reset();
    std::array<std::byte, wire::kMaxPacket> buffer{};
    auto got = seqpacket::receive(socket_.get(), buffer, kStep);
    EXPECT_TRUE(got && got->descriptors.size() == 1) << "no worker with a pidfd";
    ScanWorker worker{.slot = slot, .socket = std::move(ends->first)};
    const auto message = got ? wire::decode_from_zygote(std::span(buffer).first(got->size))
                             : std::optional<wire::FromZygote>{};
    const auto* started = message ? std::get_if<wire::WorkerStarted>(&*message) : nullptr;
    EXPECT_TRUE(started != nullptr && started->slot == slot) << "no worker";
    if (started != nullptr && got->descriptors.size() == 1) {
        worker.pid = started->pid;
        worker.pidfd = std::move(got->descriptors.front());
    }
    return worker;
}

std::optional<wire::FromZygote> ScanZygote::next(std::chrono::milliseconds timeout) {
    std::array<std::byte, wire::kMaxPacket> buffer{};
    const auto got = seqpacket::receive(socket_.get(), buffer, timeout);
    if (!got || got->size == 0) {
        return std::nullopt;
    }
    return wire::decode_from_zygote(std::span(buffer).first(got->size));
}

std::string status_of(pid_t pid, const std::string& name) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with(name + ":\t")) {
            return line.substr(name.size() + 2);
        }
    }
    return {};
}

}  // namespace vigia::test
