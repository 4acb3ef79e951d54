// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/subprocess.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <csignal>

#include "base/files.h"
#include "base/seqpacket.h"

namespace vigia {
namespace {

constexpr std::chrono::seconds kLong{10};

TEST(SubprocessTest, GivesBackTheExitStatus) {
    auto child = Subprocess::start({.program = "/bin/sh", .arguments = {"-c", "exit 7"}});
    ASSERT_TRUE(child.has_value());
    const auto status = child->wait(kLong);
    ASSERT_TRUE(status.has_value());
    EXPECT_EQ(WEXITSTATUS(*status), 7);
    EXPECT_EQ(describe_wait_status(*status), "exit status 7");
}

TEST(SubprocessTest, AProgramThatIsNotThereIsAnErrorWithItsErrno) {
    const auto child = Subprocess::start({.program = "/nonexistent", .arguments = {}});
    ASSERT_FALSE(child.has_value());
    EXPECT_EQ(child.error().code, std::errc::no_such_file_or_directory);
}

TEST(SubprocessTest, IsKilledAndReapedWhenItGoesOutOfScope) {
    pid_t pid = 0;
    {
        auto child = Subprocess::start({.program = "/bin/sleep", .arguments = {"60"}});
        ASSERT_TRUE(child.has_value());
        pid = child->pid();
        EXPECT_EQ(::kill(pid, 0), 0);
    }
    EXPECT_EQ(::kill(pid, 0), -1);
}

// A foreground daemon that gets Ctrl-C told that its scan service had been lost.
TEST(SubprocessTest, IsInNoGroupThatATerminalSignals) {
    const auto child = Subprocess::start({.program = "/bin/sleep", .arguments = {"60"}});
    ASSERT_TRUE(child.has_value());
    EXPECT_EQ(::getpgid(child->pid()), child->pid());
}

TEST(SubprocessTest, HasTheDescriptorsListedAndNoOther) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    const UniqueFd reader{ends[0]};
    UniqueFd writer{ends[1]};
    const UniqueFd stray{::open("/dev/null", O_RDONLY)};  // not close-on-exec, on purpose
    auto child = Subprocess::start({.program = "/bin/ls",
                                    .arguments = {"-1", "/proc/self/fd"},
                                    .descriptors = {{ends[1], 1}, {ends[1], 5}}});
    ASSERT_TRUE(child.has_value());
    writer.reset();
    // 0, 1, 2, 5 and the one ls reads the folder with.
    EXPECT_EQ(read_all(reader.get(), 1000).value(), "0\n1\n2\n3\n5\n");
}

TEST(Seqpacket, CarriesDescriptorsAndKeepsPacketsApart) {
    auto ends = seqpacket::pair();
    ASSERT_TRUE(ends.has_value());
    const auto file = open_at(AT_FDCWD, "/dev/null", O_RDONLY);
    const std::array<std::byte, 3> packet{std::byte{1}, std::byte{2}, std::byte{3}};
    const std::array<int, 1> descriptors{file->get()};
    ASSERT_TRUE(seqpacket::send(ends->first.get(), packet, descriptors, kLong));
    ASSERT_TRUE(seqpacket::send(ends->first.get(), std::span(packet).first(1), {}, kLong));
    std::array<std::byte, 16> buffer{};
    const auto first = seqpacket::receive(ends->second.get(), buffer, kLong);
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(first->size, 3U);
    EXPECT_EQ(first->descriptors.size(), 1U);
    const auto second = seqpacket::receive(ends->second.get(), buffer, kLong);
    ASSERT_TRUE(second.has_value());
    EXPECT_EQ(second->size, 1U);
    EXPECT_TRUE(second->descriptors.empty());
}

TEST(Seqpacket, RefusesAPacketLargerThanTheBufferAndEndsAtTheDeadline) {
    auto ends = seqpacket::pair();
    ASSERT_TRUE(ends.has_value());
    const std::array<std::byte, 32> packet{};
    std::array<std::byte, 16> buffer{};
    ASSERT_TRUE(seqpacket::send(ends->first.get(), packet, {}, kLong));
    EXPECT_EQ(seqpacket::receive(ends->second.get(), buffer, kLong).error().code,
              std::errc::message_size);
    EXPECT_EQ(
        seqpacket::receive(ends->second.get(), buffer, std::chrono::milliseconds{1}).error().code,
        std::errc::timed_out);
    ends->first.reset();
    EXPECT_EQ(seqpacket::receive(ends->second.get(), buffer, kLong)->size, 0U);
    EXPECT_EQ(seqpacket::send(ends->second.get(), packet, {}, kLong).error().code,
              std::errc::broken_pipe);
}

}  // namespace
}  // namespace vigia
