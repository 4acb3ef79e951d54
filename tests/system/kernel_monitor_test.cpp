// SPDX-License-Identifier: GPL-2.0-or-later
// A daemon tells which processes begin and end, and who did something.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "definitions/builtin.h"
#include "support/kernel_instance.h"
#include "support/told_child.h"
#include "support/watched_disk.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using namespace std::chrono_literals;

class KernelMonitorTest : public WatchedDisk {
protected:
    void SetUp() override {
        if (const auto reason = why_no_bpf(); !reason.empty()) {
            GTEST_SKIP() << reason;
        }
    }

    static std::string path_in(const json& event) {
        return event.at("process").contains("file")
                   ? event.at("process").at("file").value("path", "")
                   : "";
    }

    std::string policy(const std::string& more) const {
        return fmt::format("[policy]\nname = \"Test\"\nserial = 2\n[files]\nwatch = [\"{}\"]\n{}",
                           watched_.native(),
                           more);
    }
};

TEST_F(KernelMonitorTest, WhatIsLaunchedAndHowItEndsIsToldWithItsAncestryAndWithoutSecrets) {
    Instance instance(options("[processes]\nredact = [\"token=\\\\S+\"]\n"));
    ASSERT_TRUE(start_with_kernel(instance));
    // A copy, so that nobody else on this machine runs it.
    const auto program = outside_ / "told-program";
    fs::copy_file("/bin/sh", program);
    const auto output = run("/bin/sh",
                            {"-c",
                             "\"$0\" -c 'exit 7' x token=geheim y; \"$0\" -c 'kill -9 $$'; true",
                             program.native()});
    ASSERT_EQ(output.exit, 0) << output.err;
    const auto told = [&](const char* word) {
        return events_where(instance, "process", [&](const json& event) {
            return word_in(event) == word && path_in(event) == program.native();
        });
    };
    ASSERT_TRUE(eventually([&] { return told("process-terminated").size() == 2; }))
        << instance.status().at("monitors").dump(1);
    const auto launched = told("process-launched");
    ASSERT_EQ(launched.size(), 2U);
    const auto& first = launched.front();
    EXPECT_EQ(first.at("class_uid"), 1007);
    EXPECT_EQ(first.at("process").at("cmd_line"), program.native() + " -c exit 7 x *** y");
    EXPECT_EQ(first.at("process").at("user").at("uid"), std::to_string(::getuid()));
    EXPECT_EQ(first.at("process").at("parent_process").at("file").at("path"),
              fs::canonical("/bin/sh").native());
    std::set<std::int64_t> ancestors;
    for (const auto& one : first.at("vigia").at("process").at("ancestry")) {
        ancestors.insert(one.at("pid").get<std::int64_t>());
    }
    EXPECT_TRUE(ancestors.contains(::getpid())) << first.dump(1);
    const auto ended = told("process-terminated");
    EXPECT_EQ(ended[0].at("exit_code"), 7);
    EXPECT_EQ(ended[0].at("process").at("pid"), first.at("process").at("pid"));
    EXPECT_EQ(ended[1].at("vigia").at("process").at("signal"), SIGKILL);
}

TEST_F(KernelMonitorTest, EveryProcessIsToldOnceAndTheBooksBalance) {
    constexpr int kMany = 1000;
    ToldChild child([](const std::string& program, int) {
        for (int i = 0; i < kMany; ++i) {
            const pid_t pid = ::fork();
            if (pid == 0) {
                ::execl(program.c_str(), "many", nullptr);
                ::_exit(127);
            }
            ::waitpid(pid, nullptr, 0);
        }
        return std::string("ok");
    });
    Instance instance(options());
    ASSERT_TRUE(start_with_kernel(instance));
    const auto program = outside_ / "many";
    fs::copy_file("/bin/true", program);
    ASSERT_EQ(child.ask(program.native(), 60s), "ok");
    std::set<std::int64_t> launched;
    std::set<std::int64_t> ended;
    const bool all = eventually([&] {
        launched.clear();
        ended.clear();
        for (const auto& event : instance.events("process")) {
            if (path_in(event) == program.native()) {
                auto& pids = word_in(event) == "process-launched" ? launched : ended;
                EXPECT_EQ(event.at("process").at("parent_process").at("pid"), child.pid());
                pids.insert(event.at("process").at("pid").get<std::int64_t>());
            }
        }
        return launched.size() == kMany && ended.size() == kMany;
    });
    EXPECT_TRUE(all) << launched.size() << " launched, " << ended.size() << " ended";
    EXPECT_EQ(launched, ended);
    for (const char* cls : {"exec", "fork", "exit", "connect", "accept", "close", "udp"}) {
        const auto books = accounting_of(instance, cls);
        ASSERT_TRUE(books.is_object()) << cls;
        EXPECT_EQ(imbalance_of(books), 0) << books.dump();
        EXPECT_EQ(books.at("lost"), 0) << books.dump();
    }
    EXPECT_TRUE(accounting_of(instance, "exec").at("exact"));
    EXPECT_GE(accounting_of(instance, "exec").at("delivered"), kMany);
}

