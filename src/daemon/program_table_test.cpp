// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/program_table.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "daemon/program_costs.h"

namespace vigia::daemon {
namespace {

using namespace std::chrono_literals;

BootTime at(std::chrono::nanoseconds since_boot) {
    return BootTime{1000s + since_boot};
}

TEST(ProgramTable, SumsTheLastTenSecondsAndForgetsWhatIsOlder) {
    ProgramTable table;
    const ProgramKey make{.path = "/usr/bin/make", .uid = 1000};
    table.add(make, {.events = 5, .scans = 1, .scanning = 20ms}, "/srv", at(0s));
    table.add(make, {.events = 7}, "/srv", at(9s));
    EXPECT_EQ(table.rows(at(9s)).programs.at(0).recent.events, 12U);
    EXPECT_EQ(table.rows(at(10s)).programs.at(0).recent.events, 7U);
    EXPECT_EQ(table.rows(at(30s)).programs.at(0).recent.events, 0U);
    EXPECT_GT(table.rows(at(30s)).programs.at(0).lasting, 0.0);
    EXPECT_DOUBLE_EQ(table.rows(at(30s)).programs.at(0).lasting_share, 1.0);
}

TEST(ProgramTable, TheSameProgramOfAnotherUserIsAnotherRowAndTheDearestComesFirst) {
    ProgramTable table;
    table.add({.path = "/bin/cp", .uid = 1}, {.events = 10}, {}, at(0s));
    table.add({.path = "/bin/cp", .uid = 2}, {.events = 30}, {}, at(0s));
    table.add({.path = "/bin/tar", .uid = 1}, {.scans = 1, .scanning = 1s}, {}, at(0s));
    const auto rows = table.rows(at(0s)).programs;
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(rows[0].program.path, "/bin/tar");
    EXPECT_EQ(rows[1].program.uid, 2U);
    EXPECT_EQ(rows[2].program.uid, 1U);
    EXPECT_NEAR(rows[0].recent_share + rows[1].recent_share + rows[2].recent_share, 1.0, 1e-9);
}

TEST(ProgramTable, IsBoundedAndSaysWhatGaveWay) {
    ProgramTable table(8);
    table.add({.path = "/usr/bin/storm"}, {.events = 1000}, {}, at(0s));
    for (int i = 0; i < 100; ++i) {
        table.add({.path = fmt::format("/tmp/{}", i)}, {.events = 1}, {}, at(1s));
    }
    EXPECT_EQ(table.size(), 8U);
    const auto rows = table.rows(at(1s));
    EXPECT_EQ(rows.displaced, 93U);
    EXPECT_EQ(rows.programs.at(0).program.path, "/usr/bin/storm");
    auto events = rows.others.events;
    for (const auto& row : rows.programs) {
        events += row.recent.events;
    }
    EXPECT_EQ(events, 1100U);
    EXPECT_NEAR(rows.others_share, 93.0 / 1100.0, 1e-9);
}

TEST(BusyFolders, KeepsTheBusiestOfManyInBoundedMemory) {
    BusyFolders folders;
    for (int i = 0; i < 5000; ++i) {
        folders.add("/srv/hot", 1, at(0s));
        folders.add(fmt::format("/srv/{}", i), 1, at(0s));
    }
    const auto list = folders.list();
    EXPECT_LE(list.size(), BusyFolders::kMost);
    EXPECT_EQ(list.at(0).path, "/srv/hot");
    EXPECT_GE(list.at(0).part, 0.5);
}

// What the costs ask of the world, counted.
struct World {
    std::map<pid_t, ProgramKey> running;
    std::map<pid_t, ProgramKey> ended;
    unsigned looks = 0;

