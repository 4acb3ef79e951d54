// SPDX-License-Identifier: GPL-2.0-or-later
// Storms of processes and connections: what may be left out is left out in the kernel, what must
// not be is told, and all is as before when it is over.
// timeout: 600
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "support/kernel_instance.h"
#include "support/storm.h"
#include "support/watched_disk.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using namespace std::chrono_literals;

constexpr int kFault = 18;

class OverloadLevels : public WatchedDisk {
protected:
    void SetUp() override {
        if (const auto reason = why_no_bpf(); !reason.empty()) {
            GTEST_SKIP() << reason;
        }
    }

    // "0>1 1>2 …", by the events.
    static std::string levels_told(const Instance& instance) {
        std::string all;
        for (const auto& event : instance.events("6002")) {
            if (event.at("vigia").at("event") == "load-level-changed") {
                const auto& facts = event.at("vigia").at("facts");
                all += fmt::format("{}{}>{}",
                                   all.empty() ? "" : " ",
                                   facts.at("level_before").get<std::string>(),
                                   facts.at("level").get<std::string>());
            }
        }
        return all;
    }

    static std::string reasons(const Instance& instance) {
        std::string all;
        for (const auto& event : instance.events("6002")) {
            if (event.at("vigia").at("event") == "load-level-changed") {
                all += event.at("message").get<std::string>() + "\n";
            }
        }
        return all;
    }

    static std::string mode(const Instance& instance) {
        return instance.status().at("mode").get<std::string>();
    }

    // Lines of the events file that tell that this program was launched; by its path.
    static std::map<std::string, json> launches_below(const Instance& instance,
                                                      const std::string& folder) {
        std::map<std::string, json> found;
        std::istringstream lines(all_event_lines(instance));
        for (std::string line; std::getline(lines, line);) {
            if (line.find("process-launched") == std::string::npos ||
                line.find(folder) == std::string::npos) {
                continue;
            }
            auto event = json::parse(line, nullptr, false);
            if (event.is_object() && word_in(event) == "process-launched") {
                found[event.at("process").at("file").value("path", "")] = event;
            }
        }
        return found;
    }
};

