// SPDX-License-Identifier: GPL-2.0-or-later
// Fault 7, by definitions that really do not load: broken files, none at all, too little memory.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <set>

#include "base/files.h"
#include "support/faults.h"
#include "support/watched_disk.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::seconds;

constexpr int kFault = 7;
constexpr unsigned kManySignatures = 400'000;
constexpr const char* kTooLittle = "50331648";  // 48 MiB: enough for all but that set
constexpr const char* kGood = "aa15bcf478d165efd2065190eb473bcb:544:Test.Good\n";

std::string many_signatures() {
    std::string many;
    for (unsigned i = 0; i < kManySignatures; ++i) {
        many += fmt::format("{:08x}{:08x}{:08x}{:08x}:{}:Test.Many.{}\n",
                            i * 2'654'435'761U,
                            i,
                            ~i,
                            i ^ 0x5a5a5a5aU,
                            1000 + i % 50'000,
                            i);
    }
    return many;
}

// In either hierarchy, wherever in it we stand: the file exists in all cgroups or in none.
bool kernel_counts_kills() {
    return read_text("/sys/fs/cgroup/memory/memory.oom_control").find("oom_kill ") !=
               std::string::npos ||
           read_text("/sys/fs/cgroup/cgroup.controllers").find("memory") != std::string::npos;
}

// A memory cgroup of the first version (v1) that the daemon is started in.
class MemoryLimit {
public:
    MemoryLimit() : folder_(fmt::format("/sys/fs/cgroup/memory/vigia-test-{}", ::getpid())) {
        std::error_code error;
        fs::create_directory(folder_, error);
    }

    MemoryLimit(const MemoryLimit&) = delete;
    MemoryLimit& operator=(const MemoryLimit&) = delete;

    // Whoever was in it has ended before; the kernel takes a moment to see it.
    ~MemoryLimit() {
        EXPECT_TRUE(eventually([&] {
            std::error_code error;
            fs::remove(folder_, error);
            return !fs::exists(folder_);
        })) << folder_;
    }

    [[nodiscard]] bool exists() const { return fs::exists(folder_ / "memory.limit_in_bytes"); }

    void set(const std::string& bytes) const {
        write_file(folder_ / "memory.limit_in_bytes", bytes);
    }

    [[nodiscard]] std::string limit() const { return read_text(folder_ / "memory.limit_in_bytes"); }

    [[nodiscard]] std::vector<std::string> entrance() const {
        return {"/bin/sh",
                "-c",
                fmt::format("echo $$ > {}/cgroup.procs && exec \"$0\" \"$@\"", folder_.native())};
    }

    [[nodiscard]] std::string control() const { return read_text(folder_ / "memory.oom_control"); }

private:
    fs::path folder_;
};

class DefinitionFaults : public WatchedDisk {
protected:
    DefinitionFaults() { fs::create_directories(source_); }

    Instance::Options with(bool self_heal) const {
        return options(
            fmt::format("[processes]\nmonitor = false\n[network]\ndevice_flow_correlation = false\n"
                        "[faults]\nself_heal = {}\n"
                        "[definitions]\nsources = [{{ kind = \"folder\", path = \"{}\" }}]\n",
                        self_heal,
                        source_.native()));
    }

    // As a publisher does it: there is never a half of it under its name.
    void publish(const std::string& name, const std::string& content) const {
        write_file(source_ / ("." + name), content);
        fs::rename(source_ / ("." + name), source_ / name);
    }

    static json evidence(const Instance& instance) {
        return fault_of(instance, kFault)["evidence"];
    }

    static std::set<pid_t> services(const Instance& instance) {
        std::set<pid_t> found;
        for (const pid_t child : children_of(instance.pid())) {
            if (program_of(child) == "vigia-scand") {
                found.insert(child);
            }
        }
        return found;
    }

    // Looks on for a while: how many scan services there were.
    static std::size_t services_within(const Instance& instance, std::chrono::milliseconds time) {
        std::set<pid_t> seen;
        (void)eventually(
            [&] {
                seen.merge(services(instance));
                return false;
            },
            time);
        return seen.size();
    }

    void expect_scanning(const Instance& instance, const char* name) const {
        write_file(watched_ / name, eicar_);
        EXPECT_TRUE(eventually([&] { return !fs::exists(watched_ / name); }))
            << name << instance.status().at("scan").dump(1);
    }

    fs::path source_ = ground_.root() / "source";
};

