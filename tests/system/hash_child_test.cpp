// SPDX-License-Identifier: GPL-2.0-or-later
// The real vigia-hash, seen from where the daemon stands (hard-parts 5, 11).
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <optional>

#include "base/seqpacket.h"
#include "base/subprocess.h"
#include "support/playground.h"
#include "support/scan_child.h"
#include "support/scan_samples.h"
#include "wire/scan_protocol.h"

namespace vigia::test {
namespace {

using namespace std::chrono_literals;

class HashChild {
public:
    explicit HashChild(const std::string& user) {
        auto ends = seqpacket::pair();
        EXPECT_TRUE(ends);
        auto process =
            Subprocess::start({.program = std::filesystem::path(VIGIA_BIN_DIR) / "vigia-hash",
                               .arguments = {"--socket-fd", "3", "--user", user},
                               .descriptors = {{ends->second.get(), 3}, {STDERR_FILENO, 2}}});
        EXPECT_TRUE(process) << process.error().message();
        socket_ = std::move(ends->first);
        process_ = *std::move(process);
    }

    [[nodiscard]] std::optional<wire::HashDone> hash(const std::filesystem::path& path) const {
        const auto file = open_to_read(path);
        const auto sent = seqpacket::send(
            socket_.get(), wire::encode(wire::HashFile{.id = 7}), std::array{file.get()}, 10s);
        EXPECT_TRUE(sent);
        std::array<std::byte, wire::kMaxPacket> buffer{};
        const auto got = seqpacket::receive(socket_.get(), buffer, 30s);
        if (!got || got->size == 0) {
            return std::nullopt;
        }
        return wire::decode_hash_done(std::span(buffer).first(got->size));
    }

    [[nodiscard]] Subprocess& process() { return *process_; }

    [[nodiscard]] UniqueFd& socket() { return socket_; }

private:
    UniqueFd socket_;
    std::optional<Subprocess> process_;
};

class Hashing : public testing::Test {
protected:
    [[nodiscard]] std::filesystem::path write(const std::string& name,
                                              const std::string& content) const {
        auto path = playground_.root() / name;
        write_file(path, content);
        return path;
    }

    Playground playground_;
};

TEST_F(Hashing, HashesInsideTheSandboxAndWithoutAnyPrivilege) {
    HashChild child("nobody");
    const auto done = child.hash(write("file", "abc"));
    ASSERT_TRUE(done);
    EXPECT_EQ(done->id, 7U);
    EXPECT_EQ(done->error, 0);
    EXPECT_EQ(done->size, 3U);
    EXPECT_EQ(done->sha256.hex(),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const auto pid = child.process().pid();
    EXPECT_EQ(status_of(pid, "Uid"), "65534\t65534\t65534\t65534");
    EXPECT_EQ(status_of(pid, "CapEff"), "0000000000000000");
    EXPECT_EQ(status_of(pid, "CapBnd"), "0000000000000000");
    EXPECT_EQ(status_of(pid, "NoNewPrivs"), "1");
    EXPECT_EQ(status_of(pid, "Seccomp"), "2");
}

TEST_F(Hashing, HoldsAgainstEveryAttemptFromInsideAsItsUserAndAsRoot) {
    const auto path = write("escape", hook_marker("ESCAPE"));
    ASSERT_EQ(::chown(path.c_str(), 65534, 65534), 0);
    for (const auto* user : {"nobody", "vigia-no-such-user"}) {
        const HashChild child(user);
        struct stat before{};
        ASSERT_EQ(::stat(path.c_str(), &before), 0);
        const auto proof = child.hash(path);
        ASSERT_TRUE(proof) << "an attempt killed the child";
        EXPECT_EQ(proof->error, ECANCELED) << "see its standard error for what escaped";
        EXPECT_GE(proof->size, 100U);
        struct stat after{};
        ASSERT_EQ(::stat(path.c_str(), &after), 0);
        EXPECT_EQ(before.st_mode, after.st_mode);
        EXPECT_EQ(before.st_ctim.tv_nsec, after.st_ctim.tv_nsec);
    }
}

TEST_F(Hashing, WhatIsNoRegularFileIsAnErrorAndCostsNothing) {
    const HashChild child("nobody");
    const auto folder = child.hash(playground_.root());
    ASSERT_TRUE(folder);
    EXPECT_EQ(folder->error, EINVAL);
    const auto device = child.hash("/dev/zero");
    ASSERT_TRUE(device);
    EXPECT_EQ(device->error, EINVAL);
    const auto next = child.hash(write("file", "abc"));
    EXPECT_TRUE(next && next->error == 0);
}

TEST_F(Hashing, EndsWhenTheDaemonClosesOrSaysWhatIsNotInTheTable) {
    HashChild closing("nobody");
    closing.socket().reset();
    EXPECT_EQ(closing.process().wait(10s), std::optional{0});

    HashChild hostile("nobody");
    ASSERT_TRUE(
        seqpacket::send(hostile.socket().get(), wire::encode(wire::HashFile{.id = 1}), {}, 1s));
    const auto status = hostile.process().wait(10s);
    EXPECT_TRUE(status && *status != 0);
}

}  // namespace
}  // namespace vigia::test
