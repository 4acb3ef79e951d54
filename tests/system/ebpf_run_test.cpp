// SPDX-License-Identifier: GPL-2.0-or-later
// Which addresses are refused: one table, asked of everybody who decides. Packets are given to the
// programs of the kernel side themselves (BPF_PROG_TEST_RUN); that cannot be done with those for
// connect() and sendto(), so sockets in a network namespace in which every address is local ask
// them; and the search in user space has to say the same.
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vigia_records.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "sensors/ebpf/bpf_object.h"
#include "support/bpf_allowed.h"
#include "support/kernel_recorder.h"
#include "support/playground.h"
#include "support/process.h"
#include "support/test_cgroup.h"
#include "support/told_child.h"

namespace vigia::test {
namespace {

using namespace std::chrono_literals;
using sensors::AddressLists;
using sensors::BlockMode;
using sensors::BpfObject;
using sensors::Delivery;
using sensors::KernelSensor;

struct Row {
    const char* what;
    std::vector<const char*> block;
    std::vector<const char*> allow;
    const char* address;  // as a program writes it
    bool refused;
};

const std::vector<Row>& table() {
    static const std::vector<Row> rows{
        {"IPv4 inside", {"192.0.2.0/24"}, {}, "192.0.2.1", true},
        {"IPv4 outside", {"192.0.2.0/24"}, {}, "192.0.3.1", false},
        {"first of the network", {"192.0.2.0/24"}, {}, "192.0.2.0", true},
        {"last of the network", {"192.0.2.0/24"}, {}, "192.0.2.255", true},
        {"odd length, inside", {"192.0.2.128/27"}, {}, "192.0.2.159", true},
        {"odd length, outside", {"192.0.2.128/27"}, {}, "192.0.2.160", false},
        {"IPv4 mapped", {"192.0.2.0/24"}, {}, "::ffff:192.0.2.1", true},
        {"IPv4 mapped outside", {"192.0.2.0/24"}, {}, "::ffff:192.0.3.1", false},
        {"listed as mapped", {"::ffff:192.0.2.0/120"}, {}, "192.0.2.1", true},
        {"one IPv4 address", {"192.0.2.7/32"}, {}, "192.0.2.7", true},
        {"its neighbour", {"192.0.2.7/32"}, {}, "192.0.2.6", false},
        {"all of IPv4", {"0.0.0.0/0"}, {}, "198.51.100.9", true},
        {"all of IPv4, mapped", {"0.0.0.0/0"}, {}, "::ffff:198.51.100.9", true},
        {"all of IPv4 is not IPv6", {"0.0.0.0/0"}, {}, "2001:db8::1", false},
        {"all of IPv6", {"::/0"}, {}, "2001:db8::1", true},
        {"all of IPv6 is not IPv4", {"::/0"}, {}, "198.51.100.9", false},
        {"all of IPv6 is not mapped IPv4", {"::/0"}, {}, "::ffff:198.51.100.9", false},
        {"IPv6 inside", {"2001:db8::/32"}, {}, "2001:db8:ffff::1", true},
        {"IPv6 outside", {"2001:db8::/32"}, {}, "2001:db9::1", false},
        {"odd length of IPv6, inside", {"2001:db8:8000::/33"}, {}, "2001:db8:8000::1", true},
        {"odd length of IPv6, outside", {"2001:db8:8000::/33"}, {}, "2001:db8:7fff::1", false},
        {"one IPv6 address", {"2001:db8::7/128"}, {}, "2001:db8::7", true},
        {"its neighbour", {"2001:db8::7/128"}, {}, "2001:db8::6", false},
        {"loopback", {"127.0.0.0/8"}, {}, "127.0.0.1", true},
        {"loopback of IPv6", {"::1/128"}, {}, "::1", true},
        {"allowed inside blocked", {"192.0.2.0/24"}, {"192.0.2.16/28"}, "192.0.2.17", false},
        {"beside the allowed", {"192.0.2.0/24"}, {"192.0.2.16/28"}, "192.0.2.32", true},
        {"blocked inside allowed", {"192.0.2.17/32"}, {"192.0.2.0/24"}, "192.0.2.17", false},
        {"both", {"192.0.2.0/24"}, {"192.0.2.0/24"}, "192.0.2.1", false},
        {"allowed is all of IPv4", {"192.0.2.0/24"}, {"0.0.0.0/0"}, "192.0.2.1", false},
        {"allowed of the other family", {"192.0.2.0/24"}, {"::/0"}, "192.0.2.1", true},
        {"one allowed of all", {"0.0.0.0/0"}, {"192.0.2.9/32"}, "192.0.2.9", false},
        {"all but one allowed", {"0.0.0.0/0"}, {"192.0.2.9/32"}, "192.0.2.8", true},
        {"nested", {"10.0.0.0/8", "10.1.2.0/24"}, {"10.1.0.0/16"}, "10.2.0.1", true},
        {"nested, allowed", {"10.0.0.0/8", "10.1.2.0/24"}, {"10.1.0.0/16"}, "10.1.2.3", false},
        {"allowed IPv6 inside", {"2001:db8::/32"}, {"2001:db8:1::/48"}, "2001:db8:1::1", false},
        {"swapped: the two lists", {"192.0.2.16/28"}, {"192.0.2.0/25"}, "192.0.2.17", false},
        {"swapped: blocked again", {"192.0.2.0/24"}, {}, "192.0.2.17", true},
        {"an empty list", {}, {}, "192.0.2.17", false},
        {"allowed only", {}, {"192.0.2.0/24"}, "192.0.2.17", false},
    };
    return rows;
}

AddressLists lists_of(const Row& row) {
    AddressLists lists;
    for (const auto* text : row.block) {
        lists.block.push_back(*parse_prefix(text));
    }
    for (const auto* text : row.allow) {
        lists.allow.push_back(*parse_prefix(text));
    }
    return lists;
}

bool is_v6(const std::string& address) {
    return address.find(':') != std::string::npos;
}

// "tcp ADDRESS", "udp ADDRESS": errno of reaching for it.
int reach(const std::string& line) {
    const bool tcp = line.starts_with("tcp ");
    const auto address = line.substr(4);
    sockaddr_storage storage{};
    socklen_t size = 0;
    if (is_v6(address)) {
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(9);
        ::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr);
        std::memcpy(&storage, &v6, size = sizeof(v6));
    } else {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(9);
        ::inet_pton(AF_INET, address.c_str(), &v4.sin_addr);
        std::memcpy(&storage, &v4, size = sizeof(v4));
    }
    const int fd = ::socket(
        storage.ss_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const auto* to = reinterpret_cast<const sockaddr*>(&storage);  // NOLINT
    const auto done = tcp ? ::connect(fd, to, size) : ::sendto(fd, "x", 1, 0, to, size);
    const int error = done < 0 ? errno : 0;
    ::close(fd);
    return error;
}

std::string work(const std::string& line, int /*socket*/) {
    if (line != "namespace") {
        return std::to_string(reach(line));
    }
    if (::unshare(CLONE_NEWNET) != 0) {
        return "unshare: " + std::to_string(errno);
    }
    const auto output = run("/bin/sh",
                            {"-c",
                             "ip link set lo up && ip route add local 0.0.0.0/0 dev lo && "
                             "ip -6 route add local ::/0 dev lo"});
    return output.exit == 0 ? "ok" : output.err;
}

// A packet as a program for a cgroup is given it; BPF_PROG_TEST_RUN takes off the link's header.
std::vector<std::uint8_t> packet(const std::string& from, const std::string& to) {
    constexpr std::size_t kLink = 14;
    const bool v6 = is_v6(from);
    std::vector<std::uint8_t> bytes(kLink + (v6 ? 40U : 20U) + 8);
    bytes[12] = v6 ? 0x86 : 0x08;
    bytes[13] = v6 ? 0xdd : 0x00;
    auto* header = &bytes[kLink];
    if (v6) {
        header[0] = 0x60;
        header[5] = 8;
        header[6] = IPPROTO_UDP;
        ::inet_pton(AF_INET6, from.c_str(), header + 8);
        ::inet_pton(AF_INET6, to.c_str(), header + 24);
    } else {
        header[0] = 0x45;
        header[3] = 28;
        header[8] = 64;
        header[9] = IPPROTO_UDP;
        ::inet_pton(AF_INET, from.c_str(), header + 12);
        ::inet_pton(AF_INET, to.c_str(), header + 16);
    }
    return bytes;
}

// What the program says: 1 lets it through, 0 drops it.
std::optional<unsigned> verdict(int program, const std::vector<std::uint8_t>& bytes) {
    bpf_test_run_opts options{};
    options.sz = sizeof(options);
    options.data_in = bytes.data();
    options.data_size_in = static_cast<std::uint32_t>(bytes.size());
    return ::bpf_prog_test_run_opts(program, &options) == 0 ? std::optional(options.retval)
                                                            : std::nullopt;
}

class PacketPrograms : public ::testing::TestWithParam<Delivery> {
protected:
    void SetUp() override {
        if (const auto reason = why_no_bpf(); !reason.empty()) {
            GTEST_SKIP() << reason;
        }
        auto opened = BpfObject::open(sensors::network_object(GetParam()), {});
        ASSERT_TRUE(opened.has_value()) << opened.error().message();
        object_.emplace(std::move(*opened));
        std::vector<sensors::LoadFailure> missing;
        ASSERT_TRUE(object_->load({}, missing).has_value());
    }