TEST_F(DefinitionFaults, ASignatureThatDoesNotParseIsNamedAndItsMendingClearsLive) {
    publish("good.hdb", kGood);
    publish("bad.ndb", "Broken.Signature:0:*:this is no hexadecimal\n");
    Instance instance(with(false));
    ASSERT_TRUE(instance.start(false));
    ASSERT_TRUE(eventually([&] { return cause_of(instance, kFault) == "definitions-rejected"; }))
        << instance.status().dump(1);
    EXPECT_EQ(evidence(instance).at("file"), "bad.ndb");
    const auto message = evidence(instance).at("message").get<std::string>();
    EXPECT_NE(message.find("alformed"), std::string::npos) << message;
    EXPECT_EQ(fault_of(instance, kFault).at("severity"), "critical");
    EXPECT_EQ(instance.status().at("state"), "unprotected");
    // The pause between two starts doubles: 0.5, 1, 2, 4 s.
    EXPECT_LE(services_within(instance, std::chrono::seconds{4}), 5U);
    EXPECT_EQ(cause_of(instance, kFault), "definitions-rejected");

    write_file(watched_ / "meanwhile", eicar_);
    publish("bad.ndb", "Mended.Signature:0:*:6d656e6465642d7369676e6174757265\n");
    EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); }));
    EXPECT_EQ(cleared_because(instance, kFault), "condition-gone");
    EXPECT_TRUE(eventually([&] { return !fs::exists(watched_ / "meanwhile"); }))
        << "what changed while nothing could be scanned is scanned afterwards";
    expect_one_episode(instance, kFault);
    EXPECT_EQ(told(instance.events("6008"), kFault, "fault-updated"), 0);
}

// No .yar file: libclamav passes over a rule that it cannot parse, and loads the rest.
TEST_F(DefinitionFaults, EveryKindOfBrokenFileIsNamed) {
    const std::string header = "ClamAV-VDB:01 Jan 2026 00-00 +0000:1:1:90:";
    const std::vector<std::pair<std::string, std::string>> broken{
        {"logical.ldb", "Broken;Engine:81-255,Target:0;(0&1;6161\n"},
        {"short.cvd", header + "0000"},
        {"flipped.cld", header + std::string(512 - header.size(), 'x') + "\x1f\x8b\xff\xff\xff"},
    };
    for (const auto& [name, content] : broken) {
        publish("good.hdb", kGood);
        publish(name, content);
        Instance instance(with(false));
        ASSERT_TRUE(instance.start(false));
        EXPECT_TRUE(eventually([&] {
            return cause_of(instance, kFault) == "definitions-rejected";
        })) << name
            << instance.status().dump(1);
        if (cause_of(instance, kFault) == "definitions-rejected") {
            EXPECT_EQ(evidence(instance).at("file"), name) << evidence(instance).dump(1);
            EXPECT_FALSE(evidence(instance).at("message").get<std::string>().empty());
        }
        fs::remove(source_ / name);
        EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); })) << name;
        instance.kill(SIGTERM);
        ASSERT_TRUE(instance.wait(std::chrono::seconds{5}).has_value());
        fs::remove_all(ground_.root() / "p/var");
    }
}

TEST_F(DefinitionFaults, SelfHealSetsTheFileAsideAndLoadsTheRest) {
    publish("good.hdb", kGood);
    const std::string bad = "Broken.Signature:0:*:this is no hexadecimal\n";
    publish("bad.ndb", bad);
    Instance instance(with(true));
    ASSERT_TRUE(instance.start());
    ASSERT_TRUE(eventually([&] { return cleared_because(instance, kFault) == "healed"; }))
        << instance.json({"faults", "history"}).dump(1);
    std::vector<fs::path> aside;
    for (const auto& entry :
         fs::directory_iterator(instance.path("var/lib/vigia/definitions/rejected"))) {
        aside.push_back(entry.path());
    }
    std::ranges::sort(aside);
    ASSERT_EQ(aside.size(), 2U);
    EXPECT_TRUE(aside[0].native().ends_with("-bad.ndb")) << aside[0];
    EXPECT_EQ(read_text(aside[0]), bad);
    EXPECT_EQ(aside[1], aside[0].native() + ".reason");
    EXPECT_NE(read_text(aside[1]).find("alformed"), std::string::npos) << read_text(aside[1]);
    EXPECT_TRUE(fs::exists(source_ / "bad.ndb")) << "the source is not ours to change";
    EXPECT_GE(instance.status().at("definitions").at("signatures").get<int>(), 3);
    expect_one_episode(instance, kFault);
    expect_scanning(instance, "after");

    // Another content under the name is taken again.
    const auto before = instance.status().at("definitions").at("signatures").get<int>();
    publish("bad.ndb", "Mended.Signature:0:*:6d656e6465642d7369676e6174757265\n");
    EXPECT_TRUE(eventually(
        [&] { return instance.status().at("definitions").at("signatures") == before + 1; }));
}

TEST_F(DefinitionFaults, AnEmptyFolderIsAFaultUntilAFileAppears) {
    Instance instance(with(true));
    ASSERT_TRUE(instance.start());
    ASSERT_TRUE(eventually([&] { return cause_of(instance, kFault) == "no-definitions"; }));
    const auto fault = fault_of(instance, kFault);
    EXPECT_EQ(fault.at("severity"), "critical");
    EXPECT_EQ(fault.at("evidence").at("sources"), json::array({source_.native()}));
    EXPECT_EQ(instance.status().at("state"), "unprotected");
    expect_scanning(instance, "by-the-built-in-set");

    publish("good.hdb", kGood);
    EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); }, std::chrono::seconds{15}));
    expect_one_episode(instance, kFault);

    fs::remove(source_ / "good.hdb");
    EXPECT_TRUE(eventually([&] { return cause_of(instance, kFault) == "no-definitions"; }));
}

