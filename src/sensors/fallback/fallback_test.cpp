// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "base/unique_fd.h"
#include "sensors/fallback/proc_table.h"
#include "sensors/fallback/sock_diag.h"

namespace vigia::sensors {
namespace {

TEST(ProcStatLine, ANameMayHoldAnything) {
    const auto stat = parse_stat(
        "42 (a) R 1 (b) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 1234 99 100 "
        "18446744073709");
    ASSERT_TRUE(stat.has_value());
    EXPECT_EQ(stat->pid, 42);
    EXPECT_EQ(stat->comm, "a) R 1 (b");
    EXPECT_EQ(stat->parent, 7);
    EXPECT_EQ(stat->start_ns, 12'340'000'000U);
    EXPECT_FALSE(stat->kernel_thread);
}

TEST(ProcStatLine, WhatIsNoneIsNothing) {
    for (const char* text : {"", "42", "42 (x", ")(", "42 (x) S 7", "x (y) S 1 1 1 1 1 1 1"}) {
        EXPECT_FALSE(parse_stat(text).has_value()) << text;
    }
}

TEST(ProcTable, WeFindOurselves) {
    const auto self = read_process(::getpid());
    ASSERT_TRUE(self.has_value());
    EXPECT_EQ(self->who.key.pid, ::getpid());
    EXPECT_EQ(self->parent.pid, ::getppid());
    EXPECT_EQ(self->who.uid, ::getuid());
    EXPECT_EQ(self->path, std::filesystem::canonical("/proc/self/exe").native());
    EXPECT_NE(self->who.program.inode, 0U);
    const auto pids = list_pids();
    EXPECT_NE(std::ranges::find(pids, ::getpid()), pids.end());
    EXPECT_FALSE(read_process(1 << 30).has_value());
    const auto all = read_processes();
    EXPECT_TRUE(std::ranges::any_of(
        all, [&](const ProcessInfo& one) { return one.who.key == self->who.key; }));
}

TEST(SockDiag, AConnectionOfOursIsListedOnBothSidesAndHasAHolder) {
    const UniqueFd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(::bind(server.get(), generic, size), 0);
    ASSERT_EQ(::listen(server.get(), 1), 0);
    ASSERT_EQ(::getsockname(server.get(), generic, &size), 0);
    const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(client.get(), generic, size), 0);
    const UniqueFd taken(::accept4(server.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ASSERT_EQ(::send(client.get(), "12345", 5, 0), 5);
    const auto sockets = list_sockets();
    ASSERT_TRUE(sockets.has_value()) << sockets.error().message();
    const auto port = ntohs(address.sin_port);
    std::uint64_t inode = 0;
    int sides = 0;
    bool listens = false;
    for (const auto& one : *sockets) {
        constexpr std::uint8_t kListens = 10;
        listens = listens || (one.state == kListens && one.local.port == port);
        sides += one.local.port == port && one.remote.port != 0 ? 1 : 0;
        if (one.remote.port == port) {
            ++sides;
            inode = one.inode;
            EXPECT_EQ(to_text(one.remote.address), "127.0.0.1");
            EXPECT_EQ(one.uid, ::getuid());
        }
    }
    EXPECT_TRUE(listens);
    EXPECT_EQ(sides, 2);
    ASSERT_NE(inode, 0U);
    EXPECT_EQ(holders_of({inode}).at(inode), ::getpid());
}

TEST(SockDiag, AnyBytesAreTaken) {
    std::mt19937 random(1);  // NOLINT(*-msc51-cpp): the same bytes each time
    for (int i = 0; i < 20'000; ++i) {
        std::vector<std::byte> bytes(random() % 300);
        std::ranges::generate(bytes, [&] { return static_cast<std::byte>(random() % 4); });
        if (bytes.size() > 4) {
            bytes[0] = static_cast<std::byte>(bytes.size());
            bytes[1] = bytes[2] = bytes[3] = std::byte{0};
        }
        std::vector<DiagSocket> sockets;
        int error = 0;
        (void)take_diag_answer(bytes, IPPROTO_TCP, sockets, error);
    }
}

}  // namespace
}  // namespace vigia::sensors
