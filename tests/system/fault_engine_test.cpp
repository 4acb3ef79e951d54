// SPDX-License-Identifier: GPL-2.0-or-later
// The rules that hold for every fault: time, flapping, policy, languages, repair, who may see what.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <thread>

#include "base/clock.h"
#include "support/told_faults.h"
#include "support/watched_disk.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

constexpr int kUser = 5;
constexpr int kFileMonitor = 8;

class FaultEngine : public WatchedDisk {
protected:
    [[nodiscard]] Instance::Options with(const std::string& overrides) const {
        return options(quiet_policy("overrides = [" + overrides + "]"));
    }

    static void set_mode(const Instance& instance, mode_t mode) {
        ASSERT_EQ(::chmod(instance.path("var/lib/vigia/definitions").c_str(), mode), 0);
    }

    static bool is_raised(const Instance& instance, int id) {
        return eventually([&] { return raised_fault(instance, id).is_object(); });
    }

    static bool is_cleared(const Instance& instance, int id) {
        return eventually([&] { return raised_fault(instance, id).is_null(); });
    }

    static std::string last_word(const Instance& instance, int id) {
        const auto history = instance.json({"faults", "history"});
        for (const auto& episode : history.at("episodes")) {
            if (episode.at("id") == id && episode.at("cleared_because").is_string()) {
                return episode.at("cleared_because");
            }
        }
        return "";
    }

    // As a user without any right; what was said and, on a line of its own, the HTTP status.
    [[nodiscard]] static std::string as_nobody(const Instance& instance,
                                               std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(),
                         {"--reuid=65534",
                          "--regid=65534",
                          "--clear-groups",
                          "curl",
                          "-s",
                          "-w",
                          "\n%{http_code}",
                          "--unix-socket",
                          instance.path("run/vigia/status.sock").native()});
        return run("/usr/bin/setpriv", arguments).out;
    }

    static std::string health(const Instance& instance) {
        return run("/usr/bin/curl",
                   {"-s",
                    "-o",
                    "/dev/null",
                    "-w",
                    "%{http_code}",
                    "--unix-socket",
                    instance.path("run/vigia/status.sock").native(),
                    "http://vigia/healthz"})
            .out;
    }
};

TEST_F(FaultEngine, AJumpOfTheWallClockByADayRaisesAndClearsNothing) {
    constexpr std::int64_t kDay = 86'400;
    auto asked = with("{ id = 5, clear_after = \"4s\" }");
    const auto offset = ground_.root() / "offset";
    asked.environment = {"VIGIA_TEST_CLOCK_OFFSET=" + offset.native()};
    Instance instance(asked);
    ASSERT_TRUE(instance.start());
    set_mode(instance, 0777);
    ASSERT_TRUE(is_raised(instance, kUser));
    const auto episode = raised_fault(instance, kUser).at("episode");
    const auto before = instance.events("fault").size();
    int infected = 0;
    for (const std::int64_t jump : {kDay, -kDay, std::int64_t{0}}) {
        const auto real = Clock().wall();
        write_file(offset, std::to_string(jump));
        // It goes on working, and by the other clock.
        write_file(watched_ / fmt::format("bad{}", ++infected), eicar_);
        ASSERT_TRUE(eventually([&] { return in_vault(instance) == std::size_t(infected); }));
        const auto told = instance.events("detection").back().at("time").get<std::int64_t>();
        const auto expected =
            std::chrono::duration_cast<std::chrono::seconds>(real.time_since_epoch()).count() +
            jump;
        EXPECT_NEAR(static_cast<double>(told) / 1000, static_cast<double>(expected), 600);
        EXPECT_EQ(raised_fault(instance, kUser).at("episode"), episode);
        EXPECT_EQ(instance.events("fault").size(), before);
    }
    // How long it has been gone is measured by another clock.
    const auto gone = BootClock::now();
    set_mode(instance, 0755);
    write_file(offset, std::to_string(kDay));
    ASSERT_TRUE(is_cleared(instance, kUser));
    EXPECT_GE(BootClock::now() - gone, 4s);
    EXPECT_EQ(told_faults(instance.events("fault")).size(), 1U);
}

TEST_F(FaultEngine, AConditionThatComesAndGoesIsOneFaultThatFlaps) {
    constexpr int kFlips = 1000;
    Instance instance(
        with("{ id = 5, raise_after = \"0ms\", clear_after = \"0ms\", quiet_after = \"5s\" }"));
    ASSERT_TRUE(instance.start());
    for (int flip = 0; flip < kFlips; ++flip) {
        set_mode(instance, flip % 2 == 0 ? 0777 : 0755);
        // As fast as the daemon looks; slower would be fewer flips that it sees.
        std::this_thread::sleep_for(30ms);
    }
    set_mode(instance, 0777);
    ASSERT_TRUE(is_raised(instance, kUser));
    const auto list = instance.json({"faults", "list"});
    EXPECT_EQ(list.at("faults").size(), 1U);
    EXPECT_EQ(list.at("faults").at(0).at("flapping"), true);
    const auto events = instance.events("fault");
    EXPECT_GE(events.size(), 11U) << "it has hardly seen anything";
    EXPECT_LT(events.size(), 30U);
    set_mode(instance, 0755);
    ASSERT_TRUE(is_cleared(instance, kUser)) << "once it is quiet";
    const auto told = told_faults(instance.events("fault"));
    for (const auto& [uid, one] : told) {
        EXPECT_EQ(one.raised, 1);
        EXPECT_EQ(one.cleared, 1);
    }
}

