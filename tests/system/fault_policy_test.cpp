// SPDX-License-Identifier: GPL-2.0-or-later
// Fault 105 at the start of the daemon: which policy is in force when the file is invalid.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>

#include "support/faults.h"
#include "support/told_faults.h"
#include "support/watched_disk.h"

namespace vigia::test {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr int kFault = 105;
constexpr const char* kInvalid = "[policy]\nname = \"Test\"\nserial = \"not a number\"\n";

class FaultPolicy : public WatchedDisk {
protected:
    static std::string refusal(const Instance& instance) {
        std::string last;
        for (const auto& event : instance.events("service")) {
            if (word_of(event) == "policy-refused") {
                last = event.at("message").get<std::string>();
            }
        }
        return last;
    }
};

TEST_F(FaultPolicy, ARestartWithAnInvalidFileUsesTheLastGoodPolicy) {
    Instance instance(options(quiet_policy("")));
    ASSERT_TRUE(instance.start());
    const auto copy = instance.path("var/lib/vigia/policy.last-good.toml");
    EXPECT_EQ(read_text(copy), read_text(instance.path("etc/vigia/policy.toml")));
    instance.kill(SIGKILL);
    ASSERT_TRUE(instance.wait(10s).has_value());

    const auto good = read_text(instance.path("etc/vigia/policy.toml"));
    instance.write_policy(kInvalid);
    ASSERT_TRUE(instance.start());
    const auto policy = instance.status().at("policy");
    EXPECT_EQ(policy.at("valid"), false) << policy.dump(1);
    EXPECT_EQ(policy.at("name"), "Test");
    EXPECT_THAT(policy.at("source").get<std::string>(), HasSubstr(copy.native()));
    EXPECT_THAT(instance.cli({"status"}).out, HasSubstr("last good policy"));
    EXPECT_THAT(refusal(instance), HasSubstr("last good policy"));
    EXPECT_THAT(refusal(instance), HasSubstr(copy.native()));
    ASSERT_TRUE(eventually([&] { return cause_of(instance, kFault) == "invalid"; }));
    EXPECT_THAT(fault_of(instance, kFault).at("evidence").at("in_force").get<std::string>(),
                HasSubstr(copy.native()));
    // It watches what that policy names, and nothing else.
    write_file(watched_ / "infected", eicar_);
    EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(watched_ / "infected"); }));
    for (const auto& place : instance.status().at("monitors").at(0).at("places")) {
        EXPECT_TRUE(place.at("path").get<std::string>().starts_with(disk_.native()));
    }
    EXPECT_EQ(read_text(copy), good) << "the invalid one is no last good one";

    instance.write_policy(good);
    EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); }));
    EXPECT_EQ(instance.status().at("policy").at("source"),
              instance.path("etc/vigia/policy.toml").native());
}

// The built-in default watches everything: this daemon may watch nothing at all.
TEST_F(FaultPolicy, WithoutALastGoodOneTheBuiltInDefaultIsInForceAndSaid) {
    auto asked = options();
    asked.through = {"/usr/bin/setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"};
    Instance instance(asked);
    instance.write_policy(kInvalid);
    ASSERT_TRUE(instance.start(false));
    ASSERT_TRUE(eventually([&] { return cause_of(instance, kFault) == "invalid"; }))
        << read_text(instance.path("daemon.err"));
    EXPECT_EQ(instance.status().at("policy").at("source"), "built-in default");
    EXPECT_THAT(refusal(instance), HasSubstr("the built-in default is in force"));
    EXPECT_THAT(fault_of(instance, kFault).at("evidence").at("in_force").get<std::string>(),
                HasSubstr("built-in default"));
    EXPECT_FALSE(std::filesystem::exists(instance.path("var/lib/vigia/policy.last-good.toml")));
}

TEST_F(FaultPolicy, ACopyThatOthersCanWriteIsNotTrusted) {
    auto asked = options(quiet_policy(""));
    asked.through = {"/usr/bin/setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"};
    Instance instance(asked);
    ASSERT_TRUE(instance.start(false));
    const auto copy = instance.path("var/lib/vigia/policy.last-good.toml");
    ASSERT_TRUE(eventually([&] { return std::filesystem::exists(copy); }));
    instance.kill(SIGKILL);
    ASSERT_TRUE(instance.wait(10s).has_value());
    ASSERT_EQ(::chmod(copy.c_str(), 0666), 0);
    // No watermark: nothing of what the default watches is to be caught up with.
    for (const char* name : {"journal.db", "journal.db-wal", "journal.db-shm"}) {
        std::filesystem::remove(instance.path("var/lib/vigia") / name);
    }
    instance.write_policy(kInvalid);
    ASSERT_TRUE(instance.start(false));
    ASSERT_TRUE(eventually([&] { return cause_of(instance, kFault) == "invalid"; }));
    EXPECT_EQ(instance.status().at("policy").at("source"), "built-in default");
    EXPECT_THAT(refusal(instance), HasSubstr("can be written by others"));
}

}  // namespace
}  // namespace vigia::test
