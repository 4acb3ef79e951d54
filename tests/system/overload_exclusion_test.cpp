// SPDX-License-Identifier: GPL-2.0-or-later
// A program that never stops writing overloads us; the command that the fault prints ends it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>

#include "base/text.h"
#include "support/faults.h"
#include "support/watched_disk.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using namespace std::chrono_literals;

constexpr int kFault = 18;

class OverloadExclusion : public WatchedDisk {
protected:
    OverloadExclusion() {
        fs::create_directories(watched_ / "storm");
        fs::create_directories(program_.parent_path());
        fs::copy_file("/bin/dash", program_);
    }

    // Rewrites 200 files again and again, for three minutes at most.
    [[nodiscard]] Subprocess start_storm() const {
        const auto script = fmt::format(
            "cd {} && i=0 && end=$(($(date +%s) + 180)) && while [ $((i % 1000)) -ne 0 ] || "
            "[ $(date +%s) -lt $end ]; do i=$((i + 1)); echo $i > f$((i % 200)); done",
            shell_quoted((watched_ / "storm").native()));
        auto started = Subprocess::start({.program = program_, .arguments = {"-c", script}});
        EXPECT_TRUE(started) << (started ? "" : started.error().message());
        return std::move(*started);
    }

    static std::uint64_t left_out(const Instance& instance) {
        std::uint64_t sum = 0;
        const auto list = instance.json({"exclusions", "list"});
        for (const auto& set : list.at("sets")) {
            for (const auto& rule : set.at("rules")) {
                sum += rule.at("left_out").get<std::uint64_t>();
            }
        }
        return sum;
    }

    fs::path program_ = outside_ / "programs/storm";
};

TEST_F(OverloadExclusion, TheSuggestedCommandEndsTheOverloadWhileTheStormGoesOn) {
    Instance instance(
        options("[overload]\nreduce_events = 300\ncritical_events = 1000000000\n"
                "rise_after = \"500ms\"\ncalm_after = \"2s\"\n"
                "[processes]\nmonitor = false\n[network]\ndevice_flow_correlation = false\n"));
    ASSERT_TRUE(instance.start());
    auto storm = start_storm();
    json fault;
    ASSERT_TRUE(eventually(
        [&] {
            fault = fault_of(instance, kFault);
            return fault.is_object() && !fault.at("evidence").at("programs").empty() &&
                   fault.at("evidence").at("programs").at(0).at("path") == program_.native();
        },
        60s))
        << fault.dump(1);
    EXPECT_EQ(instance.status().at("mode"), "reduced");
    const auto busiest = fault.at("evidence").at("programs").at(0);
    EXPECT_EQ(busiest.at("user"), "root");
    EXPECT_GT(busiest.at("share"), 0.5);
    const auto command = busiest.at("exclusion").get<std::string>();
    ASSERT_NE(command, "");
    EXPECT_EQ(left_out(instance), 0U);

    // As somebody would paste it.
    const auto applied = run("/bin/sh",
                             {"-c",
                              fmt::format("PATH={}:$PATH; {}",
                                          shell_quoted(dev_program("vigia").parent_path().native()),
                                          command)});
    ASSERT_EQ(applied.exit, 0) << command << "\n" << applied.out << applied.err;
    EXPECT_TRUE(eventually([&] { return instance.status().at("mode") == "full"; }, 60s))
        << instance.status().at("load").dump();
    EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); }, 60s))
        << fault_of(instance, kFault).dump(1);
    ASSERT_FALSE(storm.wait(0ms)) << "the storm was over, so that nothing is proved";
    const auto so_far = left_out(instance);
    EXPECT_GT(so_far, 0U);
    EXPECT_TRUE(eventually([&] { return left_out(instance) > so_far; }));
    const auto why = instance.json({"exclusions",
                                    "test",
                                    (watched_ / "storm/f1").native(),
                                    "--process",
                                    program_.native(),
                                    "--user",
                                    "root"});
    EXPECT_EQ(why.at("excluded"), true) << why.dump();
    EXPECT_EQ(cleared_because(instance, kFault), "condition-gone");
    storm.kill(SIGKILL);
    ASSERT_TRUE(storm.wait(10s));
}

}  // namespace
}  // namespace vigia::test