TEST_F(FaultEngine, AFaultThatFlapsStillDoesAfterARestart) {
    Instance instance(
        with("{ id = 5, raise_after = \"0ms\", clear_after = \"0ms\", quiet_after = \"3s\" }"));
    ASSERT_TRUE(instance.start());
    // As often as it may without flapping.
    for (int episode = 0; episode < 5; ++episode) {
        set_mode(instance, 0777);
        ASSERT_TRUE(is_raised(instance, kUser));
        EXPECT_EQ(raised_fault(instance, kUser).at("flapping"), false) << episode;
        set_mode(instance, 0755);
        ASSERT_TRUE(is_cleared(instance, kUser));
    }
    instance.kill(SIGKILL);
    ASSERT_TRUE(instance.wait(10s).has_value());
    ASSERT_TRUE(instance.start());
    set_mode(instance, 0777);
    ASSERT_TRUE(is_raised(instance, kUser));
    EXPECT_EQ(raised_fault(instance, kUser).at("flapping"), true);
    set_mode(instance, 0755);
    ASSERT_TRUE(is_cleared(instance, kUser)) << "once it is quiet";
}

TEST_F(FaultEngine, ARepairByHandIsWhatEndsAFaultThatClearsAtOnce) {
    Instance instance(with("{ id = 5, clear_after = \"0ms\" }"));
    ASSERT_TRUE(instance.start());
    for (int time = 0; time < 3; ++time) {
        set_mode(instance, 0777);
        ASSERT_TRUE(is_raised(instance, kUser));
        const auto done = instance.cli({"faults", "fix", "5"});
        EXPECT_EQ(done.exit, 0) << done.out << done.err;
        ASSERT_TRUE(is_cleared(instance, kUser));
        EXPECT_EQ(last_word(instance, kUser), "healed") << time;
    }
}

TEST_F(FaultEngine, WhatPolicyDoesNotAskForIsNoFault) {
    auto asked = with("{ id = 8, clear_after = \"1h\" }");
    // env(1) runs setpriv(1), which becomes the daemon: the kernel refuses it the watch.
    asked.environment = {"setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"};
    Instance instance(asked);
    ASSERT_TRUE(instance.start(false));
    ASSERT_TRUE(is_raised(instance, kFileMonitor));
    EXPECT_EQ(raised_cause(instance, kFileMonitor), "no-permission");
    EXPECT_EQ(instance.status().at("state"), "unprotected");
    EXPECT_EQ(health(instance), "503");
    EXPECT_EQ(instance.cli({"status", "--nagios"}).exit, 2);

    auto off = asked;
    off.more_files = "monitor_copies_and_moves = false";
    const auto wanted = read_text(instance.path("etc/vigia/policy.toml"));
    Instance{off};  // only for its policy file
    ASSERT_TRUE(is_cleared(instance, kFileMonitor)) << "an hour before its time";
    EXPECT_EQ(last_word(instance, kFileMonitor), "not-wanted-by-policy");
    instance.write_policy(wanted);
    ASSERT_TRUE(is_raised(instance, kFileMonitor));
}

TEST_F(FaultEngine, EveryFaultIsExplainedInBothLanguagesWithoutADaemon) {
    const auto vigia = [&](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"--prefix", (ground_.root() / "none").native()});
        return run(dev_program("vigia"), arguments);
    };
    const auto catalogue = Json::parse(vigia({"--json", "faults", "catalogue"}).out);
    ASSERT_GE(catalogue.at("faults").size(), 8U);
    for (const auto& fault : catalogue.at("faults")) {
        const auto id = std::to_string(fault.at("id").get<int>());
        const auto english = vigia({"--lang", "en", "faults", "explain", id});
        const auto spanish = vigia({"--lang", "es", "faults", "explain", id});
        EXPECT_EQ(english.exit, 0) << english.err;
        EXPECT_EQ(spanish.exit, 0) << spanish.err;
        EXPECT_THAT(english.out, HasSubstr(fault.at("title").get<std::string>()));
        EXPECT_NE(english.out, spanish.out) << id;
        EXPECT_GT(spanish.out.size(), 200U) << id;
        const auto by_key = vigia({"faults", "explain", fault.at("key").get<std::string>()});
        EXPECT_EQ(by_key.exit, 0) << by_key.err;
    }
    EXPECT_EQ(vigia({"faults", "explain", "4711"}).exit, 2);
}