    void set_mode(std::uint32_t mode) const {
        const std::uint32_t zero = 0;
        const vigia_config config{.wanted = ~0U,
                                  .admitted = ~0U,
                                  .no_loopback = 0,
                                  .block_mode = mode,
                                  .max_args = 0,
                                  .kill_memfd = 0,
                                  .quiet_loopback = 0,
                                  .pad = 0,
                                  .boot_offset = 0};
        ASSERT_EQ(::bpf_map_update_elem(object_->map("vigia_config_map"), &zero, &config, BPF_ANY),
                  0);
    }

    // In: the remote address is the source; out: the destination.
    [[nodiscard]] std::optional<unsigned> in(const std::string& remote) const {
        return verdict(object_->program("vigia_block_in"), packet(remote, local(remote)));
    }

    [[nodiscard]] std::optional<unsigned> out(const std::string& remote) const {
        return verdict(object_->program("vigia_block_out"), packet(local(remote), remote));
    }

    static std::string local(const std::string& remote) {
        return is_v6(remote) ? "fd00::1" : "172.16.0.1";
    }

    std::optional<BpfObject> object_;
};

TEST_P(PacketPrograms, DecideAsTheTableSaysInBothDirections) {
    set_mode(VIGIA_BLOCK_DENY);
    sensors::KernelLists lists(object_->map("vigia_slot4"), object_->map("vigia_slot6"));
    for (const auto& row : table()) {
        ASSERT_TRUE(lists.set(lists_of(row)).has_value()) << row.what;
        const unsigned expected = row.refused ? 0 : 1;
        EXPECT_EQ(in(row.address), expected) << row.what << ": from " << row.address;
        EXPECT_EQ(out(row.address), expected) << row.what << ": to " << row.address;
    }
}

TEST_P(PacketPrograms, LetEverythingThroughInTheOtherModesAndWhatIsNoIp) {
    sensors::KernelLists lists(object_->map("vigia_slot4"), object_->map("vigia_slot6"));
    ASSERT_TRUE(lists.set({.block = {*parse_prefix("0.0.0.0/0"), *parse_prefix("::/0")}}));
    for (const std::uint32_t mode : {VIGIA_BLOCK_OFF, VIGIA_BLOCK_AUDIT}) {
        set_mode(mode);
        EXPECT_EQ(out("192.0.2.1"), 1U) << mode;
        EXPECT_EQ(in("2001:db8::1"), 1U) << mode;
    }
    set_mode(VIGIA_BLOCK_DENY);
    EXPECT_EQ(out("192.0.2.1"), 0U);
    auto other = packet("172.16.0.1", "192.0.2.1");
    other[12] = 0x88;  // not IP
    other[13] = 0xb5;
    EXPECT_EQ(verdict(object_->program("vigia_block_out"), other), 1U);
}

INSTANTIATE_TEST_SUITE_P(Through,
                         PacketPrograms,
                         ::testing::Values(Delivery::RingBuffer, Delivery::PerfBuffer),
                         [](const auto& one) {
                             return one.param == Delivery::RingBuffer ? "RingBuffer" : "PerfBuffer";
                         });

TEST(AddressSearch, InUserSpaceSaysTheSame) {
    for (const auto& row : table()) {
        const sensors::AddressTable search(lists_of(row));
        EXPECT_EQ(search.is_blocked(*parse_address(row.address)), row.refused) << row.what;
    }
}

TEST(AddressPrograms, DecideAsTheTableSaysForSocketsOfBothKinds) {
    if (const auto reason = why_no_bpf(); !reason.empty()) {
        GTEST_SKIP() << reason;
    }
    ToldChild child(work);
    const TestCgroup cgroup("run");
    if (cgroup.path().empty()) {
        GTEST_SKIP() << "no cgroup v2 hierarchy in which a test may make a cgroup";
    }
    ASSERT_TRUE(cgroup.take(child.pid()));
    ASSERT_EQ(child.ask("namespace"), "ok");
    KernelRecorder recorder;
    auto sensor = KernelSensor::open(
        {.processes = false, .settings = {.block_mode = BlockMode::Block}, .cgroup = cgroup.path()},
        recorder.observer());
    ASSERT_TRUE(sensor.has_value()) << sensor.error().message();
    const auto refused = std::to_string(EPERM);
    std::size_t refusals = 0;
    for (const auto& row : table()) {
        ASSERT_TRUE(sensor->set_lists(lists_of(row)).has_value()) << row.what;
        for (const std::string kind : {"tcp ", "udp "}) {
            const auto error = child.ask(kind + row.address);
            EXPECT_EQ(error == refused, row.refused)
                << row.what << ": " << kind << row.address << ": errno " << error;
            refusals += row.refused ? 1U : 0U;
        }
    }
    ASSERT_TRUE(sensor->drain(10s).has_value());
    const auto told = recorder.flows([&](const FlowEvent& flow) {
        return flow.change == FlowChange::ListedAddress && flow.owner.key.pid == child.pid() &&
               (flow.stop == ListStop::Connect || flow.stop == ListStop::Send);
    });
    EXPECT_EQ(told.size(), refusals) << "each refusal is told, with its process";
    EXPECT_EQ(imbalance_of(sensor->state()), "");
    ASSERT_TRUE(sensor->set({.block_mode = BlockMode::Audit}).has_value());
    ASSERT_TRUE(sensor->set_lists({.block = {*parse_prefix("192.0.2.0/24")}}).has_value());
    EXPECT_NE(child.ask("tcp 192.0.2.1"), refused);
    EXPECT_NE(child.ask("udp 192.0.2.1"), refused);
}

}  // namespace
}  // namespace vigia::test