TEST_F(OverloadLevels, InAStormEveryStartIsToldAndTheRestIsFilteredUntilItIsOver) {
    constexpr int kMarkers = 40;
    // The rates are far above what other work on this machine causes, and far below what a loop of
    // connections does.
    Instance instance(
        options("[network]\nloopback = true\n"
                "[overload]\nreduce_events = 2000\ncritical_events = 2500\n"
                "rise_after = \"500ms\"\ncalm_after = \"2s\"\n"));
    ASSERT_TRUE(start_with_kernel(instance));
    ASSERT_TRUE(eventually([&] { return mode(instance) == "full"; }));
    const auto markers = outside_ / "markers";
    fs::create_directories(markers);
    for (int i = 0; i < kMarkers; ++i) {
        fs::copy_file("/bin/true", markers / fmt::format("marker{}", i));
    }
    constexpr int kLength = 20'000;
    std::vector<Subprocess> storm;
    storm.push_back(start_connect_storm(kLength));
    storm.push_back(start_connect_storm(kLength));
    storm.push_back(start_exec_storm(kLength));
    ASSERT_TRUE(eventually([&] { return mode(instance) == "critical-only"; }))
        << instance.status().at("load").dump();
    EXPECT_TRUE(eventually([&] {
        const auto fault = fault_of(instance, kFault);
        return fault.is_object() && fault.at("severity") == "critical";
    }));
    for (int i = 0; i < kMarkers; ++i) {
        ASSERT_EQ(run(markers / fmt::format("marker{}", i), {}).exit, 0);
    }
    EXPECT_EQ(mode(instance), "critical-only") << "the storm was over before the markers";
    for (auto& one : storm) {
        const auto status = one.wait(60s);
        ASSERT_TRUE(status && WIFEXITED(*status) && WEXITSTATUS(*status) == 0);
    }
    ASSERT_TRUE(eventually([&] { return mode(instance) == "full"; }, 60s))
        << instance.status().at("load").dump();
    ASSERT_TRUE(eventually([&] { return is_clear(instance, kFault); }))
        << fault_of(instance, kFault).dump(1);

    std::map<std::string, json> told;
    // The file of events may be far behind after such a storm.
    EXPECT_TRUE(eventually(
        [&] {
            told = launches_below(instance, markers.native());
            return told.size() == kMarkers;
        },
        180s))
        << told.size();
    EXPECT_TRUE(eventually(
        [&] { return vigia::test::told(fault_lines(instance), kFault, "fault-cleared") > 0; },
        120s));
    for (const auto& [path, event] : told) {
        EXPECT_EQ(event.at("process").at("parent_process").at("pid"), ::getpid()) << path;
    }
    const auto exec = accounting_of(instance, "exec");
    EXPECT_EQ(exec.at("filtered").at("overload"), 0);
    EXPECT_EQ(exec.at("lost"), 0);
    for (const auto* cls : {"fork", "exit", "accept", "close", "connect"}) {
        EXPECT_GT(accounting_of(instance, cls).at("filtered").at("overload"), 0) << cls;
    }
    for (const auto* cls : {"exec", "fork", "exit", "connect", "accept", "close", "udp"}) {
        EXPECT_TRUE(
            eventually([&] { return imbalance_of(accounting_of(instance, cls)) == 0; }, 10s))
            << accounting_of(instance, cls).dump();
    }
    EXPECT_TRUE(levels_told(instance).starts_with("0>1 1>2")) << levels_told(instance);
    EXPECT_TRUE(levels_told(instance).ends_with("2>1 1>0")) << levels_told(instance);
    expect_one_episode(instance, kFault);
    EXPECT_GE(vigia::test::told(instance.events("6008"), kFault, "fault-updated"), 1);

    // Everything is told again.
    const auto program = outside_ / "afterwards";
    fs::copy_file("/bin/true", program);
    ASSERT_EQ(run(program, {}).exit, 0);
    EXPECT_TRUE(eventually([&] {
        return !events_where(instance, "process", [&](const json& event) {
                    return word_in(event) == "process-terminated" &&
                           event.at("process").contains("file") &&
                           event.at("process").at("file").value("path", "") == program.native();
                }).empty();
    }));
}

TEST_F(OverloadLevels, AStormThatComesAndGoesDoesNotFlap) {
    Instance instance(
        options("[network]\nloopback = true\n"
                "[overload]\nreduce_events = 2000\ncritical_events = 1000000000\n"
                "rise_after = \"500ms\"\ncalm_after = \"6s\"\n"));
    ASSERT_TRUE(start_with_kernel(instance));
    constexpr int kLength = 24'000;
    constexpr int kPause = 2'000;  // two seconds of storm, two without
    auto storm = start_connect_storm(kLength, kPause);
    ASSERT_TRUE(eventually([&] { return mode(instance) == "reduced"; }))
        << instance.status().at("load").dump();
    const auto status = storm.wait(60s);
    ASSERT_TRUE(status && WIFEXITED(*status) && WEXITSTATUS(*status) == 0);
    // A fast machine fills the ring before the level takes hold, which is level 2.
    const auto up = levels_told(instance);
    EXPECT_TRUE(up == "0>1" || up == "0>1 1>2") << reasons(instance);
    EXPECT_NE(mode(instance), "full");
    ASSERT_TRUE(eventually([&] { return is_clear(instance, kFault); }, 60s))
        << instance.status().at("load").dump();
    EXPECT_EQ(levels_told(instance), up == "0>1" ? "0>1 1>0" : "0>1 1>2 2>1 1>0")
        << reasons(instance);
    expect_one_episode(instance, kFault);
}

}  // namespace
}  // namespace vigia::test

int main(int argc, char** argv) {
    return vigia::test::run_storm_or_tests(argc, argv);
}
