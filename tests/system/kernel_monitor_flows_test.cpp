// SPDX-License-Identifier: GPL-2.0-or-later
// A daemon tells which process talks to whom, and what it does about listed addresses. All of it in
// a network namespace of the test's own.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "support/flow_peer.h"
#include "support/kernel_instance.h"
#include "support/told_child.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using namespace std::chrono_literals;

// Addresses for documentation only: nobody else on this machine can be concerned.
constexpr const char* kListed = "203.0.113.10";
constexpr const char* kOther = "198.51.100.10";
constexpr const char* kListed6 = "2001:db8::10";

// "ADDRESS PORT", IPv4
int connect_to(const std::string& where) {
    const auto space = where.find(' ');
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(where.substr(space + 1))));
    ::inet_pton(AF_INET, where.substr(0, space).c_str(), &address.sin_addr);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);  // NOLINT
    return ::connect(fd, generic, sizeof(address)) == 0 ? fd : -1;
}

std::string work(const std::string& line, int socket) {
    constexpr std::string_view kJoin = "join ";
    if (line.starts_with(kJoin)) {
        const auto file = "/proc/" + line.substr(kJoin.size()) + "/ns/net";
        const UniqueFd space(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
        return ::setns(space.get(), CLONE_NEWNET) == 0 ? "ok" : std::to_string(errno);
    }
    static int held = -1;  // of this child
    if (line.starts_with("hold ")) {
        held = connect_to(line.substr(5));
        return held >= 0 ? "ok" : std::to_string(errno);
    }
    if (line == "poke") {
        return std::to_string(::send(held, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
    }
    if (line != "namespace") {
        return do_flow_work(line, socket);
    }
    if (::unshare(CLONE_NEWNET) != 0) {
        return "unshare: " + std::to_string(errno);
    }
    const auto output = run("/bin/sh",
                            {"-c",
                             "ip link set lo up && ip addr add 203.0.113.10/24 dev lo && "
                             "ip addr add 198.51.100.10/24 dev lo && "
                             "ip -6 addr add 2001:db8::10/64 dev lo nodad"});
    return output.exit == 0 ? "ok" : output.err;
}

class KernelFlows : public testing::Test {
protected:
    void SetUp() override {
        if (const auto reason = why_no_bpf(); !reason.empty()) {
            GTEST_SKIP() << reason;
        }
        const auto made = peer_.ask("namespace");
        ASSERT_EQ(made, "ok") << "network namespace";
        ASSERT_EQ(server_.ask("join " + std::to_string(peer_.pid())), "ok");
        fs::create_directories(ground_.root() / "watched");
        fs::create_directories(feeds_);
    }

    Instance::Options options(const std::string& network) const {
        return {.prefix = ground_.root() / "p",
                .watch = {(ground_.root() / "watched").native()},
                .more = "[processes]\nevents = []\n[network]\n" + network};
    }

    std::string policy(const std::string& network) const {
        return fmt::format(
            "[policy]\nname = \"Test\"\nserial = 2\n[files]\nwatch = [\"{}\"]\n"
            "[processes]\nevents = []\n[network]\n{}",
            (ground_.root() / "watched").native(),
            network);
    }

    std::string try_connect(const char* address, const std::string& port) {
        const auto error = peer_.ask(std::string("try ") + address + " " + port);
        return error == std::to_string(EINPROGRESS) ? "0" : error;  // on its way
    }

    std::vector<json> findings(const Instance& instance, const char* address) const {
        return events_where(instance, "detection", [&](const json& event) {
            return word_in(event).starts_with("flow-") &&
                   event.at("dst_endpoint").at("ip") == address;
        });
    }

    static std::vector<json> flows(const Instance& instance,
                                   const char* address,
                                   const ToldChild& whose) {
        return events_where(instance, "network", [&](const json& event) {
            return event.at("actor").at("process").at("pid") == whose.pid() &&
                   event.at("dst_endpoint").at("ip") == address;
        });
    }

    Playground ground_;
    fs::path feeds_ = ground_.root() / "feeds";
    ToldChild peer_{work};  // before the daemon
    ToldChild server_{work};
};

TEST_F(KernelFlows, AConnectionIsToldWithItsProcessBytesAndDuration) {
    Instance instance(options(""));
    ASSERT_TRUE(start_with_kernel(instance));
    const auto port = server_.ask(std::string("listen ") + kOther);
    server_.tell("serve " + port + " 1");
    ASSERT_EQ(peer_.ask(fmt::format("connect {} {} 1 100", kOther, port)), "ok");
    ASSERT_EQ(server_.answer(20s), "ok");
    std::vector<json> told;
    ASSERT_TRUE(eventually([&] {
        told = flows(instance, kOther, peer_);
        return told.size() == 2 && flows(instance, kOther, server_).size() == 2;
    })) << json(told).dump(1);
    const auto& opened = told.front();
    EXPECT_EQ(word_in(opened), "connection-opened");
    EXPECT_EQ(opened.at("class_uid"), 4001);
    EXPECT_EQ(opened.at("dst_endpoint").at("port"), std::stoi(port));
    EXPECT_EQ(opened.at("connection_info").at("protocol_name"), "tcp");
    EXPECT_EQ(opened.at("connection_info").at("direction"), "Outbound");
    EXPECT_EQ(opened.at("actor").at("process").at("file").at("path"),
              fs::canonical("/proc/self/exe").native());
    EXPECT_EQ(opened.at("vigia").at("flow").at("ancestry").at(0).at("pid"), ::getpid());
    const auto& closed = told.back();
    EXPECT_EQ(word_in(closed), "connection-closed");
    EXPECT_EQ(closed.at("connection_info").at("uid"), opened.at("connection_info").at("uid"));
    EXPECT_EQ(closed.at("traffic").at("bytes_out"), 100);
    EXPECT_EQ(closed.at("traffic").at("bytes_in"), 7);
    EXPECT_GE(closed.at("duration"), 0);
    const auto taken = flows(instance, kOther, server_);
    EXPECT_EQ(taken.front().at("connection_info").at("direction"), "Inbound");
    EXPECT_EQ(taken.back().at("traffic").at("bytes_in"), 100);
}

TEST_F(KernelFlows, LoopbackIsLeftOutAndCounted) {
    Instance instance(options(""));
    ASSERT_TRUE(start_with_kernel(instance));
    const auto port = peer_.ask("listen 127.0.0.1");
    const auto before =
        accounting_of(instance, "connect").at("filtered").at("loopback").get<std::int64_t>();
    ASSERT_EQ(try_connect("127.0.0.1", port), "0");
    EXPECT_TRUE(eventually(
        [&] { return accounting_of(instance, "connect").at("filtered").at("loopback") > before; }));
    EXPECT_TRUE(flows(instance, "127.0.0.1", peer_).empty());
    for (const char* cls : {"connect", "accept", "close", "udp"}) {
        EXPECT_EQ(imbalance_of(accounting_of(instance, cls)), 0) << cls;
    }
}

TEST_F(KernelFlows, AuditTellsWhoMetAListedAddressAndBlockRefusesIt) {
    Instance instance(options("block = [\"203.0.113.0/24\", \"2001:db8::/32\"]\n"));
    ASSERT_TRUE(start_with_kernel(instance));
    const auto port = peer_.ask(std::string("listen ") + kListed);
    const auto port6 = peer_.ask(std::string("listen ") + kListed6);
    EXPECT_EQ(try_connect(kListed, port), "0") << "audit lets it pass";
    std::vector<json> found;
    ASSERT_TRUE(eventually([&] {
        found = findings(instance, kListed);
        return !found.empty();
    })) << monitor_of(instance, "network").dump(1);
    const auto& seen = found.front();
    EXPECT_EQ(word_in(seen), "flow-to-blocked-address");
    EXPECT_EQ(seen.at("class_uid"), 2004);
    EXPECT_EQ(seen.at("actor").at("process").at("pid"), peer_.pid());
    EXPECT_EQ(seen.at("actor").at("process").at("user").at("uid"), std::to_string(::getuid()));
    EXPECT_EQ(seen.at("actor").at("process").at("file").at("path"),
              fs::canonical("/proc/self/exe").native());
    EXPECT_EQ(seen.at("connection_info").at("direction"), "Outbound");
    EXPECT_EQ(seen.at("vigia").at("detection").at("ancestry").at(0).at("pid"), ::getpid());
    EXPECT_EQ(seen.at("vigia").at("detection").at("action"), "audit");

    instance.write_policy(
        policy("mode = \"block\"\nblock = [\"203.0.113.0/24\", \"2001:db8::/32\"]\n"));
    const auto refused = std::to_string(EPERM);
    EXPECT_TRUE(eventually([&] { return try_connect(kListed, port) == refused; }));
    EXPECT_EQ(try_connect(kListed6, port6), refused);
    const auto free_port = peer_.ask(std::string("listen ") + kOther);
    EXPECT_EQ(try_connect(kOther, free_port), "0");
    EXPECT_TRUE(eventually([&] {
        const auto all = findings(instance, kListed6);
        return !all.empty() && word_in(all.back()) == "flow-blocked" &&
               all.back().at("disposition") == "Blocked";
    }));
    instance.write_policy(policy("mode = \"block\"\nblock = []\n"));
    EXPECT_TRUE(eventually([&] { return try_connect(kListed, port) == "0"; }));
}

TEST_F(KernelFlows, FeedFilesReloadLiveAndABadLineIsNamedAndLeftOut) {
    const auto feed = feeds_ / "block.txt";
    write_file(feed, "# empty\n");
    Instance instance(options(fmt::format(
        "mode = \"block\"\nblock_files = [\"{}\"]\nallow = [\"203.0.113.77\"]\n", feed.native())));
    ASSERT_TRUE(start_with_kernel(instance));
    const auto port = peer_.ask(std::string("listen ") + kListed);
    ASSERT_EQ(try_connect(kListed, port), "0");
    write_file(feeds_ / "next", "203.0.113.0/24\nnonsense\n198.51.100.0/24 until=2020-01-01\n");
    fs::rename(feeds_ / "next", feed);
    EXPECT_TRUE(eventually([&] { return try_connect(kListed, port) == std::to_string(EPERM); }))
        << monitor_of(instance, "network").dump(1);
    const auto free_port = peer_.ask(std::string("listen ") + kOther);
    EXPECT_EQ(try_connect(kOther, free_port), "0") << "that line has ended";
    const auto detail = monitor_of(instance, "network").value("detail", "");
    EXPECT_NE(detail.find("line 2 ('nonsense')"), std::string::npos) << detail;
    EXPECT_NE(detail.find("networks listed: 2"), std::string::npos) << detail;
    const auto told = events_where(instance, "service", [](const json& event) {
        return word_in(event) == "addresses-loaded" &&
               event.at("vigia").at("facts").at("skipped") == "1";
    });
    ASSERT_EQ(told.size(), 1U);
    EXPECT_NE(told[0].at("vigia").at("facts").at("lines").get<std::string>().find("line 2"),
              std::string::npos);
    write_file(feed, "\n");
    EXPECT_TRUE(eventually([&] { return try_connect(kListed, port) == "0"; }));
}

TEST_F(KernelFlows, TheCloseTellsWhoServedAConnectionNotWhoListened) {
    Instance instance(options(""));
    ASSERT_TRUE(start_with_kernel(instance));
    const auto closed_by = [&](const std::string& port) {
        pid_t pid = 0;
        const bool told = eventually([&] {
            const auto all = events_where(instance, "network", [&](const json& event) {
                return word_in(event) == "connection-closed" &&
                       event.at("connection_info").at("direction") == "Inbound" &&
                       event.dump().find("\"port\":" + port) != std::string::npos;
            });
            pid = all.empty() ? 0 : all.front().at("actor").at("process").at("pid").get<pid_t>();
            return !all.empty();
        });
        return told ? pid : -1;
    };
    for (const char* way : {"fork-accept ", "pass "}) {
        const auto port = server_.ask(std::string("listen ") + kOther);
        server_.tell(way + port);
        peer_.tell(fmt::format("connect {} {} 1 5", kOther, port));
        const pid_t user = std::stoi(server_.answer(20s));
        ASSERT_EQ(peer_.answer(20s), "ok");
        ASSERT_NE(user, server_.pid());
        EXPECT_EQ(closed_by(port), user) << way;
    }
}

TEST_F(KernelFlows, AConnectionOlderThanTheListIsToldOnceAndItsPacketsDroppedByBlock) {
    const auto feed = feeds_ / "block.txt";
    write_file(feed, "# empty\n");
    const auto list = fmt::format("block_files = [\"{}\"]\n", feed.native());
    Instance instance(options(list));
    ASSERT_TRUE(start_with_kernel(instance));
    const auto port = server_.ask(std::string("listen ") + kListed);
    ASSERT_EQ(peer_.ask(fmt::format("hold {} {}", kListed, port)), "ok");
    const auto of_peer = [&](const char* word) {
        auto all = findings(instance, kListed);
        std::erase_if(all, [&](const json& event) {
            return word_in(event) != word ||
                   event.at("actor").at("process").value("pid", 0) != peer_.pid();
        });
        return all.size();
    };
    const auto loads = [&] {
        return events_where(instance,
                            "service",
                            [](const json& event) { return word_in(event) == "addresses-loaded"; })
            .size();
    };
    EXPECT_EQ(of_peer("flow-to-blocked-address"), 0U);
    write_file(feed, "203.0.113.0/24\n");
    ASSERT_TRUE(eventually([&] { return of_peer("flow-to-blocked-address") == 1; }))
        << json(findings(instance, kListed)).dump(1);
    const auto loaded = loads();
    write_file(feed, "203.0.113.0/24\n192.0.2.0/24\n");
    ASSERT_TRUE(eventually([&] { return loads() > loaded; }));
    EXPECT_EQ(of_peer("flow-to-blocked-address"), 1U) << "another list, the same connection";
    instance.write_policy(policy("mode = \"block\"\n" + list));
    EXPECT_TRUE(eventually([&] {
        (void)peer_.ask("poke");
        return of_peer("flow-blocked") > 0;
    })) << json(findings(instance, kListed)).dump(1);
    (void)peer_.ask("poke");
    EXPECT_EQ(of_peer("flow-blocked"), 1U);
}

}  // namespace
}  // namespace vigia::test