TEST_F(DefinitionFaults, TooLittleMemoryIsToldFromBadFilesAndMoreOfItIsUsedAtOnce) {
    const MemoryLimit memory;
    if (!memory.exists()) {
        GTEST_SKIP() << "no memory controller at /sys/fs/cgroup/memory";
    }
    publish("many.hdb", many_signatures());
    memory.set(kTooLittle);
    auto limited = with(true);
    limited.through = memory.entrance();
    Instance instance(limited);
    ASSERT_TRUE(instance.start(false));
    ASSERT_TRUE(eventually([&] { return cause_of(instance, kFault) == "out-of-memory"; }))
        << fault_of(instance, kFault).dump(1) << memory.control();
    EXPECT_EQ(evidence(instance).at("available_bytes"), std::stoll(kTooLittle));
    EXPECT_EQ(instance.status().at("state"), "unprotected");
    EXPECT_LE(services_within(instance, seconds{6}), 8U) << "a storm of restarts";
    EXPECT_EQ(cause_of(instance, kFault), "out-of-memory");
    EXPECT_FALSE(instance.wait(std::chrono::milliseconds{0}).has_value());

    memory.set("-1");
    EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); }))
        << fault_of(instance, kFault).dump(1);
    EXPECT_GE(instance.status().at("definitions").at("signatures").get<unsigned>(),
              kManySignatures);
    expect_scanning(instance, "after");
    expect_one_episode(instance, kFault);
}

// Nothing but more memory brings it back soon: repairs are off, and the service's own next try is
// far away by then.
TEST_F(DefinitionFaults, WhatASetNeedsIsMeasuredAndALimitThatIsRaisedIsUsed) {
    const MemoryLimit memory;
    if (!memory.exists()) {
        GTEST_SKIP() << "no memory controller at /sys/fs/cgroup/memory";
    }
    publish("many.hdb", many_signatures());
    auto limited = with(false);
    limited.through = memory.entrance();
    Instance instance(limited);
    ASSERT_TRUE(instance.start());
    ASSERT_EQ(services(instance).size(), 1U);
    ::kill(*services(instance).begin(), SIGKILL);
    // The kernel accepts the limit only once what is in use fits.
    ASSERT_TRUE(eventually([&] {
        memory.set(kTooLittle);
        return memory.limit().starts_with(kTooLittle);
    }));
    for (const pid_t service : services(instance)) {
        ::kill(service, SIGKILL);  // one that was begun before
    }
    ASSERT_TRUE(eventually([&] { return cause_of(instance, kFault) == "out-of-memory"; }))
        << fault_of(instance, kFault).dump(1) << memory.control();
    const auto needed = evidence(instance).at("needed_bytes").get<std::uint64_t>();
    const auto reached = evidence(instance).at("reached_bytes").get<std::uint64_t>();
    EXPECT_GT(needed, std::stoull(kTooLittle)) << evidence(instance).dump(1);
    EXPECT_LT(reached, needed);
    EXPECT_EQ(evidence(instance).at("available_bytes"), std::stoll(kTooLittle));
    EXPECT_NE(instance.cli({"faults", "show", "7"}).out.find(std::to_string(needed)),
              std::string::npos);

    memory.set("-1");
    EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); }))
        << fault_of(instance, kFault).dump(1);
    EXPECT_NE(read_text(instance.path("daemon.err")).find("definitions are loaded again"),
              std::string::npos);
    expect_scanning(instance, "after");
}

TEST_F(DefinitionFaults, AKillBySomebodyWhileItLoadsIsNotTakenForALackOfMemory) {
    publish("good.hdb", kGood);
    Instance instance(with(false));
    ASSERT_TRUE(instance.start());
    // Every service that begins is ended while it loads, until that has been said.
    std::set<pid_t> killed;
    ASSERT_TRUE(eventually([&] {
        for (const pid_t service : services(instance)) {
            ::kill(service, SIGKILL);
            killed.insert(service);
        }
        return fault_of(instance, kFault).is_object();
    }));
    const auto fault = fault_of(instance, kFault);
    EXPECT_EQ(fault.at("cause"), kernel_counts_kills() ? "killed" : "killed-or-out-of-memory")
        << fault.dump(1);
    EXPECT_GE(killed.size(), 2U) << "the one that served, and one that loaded";
    EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); }))
        << fault_of(instance, kFault).dump(1);
    expect_scanning(instance, "after");
}

TEST_F(DefinitionFaults, AFolderThatComesLaterIsSeen) {
    fs::remove(source_);
    Instance instance(with(true));
    ASSERT_TRUE(instance.start());
    ASSERT_TRUE(eventually([&] { return cause_of(instance, kFault) == "no-definitions"; }));
    fs::create_directories(source_);
    publish("good.hdb", kGood);
    EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); }));
}

}  // namespace
}  // namespace vigia::test
