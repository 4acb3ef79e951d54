// SPDX-License-Identifier: GPL-2.0-or-later
// Every flow is told with its process, its direction and its bytes; what is listed is refused. All
// of it over loopback, and in a cgroup of the test's own.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "sensors/ebpf/record_source.h"
#include "support/bpf_allowed.h"
#include "support/flow_peer.h"
#include "support/kernel_recorder.h"
#include "support/test_cgroup.h"
#include "support/told_child.h"

namespace vigia::test {
namespace {

using namespace std::chrono_literals;
using sensors::AddressLists;
using sensors::BlockMode;
using sensors::Delivery;
using sensors::KernelSensor;

// Through the ring buffer and, as on kernels before 5.8, through perf buffers.
class EbpfFlows : public ::testing::TestWithParam<Delivery> {
protected:
    void SetUp() override {
        if (const auto reason = why_no_bpf(); !reason.empty()) {
            GTEST_SKIP() << reason;
        }
        if (cgroup_.path().empty()) {
            GTEST_SKIP() << "no cgroup v2 hierarchy in which a test may make a cgroup";
        }
        for (const auto* one : {&server_, &client_, &other_}) {
            ASSERT_TRUE(cgroup_.take(one->pid()));
        }
        auto opened = KernelSensor::open(
            {.processes = false, .cgroup = cgroup_.path(), .perf_buffer = perf_buffer()},
            recorder_.observer());
        ASSERT_TRUE(opened.has_value()) << opened.error().message() << '\n' << opened.error().log;
        sensor_.emplace(std::move(*opened));
        for (const auto& missing : sensor_->state().missing) {
            ADD_FAILURE() << missing.message() << '\n' << missing.log;
        }
    }

    void TearDown() override {
        if (sensor_) {
            settle();
            const auto state = sensor_->state();
            EXPECT_EQ(imbalance_of(state), "");
            EXPECT_EQ(state.malformed, 0U);
        }
    }

    [[nodiscard]] static bool perf_buffer() { return GetParam() == Delivery::PerfBuffer; }

    void settle() {
        const auto drained = sensor_->drain(20s);
        EXPECT_TRUE(drained.has_value());
    }

    [[nodiscard]] std::vector<FlowEvent> told(FlowChange change, int port) {
        settle();
        return recorder_.flows([&](const FlowEvent& flow) {
            return flow.change == change && (flow.local.port == port || flow.remote.port == port);
        });
    }

    // Both ends of a connection may be closed a moment after the processes are done with it.
    [[nodiscard]] std::vector<FlowEvent> told(FlowChange change, int port, std::size_t count) {
        auto flows = told(change, port);
        for (const auto end = Clock::boot() + 10s; flows.size() < count && Clock::boot() < end;) {
            flows = told(change, port);
        }
        return flows;
    }

    void set_mode(BlockMode mode) { ASSERT_TRUE(sensor_->set({.block_mode = mode}).has_value()); }

    void set_lists(std::initializer_list<const char*> block,
                   std::initializer_list<const char*> allow = {}) {
        AddressLists lists;
        for (const auto* text : block) {
            lists.block.push_back(*parse_prefix(text));
        }
        for (const auto* text : allow) {
            lists.allow.push_back(*parse_prefix(text));
        }
        const auto set = sensor_->set_lists(std::move(lists));
        ASSERT_TRUE(set.has_value()) << set.error().message();
    }

