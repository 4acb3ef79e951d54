// SPDX-License-Identifier: GPL-2.0-or-later
// Fault 6, by workers that really end: by somebody's signal, and by the content they scan.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <map>
#include <sstream>

#include "support/faults.h"
#include "support/watched_disk.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kFault = 6;

std::string content(const char* what, const std::string& more = "") {
    return std::string("VIGIA-TEST-") + what + more;
}

class ScanWorkerFaults : public WatchedDisk {
protected:
    // The window is what "ten minutes without such an end" is in earnest.
    Instance::Options short_window() const {
        return options(
            "[processes]\nmonitor = false\n[network]\ndevice_flow_correlation = false\n"
            "[faults]\noverrides = [{ id = 6, window = \"8s\", threshold = 3, "
            "raise_after = \"0ms\", clear_after = \"0ms\" }]\n");
    }

    static std::string sha256_of(const fs::path& file) {
        return run("/usr/bin/sha256sum", {file.native()}).out.substr(0, 64);
    }

    // The worker that the HANG hook of the test build holds: it waits for nothing at all, for ever
    // (proc_pid_syscall(5): number, then arguments), which no idle one does.
    static bool is_held(pid_t worker) {
        std::istringstream call(read_text(fmt::format("/proc/{}/syscall", worker)));
        std::string number;
        std::string first;
        std::string second;
        return call >> number >> first >> second && first == "0x0" && second == "0x0";
    }

    static json crashes(const Instance& instance) {
        const auto fault = fault_of(instance, kFault);
        return fault.is_object() ? fault.at("evidence").at("crashes") : json::array();
    }
};

TEST_F(ScanWorkerFaults, ThreeWorkersKilledInMidScanAreNamedWithTheirFilesAndClearByThemselves) {
    Instance instance(short_window());
    ASSERT_TRUE(instance.start());
    ASSERT_EQ(raised(instance), std::set<int>{});
    // Each of them holds a worker until somebody ends it; the second try holds the next one, and
    // the second end sets the content aside.
    write_file(watched_ / "held-a", content("HANG", "a"));
    write_file(watched_ / "held-b", content("HANG", "longer b"));
    ASSERT_TRUE(eventually([&] { return instance.status()["scan"]["pending"] == 2; }));
    ASSERT_TRUE(eventually([&] {
        for (const pid_t worker : instance.workers()) {
            if (is_held(worker)) {
                ::kill(worker, SIGSEGV);
            }
        }
        return instance.status()["scan"]["unscannable"] == 2;
    }));
    ASSERT_TRUE(eventually([&] { return crashes(instance).size() == 4; }));
    const auto fault = fault_of(instance, kFault);
    EXPECT_EQ(fault.at("severity"), "major");
    EXPECT_EQ(fault.at("evidence").at("window_seconds"), 8);
    EXPECT_EQ(fault.at("evidence").at("count"), 4);
    std::map<std::string, int> by_path;
    for (const auto& crash : fault.at("evidence").at("crashes")) {
        EXPECT_NE(crash.at("signal").get<std::string>().find("signal 11"), std::string::npos)
            << crash.dump();
        const auto path = crash.at("path").get<std::string>();
        ASSERT_FALSE(path.empty()) << crash.dump();
        ++by_path[path];
        EXPECT_EQ(crash.at("size"), fs::file_size(path)) << crash.dump();
        EXPECT_EQ(crash.at("sha256"), sha256_of(path)) << crash.dump();
    }
    EXPECT_EQ(by_path[(watched_ / "held-a").native()], 2) << fault.dump(1);
    EXPECT_EQ(by_path[(watched_ / "held-b").native()], 2) << fault.dump(1);
    EXPECT_EQ(instance.status().at("state"), "degraded");

    write_file(watched_ / "infected", eicar_);
    EXPECT_TRUE(eventually([&] { return !fs::exists(watched_ / "infected"); }));
    EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); })) << crashes(instance).dump();
    EXPECT_EQ(cleared_because(instance, kFault), "condition-gone");
    expect_one_episode(instance, kFault);
    EXPECT_TRUE(eventually([&] { return instance.status().at("state") == "protected"; }));
}

TEST_F(ScanWorkerFaults, ContentThatEndsEveryWorkerIsNamedAsPoison) {
    Instance instance(short_window());
    ASSERT_TRUE(instance.start());
    write_file(watched_ / "poison", content("CRASH"));
    // Other content, so that there is a third end.
    write_file(watched_ / "other", content("CRASH", " other"));
    ASSERT_TRUE(eventually([&] {
        const auto fault = fault_of(instance, kFault);
        return fault.is_object() && fault.at("evidence").at("poison_count") == 2;
    })) << fault_of(instance, kFault).dump(1);
    const auto fault = fault_of(instance, kFault);
    std::map<std::string, json> poison;
    for (const auto& one : fault.at("evidence").at("poison")) {
        poison[one.at("path").get<std::string>()] = one;
    }
    for (const auto* name : {"poison", "other"}) {
        const auto path = watched_ / name;
        ASSERT_TRUE(poison.contains(path.native())) << fault.dump(1);
        EXPECT_EQ(poison[path.native()].at("sha256"), sha256_of(path));
        EXPECT_EQ(poison[path.native()].at("size"), fs::file_size(path));
        EXPECT_TRUE(fs::exists(path)) << "an error is never a detection";
    }
    const auto people = instance.cli({"faults", "show", "6"});
    EXPECT_NE(people.out.find((watched_ / "poison").native()), std::string::npos) << people.out;

    // The same content once more ends nobody: it is known.
    const auto lost = instance.status().at("scan").at("workers_lost");
    write_file(watched_ / "copy", content("CRASH"));
    EXPECT_TRUE(eventually([&] { return instance.status()["scan"]["unscannable"] == 3; }));
    EXPECT_EQ(instance.status().at("scan").at("workers_lost"), lost);
    EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); }));
    expect_one_episode(instance, kFault);
}

TEST_F(ScanWorkerFaults, WhatWasCountedIsNotForgottenByARestart) {
    auto asked = options(
        "[processes]\nmonitor = false\n[network]\ndevice_flow_correlation = false\n"
        "[faults]\noverrides = [{ id = 6, window = \"45s\", threshold = 3, "
        "raise_after = \"0ms\", clear_after = \"0ms\" }]\n");
    Instance instance(asked);
    ASSERT_TRUE(instance.start());
    write_file(watched_ / "poison", content("CRASH"));
    write_file(watched_ / "other", content("CRASH", " other"));
    ASSERT_TRUE(eventually([&] { return crashes(instance).size() == 4; }));
    const auto before = fault_of(instance, kFault);
    const auto crashes_before = crashes(instance);
    fs::remove(watched_ / "poison");
    fs::remove(watched_ / "other");
    instance.kill(SIGKILL);
    ASSERT_TRUE(instance.wait(std::chrono::seconds{10}).has_value());
    ASSERT_TRUE(instance.start());
    const auto after = fault_of(instance, kFault);
    ASSERT_TRUE(after.is_object()) << instance.json({"faults", "history"}).dump(1);
    EXPECT_EQ(after.at("episode"), before.at("episode"));
    EXPECT_EQ(crashes(instance), crashes_before);
    // And it ends by the time of the last one, not by that of the restart.
    EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); }, std::chrono::seconds{60}));
    expect_one_episode(instance, kFault);
}

}  // namespace
}  // namespace vigia::test