TEST_F(FaultEngine, ARepairIsShownWithoutDoingItAndDoneWhenAsked) {
    // Long enough for the repair to report before the fault is over.
    Instance instance(with("{ id = 5, clear_after = \"3s\" }"));
    ASSERT_TRUE(instance.start());
    EXPECT_NE(instance.cli({"faults", "fix", "5"}).exit, 0) << "it is not raised";
    set_mode(instance, 0777);
    ASSERT_TRUE(is_raised(instance, kUser));
    const auto mode = [&] {
        struct stat found{};
        ::stat(instance.path("var/lib/vigia/definitions").c_str(), &found);
        return found.st_mode & 07777U;
    };
    const auto dry = instance.json({"faults", "fix", "5", "--dry-run"});
    EXPECT_EQ(dry.at("dry_run"), true);
    EXPECT_NE(dry.at("does"), "");
    EXPECT_FALSE(dry.contains("result"));
    EXPECT_EQ(instance.cli({"faults", "fix", "5", "--dry-run"}).exit, 0);
    EXPECT_EQ(mode(), 0777U);
    EXPECT_TRUE(raised_fault(instance, kUser).is_object());

    const auto done = instance.cli({"faults", "fix", "5"});
    EXPECT_EQ(done.exit, 0) << done.out << done.err;
    EXPECT_EQ(mode(), 0755U);
    ASSERT_TRUE(is_cleared(instance, kUser));
    EXPECT_EQ(last_word(instance, kUser), "healed");
    int attempts = 0;
    const auto events = instance.events("service");
    for (const auto& event : events) {
        attempts += word_of(event) == "heal-attempted" ? 1 : 0;
    }
    EXPECT_EQ(attempts, 1);
}

TEST_F(FaultEngine, HealthSaysFineOnlyWhenItIsProtected) {
    Instance instance(with("{ id = 5, clear_after = \"0ms\" }"));
    EXPECT_EQ(instance.cli({"status", "--nagios"}).exit, 3) << "nobody there";
    ASSERT_TRUE(instance.start());
    ASSERT_TRUE(eventually([&] { return instance.status().at("state") == "protected"; }))
        << instance.status().at("state_reason");
    EXPECT_EQ(health(instance), "200");
    EXPECT_EQ(instance.cli({"status", "--nagios"}).exit, 0);
    set_mode(instance, 0777);
    ASSERT_TRUE(is_raised(instance, kUser));
    EXPECT_EQ(instance.status().at("state"), "degraded");
    EXPECT_EQ(health(instance), "503");
    const auto nagios = instance.cli({"status", "--nagios"});
    EXPECT_EQ(nagios.exit, 1);
    EXPECT_THAT(nagios.out, HasSubstr("1 faults"));
    set_mode(instance, 0755);
    ASSERT_TRUE(is_cleared(instance, kUser));
    EXPECT_EQ(health(instance), "200");
}

TEST_F(FaultEngine, AnOrdinaryUserSeesWhichFaultButNothingOfItsEvidence) {
    Instance instance(with("{ id = 5, clear_after = \"0ms\" }"));
    ASSERT_TRUE(instance.start());
    ::chmod(ground_.root().c_str(), 0755);
    set_mode(instance, 0777);
    ASSERT_TRUE(is_raised(instance, kUser));
    const auto full = raised_fault(instance, kUser);
    EXPECT_EQ(full.at("evidence").at("paths").size(), 1U);
    EXPECT_THAT(full.dump(), HasSubstr(ground_.root().native()));

    for (const char* path : {"/v1/faults", "/v1/faults/5", "/v1/status"}) {
        const auto seen = as_nobody(instance, {std::string("http://vigia") + path});
        EXPECT_TRUE(seen.ends_with("\n200")) << path << ": " << seen;
        EXPECT_THAT(seen, HasSubstr("scan-service-user-unavailable")) << path;
        EXPECT_THAT(seen, Not(HasSubstr(ground_.root().native()))) << path;
        EXPECT_THAT(seen, Not(HasSubstr("definitions/"))) << path;
    }
    const auto bare = as_nobody(instance, {"http://vigia/v1/faults/5"});
    const auto fault = Json::parse(bare.substr(0, bare.rfind('\n')));
    EXPECT_EQ(fault.at("evidence"), Json::object());
    EXPECT_EQ(fault.at("cause"), "perm-changed");
    EXPECT_TRUE(as_nobody(instance, {"http://vigia/v1/history"}).ends_with("\n403"));
    EXPECT_TRUE(as_nobody(instance, {"http://vigia/healthz"}).ends_with("\n503"));
    const auto repair = as_nobody(instance, {"-d", "{}", "http://vigia/v1/faults/5/fix"});
    EXPECT_TRUE(repair.ends_with("\n403") || repair.ends_with("\n405")) << repair;
    EXPECT_TRUE(raised_fault(instance, kUser).is_object()) << "nothing was repaired";
}

}  // namespace
}  // namespace vigia::test