    TestCgroup cgroup_{"flows"};
    KernelRecorder recorder_;
    ToldChild server_{do_flow_work};
    ToldChild client_{do_flow_work};
    ToldChild other_{do_flow_work};
    std::optional<KernelSensor> sensor_;
};

TEST_P(EbpfFlows, AConnectionIsToldAtBothEndsWithBytes) {
    for (const auto* address : {"127.0.0.1", "::1"}) {
        const int port = std::stoi(server_.ask(std::string("listen ") + address));
        server_.tell("serve " + std::to_string(port) + " 1");
        ASSERT_EQ(client_.ask(std::string("connect ") + address + ' ' + std::to_string(port) +
                              " 1 100000"),
                  "ok");
        ASSERT_EQ(server_.answer(20s), "ok");
        const auto connects = told(FlowChange::Connected, port);
        const auto accepts = told(FlowChange::Accepted, port);
        const auto closes = told(FlowChange::Closed, port, 2);
        ASSERT_EQ(connects.size(), 1U);
        ASSERT_EQ(accepts.size(), 1U);
        ASSERT_EQ(closes.size(), 2U);
        EXPECT_EQ(connects[0].owner.key.pid, client_.pid());
        EXPECT_EQ(connects[0].error, 0);
        EXPECT_EQ(connects[0].direction, FlowDirection::Out);
        EXPECT_EQ(to_text(connects[0].remote.address), address);
        EXPECT_EQ(connects[0].remote.port, port);
        EXPECT_EQ(accepts[0].owner.key.pid, server_.pid());
        EXPECT_EQ(accepts[0].direction, FlowDirection::In);
        EXPECT_EQ(accepts[0].remote, connects[0].local);
        for (const auto& close : closes) {
            const bool outgoing = close.direction == FlowDirection::Out;
            EXPECT_EQ(close.owner.key.pid, outgoing ? client_.pid() : server_.pid());
            EXPECT_EQ(close.closer, outgoing ? client_.pid() : server_.pid());
            EXPECT_EQ(close.bytes_sent, outgoing ? 100000U : 7U);
            EXPECT_EQ(close.bytes_received, outgoing ? 7U : 100000U);
            EXPECT_EQ(close.id, outgoing ? connects[0].id : accepts[0].id);
            EXPECT_GT(close.at, close.opened);
        }
    }
}

TEST_P(EbpfFlows, FiftyThousandConnectionsOfFourProcessesAreToldExactly) {
    constexpr int kEach = 25'000;
    const ToldChild second_server(do_flow_work);

    struct Pair {
        const ToldChild* server;
        const ToldChild* client;
        std::string address;
        int port = 0;
    };

    std::vector<Pair> pairs{{&server_, &client_, "127.0.0.1"}, {&second_server, &other_, "::1"}};
    for (auto& pair : pairs) {
        pair.server->tell("listen " + pair.address);
        pair.port = std::stoi(pair.server->answer(20s));
    }
    const auto begin = Clock::boot();
    for (const auto& pair : pairs) {
        pair.server->tell("serve " + std::to_string(pair.port) + ' ' + std::to_string(kEach));
        pair.client->tell("connect " + pair.address + ' ' + std::to_string(pair.port) + ' ' +
                          std::to_string(kEach) + " 1000");
    }
    for (const auto& pair : pairs) {
        ASSERT_EQ(pair.client->answer(250s), "ok");
        ASSERT_EQ(pair.server->answer(20s), "ok");
    }
    std::cout << "connections: "
              << 2 * kEach / std::chrono::duration<double>(Clock::boot() - begin).count()
              << " a second\n";
    for (const auto& pair : pairs) {
        const auto connects = told(FlowChange::Connected, pair.port);
        const auto accepts = told(FlowChange::Accepted, pair.port);
        const auto closes = told(FlowChange::Closed, pair.port, std::size_t{2} * kEach);
        EXPECT_EQ(connects.size(), std::size_t{kEach});
        EXPECT_EQ(accepts.size(), std::size_t{kEach});
        EXPECT_EQ(closes.size(), std::size_t{2} * kEach);
        const auto client = pair.client->pid();
        const auto server = pair.server->pid();
        int wrong = 0;
        for (const auto& flow : connects) {
            wrong += flow.owner.key.pid != client;
        }
        for (const auto& flow : accepts) {
            wrong += flow.owner.key.pid != server;
        }
        for (const auto& flow : closes) {
            const bool outgoing = flow.direction == FlowDirection::Out;
            wrong += flow.owner.key.pid != (outgoing ? client : server) ||
                     flow.bytes_sent != (outgoing ? 1000U : 7U) ||
                     flow.bytes_received != (outgoing ? 7U : 1000U);
        }
        EXPECT_EQ(wrong, 0);
    }
    const auto state = sensor_->state();
    for (const auto& counters : state.counters) {
        EXPECT_EQ(counters.lost, 0U) << counters.event_class;
    }
    std::cout << "runs missed: " << state.missed_runs << '\n';
}

TEST_P(EbpfFlows, ARefusedConnectSaysWhy) {
    const int port = std::stoi(server_.ask("udp-bind 127.0.0.1"));  // nobody listens for TCP there
    ASSERT_EQ(client_.ask("connect 127.0.0.1 " + std::to_string(port) + " 1 1"),
              "errno " + std::to_string(ECONNREFUSED));
    const auto connects = told(FlowChange::Connected, port);
    ASSERT_EQ(connects.size(), 1U);
    EXPECT_EQ(connects[0].error, ECONNREFUSED);
    EXPECT_EQ(connects[0].owner.key.pid, client_.pid());
    EXPECT_TRUE(told(FlowChange::Closed, port).empty());
}

TEST_P(EbpfFlows, AMappedAddressIsTheIpv4One) {
    const int port = std::stoi(server_.ask("listen 127.0.0.1"));
    server_.tell("serve " + std::to_string(port) + " 1");
    ASSERT_EQ(client_.ask("connect ::ffff:127.0.0.1 " + std::to_string(port) + " 1 5"), "ok");
    ASSERT_EQ(server_.answer(20s), "ok");
    const auto connects = told(FlowChange::Connected, port);
    ASSERT_EQ(connects.size(), 1U);
    EXPECT_EQ(to_text(connects[0].remote.address), "127.0.0.1");
}

TEST_P(EbpfFlows, AChildThatAcceptsForItsParentIsTheOwner) {
    const int port = std::stoi(server_.ask("listen 127.0.0.1"));
    server_.tell("fork-accept " + std::to_string(port));
    client_.tell("connect 127.0.0.1 " + std::to_string(port) + " 1 5");
    const pid_t worker = std::stoi(server_.answer(20s));
    ASSERT_EQ(client_.answer(20s), "ok");
    const auto accepts = told(FlowChange::Accepted, port);
    ASSERT_EQ(accepts.size(), 1U);
    EXPECT_EQ(accepts[0].owner.key.pid, server_.pid());
    EXPECT_EQ(accepts[0].owner_source, OwnerSource::Listener);
    const auto changes = told(FlowChange::OwnerChanged, port);
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(changes[0].owner.key.pid, worker);
    EXPECT_EQ(changes[0].id, accepts[0].id);
    const auto closes = told(FlowChange::Closed, port, 2);
    EXPECT_TRUE(std::ranges::any_of(closes, [&](const FlowEvent& close) {
        return close.direction == FlowDirection::In && close.owner.key.pid == worker;
    }));
}

TEST_P(EbpfFlows, WhoReceivesADescriptorIsKnownAtTheClose) {
    const int port = std::stoi(server_.ask("listen 127.0.0.1"));
    server_.tell("pass " + std::to_string(port));
    client_.tell("connect 127.0.0.1 " + std::to_string(port) + " 1 5");
    const pid_t receiver = std::stoi(server_.answer(20s));
    ASSERT_EQ(client_.answer(20s), "ok");
    const auto closes = told(FlowChange::Closed, port, 2);
    EXPECT_TRUE(std::ranges::any_of(closes, [&](const FlowEvent& close) {
        return close.direction == FlowDirection::In && close.closer == receiver &&
               close.owner.key.pid == server_.pid();
    }));
}

TEST_P(EbpfFlows, ClientAndServerOfDifferentUsersAreToldApart) {
    const int port = std::stoi(server_.ask("listen 127.0.0.1"));
    ASSERT_EQ(client_.ask("user 65534"), "0");
    server_.tell("accept " + std::to_string(port) + " quietly");
    ASSERT_EQ(client_.ask("connect 127.0.0.1 " + std::to_string(port) + " 1 5"), "ok");
    ASSERT_EQ(server_.answer(20s), "5");
    const auto connects = told(FlowChange::Connected, port);
    const auto accepts = told(FlowChange::Accepted, port);
    ASSERT_EQ(connects.size(), 1U);
    ASSERT_EQ(accepts.size(), 1U);
    EXPECT_EQ(connects[0].owner.uid, 65534U);
    EXPECT_EQ(accepts[0].owner.uid, 0U);
}

TEST_P(EbpfFlows, AUdpFlowBeginsAndEndsOnceAtEachEndWithBytes) {
    for (const auto* address : {"127.0.0.1", "::1"}) {
        recorder_.forget();
        const int port = std::stoi(server_.ask(std::string("udp-bind ") + address));
        server_.tell("udp-receive " + std::to_string(port) + " 6");
        const auto to = std::string(address) + ' ' + std::to_string(port);
        ASSERT_EQ(client_.ask("udp-send " + to + " 5"), "0");
        ASSERT_EQ(client_.ask("udp-connect " + to), "0");
        ASSERT_EQ(server_.answer(20s), "ok");
        const auto begun = told(FlowChange::UdpBegun, port);
        const auto ended = told(FlowChange::UdpEnded, port);
        ASSERT_EQ(begun.size(), 4U);  // two sockets of the client, two peers of the server
        int out = 0;
        for (const auto& flow : begun) {
            const bool outgoing = flow.direction == FlowDirection::Out;
            out += outgoing ? 1 : 0;
            EXPECT_EQ(flow.owner.key.pid, outgoing ? client_.pid() : server_.pid());
        }
        EXPECT_EQ(out, 2);
        ASSERT_EQ(ended.size(), 2U);  // the server's socket is still open
        EXPECT_EQ(ended[0].bytes_sent, 50U);
        EXPECT_EQ(ended[0].bytes_received, 20U);
        EXPECT_EQ(ended[0].closer, client_.pid());
        EXPECT_EQ(ended[1].bytes_sent, 10U);
        EXPECT_EQ(ended[1].bytes_received, 4U);
    }
}

TEST_P(EbpfFlows, ABlockedAddressIsRefusedAndAnAllowedOneInsideIsNot) {
    const int port = std::stoi(server_.ask("listen 127.77.1.1"));
    const int allowed = std::stoi(server_.ask("listen 127.77.2.1"));
    set_lists({"127.77.0.0/16"}, {"127.77.2.0/24"});
    set_mode(BlockMode::Block);
    const auto refused = "errno " + std::to_string(EPERM);
    const auto to = [](const std::string& address, int at) {
        return "connect " + address + ' ' + std::to_string(at) + " 1 5";
    };
    EXPECT_EQ(client_.ask(to("127.77.1.1", port)), refused);
    EXPECT_EQ(client_.ask(to("::ffff:127.77.1.1", port)), refused);
    EXPECT_EQ(client_.ask("udp-send 127.77.1.1 53 1"), std::to_string(EPERM));
    server_.tell("serve " + std::to_string(allowed) + " 1");
    EXPECT_EQ(client_.ask(to("127.77.2.1", allowed)), "ok");
    EXPECT_EQ(server_.answer(20s), "ok");
    const auto met = told(FlowChange::ListedAddress, port);
    ASSERT_EQ(met.size(), 2U);
    for (const auto& one : met) {
        EXPECT_TRUE(one.denied);
        EXPECT_EQ(one.stop, ListStop::Connect);
        EXPECT_EQ(one.owner.key.pid, client_.pid());
        EXPECT_EQ(to_text(one.remote.address), "127.77.1.1");
    }
    EXPECT_EQ(told(FlowChange::ListedAddress, 53).size(), 1U);
    EXPECT_TRUE(told(FlowChange::ListedAddress, allowed).empty());
}

TEST_P(EbpfFlows, AuditTellsAndRefusesNothing) {
    const int port = std::stoi(server_.ask("listen 127.77.1.1"));
    set_lists({"127.77.0.0/16", "2001:db8::/32"});
    set_mode(BlockMode::Audit);
    server_.tell("serve " + std::to_string(port) + " 1");
    EXPECT_EQ(client_.ask("connect 127.77.1.1 " + std::to_string(port) + " 1 5"), "ok");
    EXPECT_EQ(server_.answer(20s), "ok");
    const auto met = told(FlowChange::ListedAddress, port);
    ASSERT_EQ(met.size(), 1U);
    EXPECT_FALSE(met[0].denied);
    set_mode(BlockMode::Off);
    server_.tell("serve " + std::to_string(port) + " 1");
    EXPECT_EQ(client_.ask("connect 127.77.1.1 " + std::to_string(port) + " 1 5"), "ok");
    EXPECT_EQ(server_.answer(20s), "ok");
    EXPECT_EQ(told(FlowChange::ListedAddress, port).size(), 1U);
}

TEST_P(EbpfFlows, WhatComesFromABlockedAddressIsDropped) {
    const int port = std::stoi(server_.ask("udp-bind 127.0.0.1"));
    const ToldChild outside(do_flow_work);  // not in the cgroup: nobody refuses its sending
    set_lists({"127.0.0.1/32"});
    set_mode(BlockMode::Block);
    outside.tell("udp-send 127.0.0.1 " + std::to_string(port) + " 1");
    const auto met = told(FlowChange::ListedAddress, port, 1);
    ASSERT_EQ(met.size(), 1U);
    EXPECT_EQ(met[0].stop, ListStop::PacketIn);
    EXPECT_TRUE(met[0].denied);
    set_lists({});
    server_.tell("udp-receive " + std::to_string(port) + " 1");
    EXPECT_EQ(client_.ask("udp-send 127.0.0.1 " + std::to_string(port) + " 1"), "0");
    EXPECT_EQ(server_.answer(20s), "ok");
}

TEST_P(EbpfFlows, AMillionPrefixesAreSwappedUnderConnectsWithoutAGap) {
    AddressLists lists;
    lists.block.push_back(*parse_prefix("127.77.0.0/16"));
    for (unsigned i = 0; lists.block.size() < 1'000'000; ++i) {
        IpPrefix prefix{.address = *parse_address("::ffff:0.0.0.0"), .bits = 128};
        prefix.address.bytes[12] = static_cast<std::uint8_t>(16 + (i >> 16U));
        prefix.address.bytes[13] = static_cast<std::uint8_t>(i >> 8U);
        prefix.address.bytes[14] = static_cast<std::uint8_t>(i);
        prefix.address.bytes[15] = static_cast<std::uint8_t>(i * 7);
        lists.block.push_back(prefix);
    }
    set_lists({"127.77.0.0/16"});
    set_mode(BlockMode::Block);
    client_.tell("hammer 127.77.1.1 9");
    const auto begin = Clock::boot();
    ASSERT_TRUE(sensor_->set_lists(lists).has_value());
    const auto took = Clock::boot() - begin;
    ASSERT_TRUE(sensor_->set_lists(lists).has_value());
    set_lists({"127.77.0.0/16"});
    ASSERT_TRUE(sensor_->set_lists(lists).has_value());
    const auto size = sensor_->state().lists;
    EXPECT_EQ(size.prefixes4, 1'000'000U);
    std::cout << "a million prefixes: " << to_text(took) << ", " << (size.kernel_bytes >> 20U)
              << " MiB of kernel memory\n";
    client_.tell("x");  // ends the hammering
    const auto answer = client_.answer(30s);
    std::cout << "connects refused meanwhile, others: " << answer << '\n';
    EXPECT_TRUE(answer.ends_with(" 0")) << answer;
}

TEST_P(EbpfFlows, TheSnapshotKnowsWhoHasASocketOpen) {
    sensor_.reset();  // a sensor that starts after the sockets
    const int port = std::stoi(server_.ask("listen 127.0.0.1"));
    auto opened = KernelSensor::open(
        {.processes = false, .cgroup = cgroup_.path(), .perf_buffer = perf_buffer()},
        recorder_.observer());
    ASSERT_TRUE(opened.has_value());
    sensor_.emplace(std::move(*opened));
    const auto snapshot = sensor_->snapshot();
    ASSERT_TRUE(snapshot.has_value()) << snapshot.error().message();
    EXPECT_TRUE(std::ranges::any_of(snapshot->sockets, [&](const FlowEvent& flow) {
        return flow.local.port == port && flow.owner.key.pid == server_.pid() &&
               flow.tcp_state == 10;
    }));
    // And a connection to such a listener has an owner.
    server_.tell("accept " + std::to_string(port) + " quietly");
    ASSERT_EQ(client_.ask("connect 127.0.0.1 " + std::to_string(port) + " 1 5"), "ok");
    ASSERT_EQ(server_.answer(20s), "5");
    const auto accepts = told(FlowChange::Accepted, port);
    ASSERT_EQ(accepts.size(), 1U);
    EXPECT_EQ(accepts[0].owner.key.pid, server_.pid());
    EXPECT_EQ(accepts[0].owner_source, OwnerSource::Port);
}

INSTANTIATE_TEST_SUITE_P(Through,
                         EbpfFlows,
                         ::testing::Values(Delivery::RingBuffer, Delivery::PerfBuffer),
                         [](const auto& one) {
                             return one.param == Delivery::RingBuffer ? "RingBuffer" : "PerfBuffer";
                         });

}  // namespace
}  // namespace vigia::test