    [[nodiscard]] ProgramCosts::Hooks hooks() {
        const auto find = [](const auto& in, pid_t pid) {
            const auto found = in.find(pid);
            return found == in.end() ? std::nullopt : std::optional(found->second);
        };
        return {.running =
                    [this, find](pid_t pid) {
                        ++looks;
                        return find(running, pid);
                    },
                .ran = [this, find](pid_t pid, BootTime) { return find(ended, pid); },
                .user_name = [](std::uint32_t uid) { return uid == 7 ? "ci" : ""; }};
    }
};

TEST(ProgramCosts, LooksAProcessUpOnceAndNotForEachEvent) {
    World world{.running = {{10, {.path = "/usr/bin/make", .uid = 7}}}, .ended = {}};
    ProgramCosts costs(world.hooks());
    for (int i = 0; i < 1000; ++i) {
        costs.on_file(10, Clock::boot(), "/srv/build/a.o");
    }
    costs.on_scan(10, Clock::boot(), 30ms);
    const auto report = costs.report();
    ASSERT_EQ(report.programs.size(), 1U);
    const auto& load = report.programs[0].load;
    EXPECT_EQ(load.path, "/usr/bin/make");
    EXPECT_EQ(load.user, "ci");
    EXPECT_EQ(load.processes, 1U);
    EXPECT_DOUBLE_EQ(load.events_per_second, 100.0);
    EXPECT_EQ(load.scans, 1U);
    EXPECT_DOUBLE_EQ(load.scan_seconds, 0.03);
    EXPECT_DOUBLE_EQ(load.share, 1.0);
    EXPECT_EQ(load.writes, std::vector<std::string>{"/srv/build"});
    EXPECT_LE(world.looks, 3U);  // once a second
}

TEST(ProgramCosts, WhoHasEndedIsAskedOfTheMemoryAndWhoNobodyKnowsIsARowWithoutAPath) {
    World world{.running = {}, .ended = {{11, {.path = "/usr/bin/cp", .uid = 0}}}};
    ProgramCosts costs(world.hooks());
    const auto before = Clock::boot() - 2s;
    costs.on_file(11, before, "/srv/a");
    costs.on_file(12, before, "/srv/b");
    costs.on_file(0, before, "/srv/c");  // our own search: nobody's
    const auto report = costs.report();
    ASSERT_EQ(report.programs.size(), 2U);
    EXPECT_EQ(report.programs[0].load.path, "");
    EXPECT_EQ(report.programs[0].load.user, "");
    EXPECT_EQ(report.programs[1].load.path, "/usr/bin/cp");
    EXPECT_EQ(report.programs[1].load.user, "0");
}

TEST(ProgramCosts, LooksUpNoMoreThanItsBudgetAllows) {
    World world;
    ProgramCosts costs(world.hooks());
    const auto begun = Clock::boot();
    for (pid_t pid = 1; pid <= 20'000; ++pid) {
        costs.on_file(pid, begun - 5s, "/srv/x");
    }
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(Clock::boot() - begun).count();
    EXPECT_LE(world.looks, ProgramCosts::kLooksPerSecond * static_cast<unsigned>(seconds + 1));
    const auto report = costs.report();
    ASSERT_EQ(report.programs.size(), 1U);
    EXPECT_DOUBLE_EQ(report.programs[0].load.events_per_second, 2000.0);  // none is lost
}

TEST(ProgramCosts, CountsWhatTheKernelCountedSinceTheLastTime) {
    World world;
    ProgramCosts costs(world.hooks());
    ProgramCosts::Counted curl{.program = {.device = 1, .inode = 2},
                               .key = {.path = "/usr/bin/curl", .uid = 7},
                               .events = 100,
                               .started = 3};
    costs.on_counted({curl});
    costs.on_counted({curl});
    curl.events = 150;
    costs.on_counted({curl});
    curl.events = 20;  // the kernel forgot it and began anew
    costs.on_counted({curl});
    const auto report = costs.report();
    ASSERT_EQ(report.programs.size(), 1U);
    EXPECT_DOUBLE_EQ(report.programs[0].load.events_per_second, 17.0);
    EXPECT_EQ(report.programs[0].load.processes, 6U);
}

}  // namespace
}  // namespace vigia::daemon