TEST_F(KernelMonitorTest, TheDetectionSaysWhoWroteTheFileAlsoWhenItHasEnded) {
    Instance instance(options());
    ASSERT_TRUE(instance.start());
    ASSERT_TRUE(eventually([&] {
        return monitor_of(instance, "processes").value("backend", "").starts_with("ebpf");
    }));
    write_file(outside_ / "source", eicar_);
    const auto writer = outside_ / "writer";
    fs::copy_file("/bin/cp", writer);
    const auto output = run("/bin/sh",
                            {"-c",
                             writer.native() + " " + (outside_ / "source").native() + " " +
                                 (watched_ / "bad").native() + "; true"});
    ASSERT_EQ(output.exit, 0) << output.err;
    std::vector<json> found;
    ASSERT_TRUE(eventually([&] {
        found = events_where(instance, "detection", [&](const json& event) {
            return word_in(event) == "threat-detected" &&
                   event.at("file").at("path") == (watched_ / "bad").native();
        });
        return !found.empty();
    }));
    const auto& process = found.front().at("evidences").at(0).at("process");
    EXPECT_EQ(process.at("file").at("path"), writer.native()) << found.front().dump(1);
    EXPECT_EQ(process.at("user").at("uid"), std::to_string(::getuid()));
    const auto& ancestry = found.front().at("vigia").at("detection").at("ancestry");
    ASSERT_GE(ancestry.size(), 2U);
    EXPECT_EQ(ancestry.at(0).at("path"), fs::canonical("/bin/sh").native());
    EXPECT_EQ(ancestry.at(1).at("pid"), ::getpid());
    EXPECT_NE(found.front().at("message").get<std::string>().find(writer.native()),
              std::string::npos);
}

TEST_F(KernelMonitorTest, PolicySwitchesMonitorsAndKeptEventsLive) {
    Instance instance(options("[processes]\nevents = [\"launch\"]\n"));
    ASSERT_TRUE(start_with_kernel(instance));
    const auto program = outside_ / "live";
    fs::copy_file("/bin/true", program);
    const auto told = [&] {
        return events_where(instance, "process", [&](const json& event) {
            return path_in(event) == program.native();
        });
    };
    ASSERT_EQ(run(program, {}).exit, 0);
    ASSERT_TRUE(eventually([&] { return told().size() == 1; }));
    EXPECT_EQ(word_in(told().front()), "process-launched");
    instance.write_policy(policy("[processes]\nmonitor = false\n"));
    ASSERT_TRUE(
        eventually([&] { return monitor_of(instance, "processes").value("state", "") == "off"; }));
    EXPECT_FALSE(monitor_of(instance, "processes").at("wanted"));
    ASSERT_TRUE(
        eventually([&] { return monitor_of(instance, "network").value("state", "") == "ok"; }));
    ASSERT_EQ(run(program, {}).exit, 0);
    instance.write_policy(policy("[processes]\nevents = [\"terminate\"]\n"));
    ASSERT_TRUE(
        eventually([&] { return monitor_of(instance, "processes").value("state", "") == "ok"; }));
    ASSERT_TRUE(eventually([&] {
        (void)run(program, {});
        return told().size() >= 2;
    }));
    EXPECT_EQ(word_in(told().at(1)), "process-terminated");
}

TEST_F(KernelMonitorTest, WhatAnExcludedProgramAndItsChildrenDoIsNotToldButCounted) {
    const auto excluded = outside_ / "excluded";
    const auto child = outside_ / "child";
    fs::copy_file("/bin/sh", excluded);
    fs::copy_file("/bin/true", child);
    Instance instance(options(fmt::format(
        "[exclusions.ci]\nreason = \"test\"\nprocesses = [{{ path = \"{}\", children = true }}]\n",
        excluded.native())));
    ASSERT_TRUE(start_with_kernel(instance));
    const auto told = [&] {
        return events_where(instance, "process", [&](const json& event) {
            return path_in(event) == child.native() || path_in(event) == excluded.native();
        });
    };
    ASSERT_EQ(run(excluded, {"-c", child.native() + "; true"}).exit, 0);
    ASSERT_EQ(run(child, {}).exit, 0);
    ASSERT_TRUE(eventually([&] { return told().size() >= 2; }));
    EXPECT_EQ(told().size(), 2U) << "only what ran outside of the excluded program";
    EXPECT_GE(accounting_of(instance, "exec").at("filtered").at("excluded-process"), 2);
}

}  // namespace
}  // namespace vigia::test
