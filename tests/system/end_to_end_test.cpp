// SPDX-License-Identifier: GPL-2.0-or-later
// A daemon as a user starts it, on a file system of the test's own.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>

#include "base/files.h"
#include "base/text.h"
#include "support/watched_disk.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;

using EndToEnd = WatchedDisk;

TEST_F(EndToEnd, AnInfectedFileIsQuarantinedReportedAndCanBeBroughtBack) {
    Instance instance(options());
    ASSERT_TRUE(instance.start());
    const auto file = watched_ / "invoice.com";
    write_file(file, eicar_);
    ASSERT_TRUE(eventually([&] { return !fs::exists(file) && in_vault(instance) == 1; }));
    const auto item = instance.json({"quarantine", "list"}).at("items").at(0);
    EXPECT_EQ(item.at("path"), file.native());
    EXPECT_EQ(item.at("size"), eicar_.size());
    EXPECT_NE(item.at("detection").get<std::string>().find("Eicar"), std::string::npos);
    std::vector<std::string> phases;
    for (const auto& event : instance.events("detection")) {
        if (event.at("file").at("path") == file.native()) {
            phases.push_back(event.at("activity_name"));
        }
    }
    EXPECT_EQ(phases.size(), 2U);

    const auto restored = instance.cli({"quarantine", "restore", item.at("id")});
    EXPECT_EQ(restored.exit, 0) << restored.err;
    EXPECT_EQ(read_text(file), eicar_);
    // It would be gone again within moments if the watch took it once more.
    write_file(watched_ / "second.com", eicar_);
    ASSERT_TRUE(eventually([&] { return !fs::exists(watched_ / "second.com"); }));
    EXPECT_TRUE(fs::exists(file));
}

TEST_F(EndToEnd, AuditModeReportsAndLeavesTheFile) {
    auto audit = options();
    audit.more_files = "mode = \"audit\"";
    Instance instance(audit);
    ASSERT_TRUE(instance.start());
    write_file(watched_ / "left.com", eicar_);
    ASSERT_TRUE(eventually([&] { return instance.status()["scan"]["detections"] == 1; }));
    EXPECT_TRUE(fs::exists(watched_ / "left.com"));
    EXPECT_EQ(in_vault(instance), 0U);
}

TEST_F(EndToEnd, EveryWayOfArrivalIsSeen) {
    Instance instance(options());
    ASSERT_TRUE(instance.start());
    write_file(outside_ / "for-link", eicar_);
    write_file(outside_ / "for-rename", eicar_);
    write_file(outside_ / "for-replace", eicar_);
    fs::create_directories(outside_ / "folder/deep/er");
    write_file(outside_ / "folder/deep/er/in-folder", eicar_);
    write_file(watched_ / "replaced", "harmless");

    fs::create_hard_link(outside_ / "for-link", watched_ / "linked");
    fs::rename(outside_ / "for-rename", watched_ / "renamed");
    fs::rename(outside_ / "for-replace", watched_ / "replaced");
    fs::rename(outside_ / "folder", watched_ / "folder");
    fs::copy_file(outside_ / "for-link", watched_ / "copied");

    const auto unnamed = open_at(AT_FDCWD, watched_.c_str(), O_TMPFILE | O_RDWR, 0644);
    ASSERT_TRUE(unnamed.has_value());
    ASSERT_TRUE(write_all(unnamed->get(), eicar_).has_value());
    const auto self = fmt::format("/proc/self/fd/{}", unnamed->get());
    ASSERT_EQ(::linkat(AT_FDCWD,
                       self.c_str(),
                       AT_FDCWD,
                       (watched_ / "linked-unnamed").c_str(),
                       AT_SYMLINK_FOLLOW),
              0);

    {
        const auto mapped =
            open_at(AT_FDCWD, (watched_ / "mapped").c_str(), O_RDWR | O_CREAT, 0644);
        ASSERT_EQ(::ftruncate(mapped->get(), static_cast<off_t>(eicar_.size())), 0);
        void* memory =
            ::mmap(nullptr, eicar_.size(), PROT_READ | PROT_WRITE, MAP_SHARED, mapped->get(), 0);
        ASSERT_NE(memory, MAP_FAILED);
        std::memcpy(memory, eicar_.data(), eicar_.size());
        ::munmap(memory, eicar_.size());
    }
    for (const char* name : {"linked",
                             "renamed",
                             "replaced",
                             "folder/deep/er/in-folder",
                             "copied",
                             "linked-unnamed",
                             "mapped"}) {
        EXPECT_TRUE(eventually([&] { return !fs::exists(watched_ / name); })) << name;
    }
    // Its other name lies outside the watch: left, and said.
    EXPECT_TRUE(fs::exists(outside_ / "for-link"));
}

TEST_F(EndToEnd, AFileKeptOpenIsFoundWithoutAClose) {
    Instance instance(options());
    ASSERT_TRUE(instance.start());
    const auto open = open_at(AT_FDCWD, (watched_ / "open").c_str(), O_RDWR | O_CREAT, 0644);
    ASSERT_TRUE(write_all(open->get(), eicar_).has_value());
    EXPECT_TRUE(eventually([&] { return in_vault(instance) == 1; }, std::chrono::seconds{40}));
}

TEST_F(EndToEnd, WhatIsPutAwayWhileSomebodyHoldsItOpenIsToldOfOnce) {
    Instance instance(options());
    ASSERT_TRUE(instance.start());
    std::vector<UniqueFd> held;
    for (int i = 0; i < 8; ++i) {
        const auto name = fmt::format("held-{}", i);
        write_file(watched_ / name, eicar_ + "\n");
        auto file = open_at(AT_FDCWD, (watched_ / name).c_str(), O_RDONLY);
        if (file) {  // else it was quicker than we
            held.push_back(std::move(*file));
        }
    }
    EXPECT_TRUE(eventually([&] { return fs::is_empty(watched_); }));
    // Its own renames are events as well, and have been looked at when this one has been.
    write_file(watched_ / "last", eicar_);
    EXPECT_TRUE(eventually([&] { return !fs::exists(watched_ / "last"); }));
    EXPECT_TRUE(eventually([&] { return instance.status()["scan"]["pending"] == 0; }));
    EXPECT_EQ(in_vault(instance), 9U);
    EXPECT_EQ(instance.status()["scan"]["detections"], 9);
}

TEST_F(EndToEnd, DebiansTestFilesAreAllFoundByScanAndByWatch) {
    const fs::path samples = "/usr/share/clamav-testfiles";
    if (!fs::exists(samples)) {
        GTEST_SKIP() << "package clamav-testfiles is not installed";
    }
    const auto definitions = ground_.root() / "definitions";
    fs::create_directories(definitions);
    write_file(definitions / "test.hdb", "aa15bcf478d165efd2065190eb473bcb:544:clam.exe\n");
    Instance instance(
        options(fmt::format("[definitions]\nsources = [{{ kind = \"folder\", path = \"{}\" }}]\n",
                            definitions.native())));
    ASSERT_TRUE(instance.start());
    std::size_t files = 0;
    for (const auto& entry : fs::directory_iterator(samples)) {
        files += entry.is_regular_file() ? 1U : 0U;
    }
    const auto scan = instance.json({"scan", samples.native()});
    EXPECT_EQ(scan.at("detections").size(), files) << scan.dump(1);
    EXPECT_TRUE(fs::exists(samples / "clam.exe")) << "outside the watch nothing is taken";
    for (const auto& entry : fs::directory_iterator(samples)) {
        fs::copy_file(entry.path(), watched_ / entry.path().filename());
    }
    EXPECT_TRUE(eventually([&] { return fs::is_empty(watched_); }, std::chrono::seconds{60}));
    EXPECT_EQ(in_vault(instance), files);
}

TEST_F(EndToEnd, ContentThatKillsEveryWorkerIsSetAsideAndTheRestIsScanned) {
    Instance instance(options());
    ASSERT_TRUE(instance.start());
    write_file(watched_ / "poison", std::string("VIGIA-TEST-") + "CRASH");
    write_file(watched_ / "infected", eicar_);
    EXPECT_TRUE(eventually([&] { return !fs::exists(watched_ / "infected"); }));
    EXPECT_TRUE(eventually([&] { return instance.status()["scan"]["unscannable"] == 1; }));
    bool said = false;
    for (const auto& event : instance.events("scan")) {
        said = said || event.dump().find("kills-workers") != std::string::npos;
    }
    EXPECT_TRUE(said);
    EXPECT_GE(instance.status()["scan"]["workers_lost"], 2);
    EXPECT_TRUE(fs::exists(watched_ / "poison")) << "an error is never a detection";
    const auto scan = instance.json({"scan", (watched_ / "poison").native()});
    EXPECT_EQ(scan.at("unscannable").size(), 1U);
    EXPECT_EQ(scan.at("detections").size(), 0U);
}

TEST_F(EndToEnd, AWorkerKilledInMidScanCostsNoVerdict) {
    Instance instance(options());
    ASSERT_TRUE(instance.start());
    // Each content meets one kill at most: a second one sets it aside.
    constexpr int kRounds = 8;
    constexpr int kEach = 5;
    for (int round = 0; round < kRounds; ++round) {
        for (int file = 0; file < kEach; ++file) {
            const int number = round * kEach + file;
            write_file(watched_ / fmt::format("bad{}", number),
                       eicar_ + std::string(static_cast<std::size_t>(number), '\n'));
        }
        for (const pid_t worker : instance.workers()) {
            ::kill(worker, SIGSEGV);
        }
        ASSERT_TRUE(eventually([&] { return fs::is_empty(watched_); })) << "round " << round;
    }
    EXPECT_GT(instance.status()["scan"]["workers_lost"], 0);
}

TEST_F(EndToEnd, WhatChangedWhileItWasDownIsCaughtUp) {
    Instance instance(options());
    ASSERT_TRUE(instance.start());
    // The watermark is written every few seconds; whatever it says, it lies before the end.
    instance.kill(SIGKILL);
    ASSERT_TRUE(instance.wait(std::chrono::seconds{5}));
    write_file(watched_ / "while-down", eicar_);
    fs::create_directories(outside_ / "moved");
    write_file(outside_ / "moved/old", eicar_);
    fs::rename(outside_ / "moved", watched_ / "moved");
    ASSERT_TRUE(instance.start());
    EXPECT_TRUE(eventually([&] { return !fs::exists(watched_ / "while-down"); }));
    EXPECT_TRUE(eventually([&] { return !fs::exists(watched_ / "moved/old"); }));
}

TEST_F(EndToEnd, ASecondInstanceSaysWhoHoldsTheFirst) {
    Instance instance(options());
    ASSERT_TRUE(instance.start());
    const auto second =
        run(dev_program("vigiad"), {"--prefix", (ground_.root() / "p").native(), "--foreground"});
    EXPECT_NE(second.exit, 0);
    EXPECT_NE(second.err.find(std::to_string(instance.pid())), std::string::npos) << second.err;
}

TEST_F(EndToEnd, SigtermEndsItWithinTwoSecondsAlsoInMidScan) {
    Instance instance(options());
    ASSERT_TRUE(instance.start());
    write_file(watched_ / "hang", std::string("VIGIA-TEST-") + "HANG");
    ASSERT_TRUE(eventually([&] { return instance.status()["scan"]["pending"] == 1; }));
    instance.kill(SIGTERM);
    const auto status = instance.wait(std::chrono::seconds{2});
    ASSERT_TRUE(status.has_value());
    EXPECT_TRUE(WIFEXITED(*status) && WEXITSTATUS(*status) == 0) << *status;
}

TEST_F(EndToEnd, AMountMadeAfterTheStartIsWatchedAndCanBeUnmountedAtOnce) {
    Instance instance(options());
    ASSERT_TRUE(instance.start());
    const auto late = ground_.tmpfs("disk/watched/late", "size=16m");
    const auto is_watched = [&] {
        const auto status = instance.status();
        for (const auto& monitor : status.at("monitors")) {
            for (const auto& place : monitor.value("places", nlohmann::json::array())) {
                if (place.at("path") == late.native() && place.at("state") == "watched") {
                    return true;
                }
            }
        }
        return false;
    };
    ASSERT_TRUE(eventually(is_watched)) << instance.status().dump(1);
    write_file(late / "bad", eicar_);
    EXPECT_TRUE(eventually([&] { return !fs::exists(late / "bad"); }));
    ASSERT_TRUE(eventually([&] { return instance.settled(); }));
    EXPECT_EQ(::umount2(late.c_str(), 0), 0) << "idle, and still busy";
}

TEST_F(EndToEnd, AMountInAnotherNamespaceIsWatchedOrListed) {
    Instance instance(options());
    ASSERT_TRUE(instance.start());
    // A process with a mount namespace and a private tmpfs of its own, as a container has.
    const auto point = watched_ / "container";
    fs::create_directories(point);
    auto container = Subprocess::start(
        {.program = "/usr/bin/unshare",
         .arguments = {
             "--mount",
             "--propagation",
             "private",
             "/bin/sh",
             "-c",
             fmt::format("mount -t tmpfs none '{0}' && touch '{0}/ready' && exec sleep 60",
                         point.native())}});
    ASSERT_TRUE(container.has_value());
    const auto mentioned = [&] {
        const auto status = instance.status();
        for (const auto& place : status.at("monitors").at(0).at("places")) {
            if (place.at("path").get<std::string>().find("container") != std::string::npos) {
                return true;
            }
        }
        return false;
    };
    EXPECT_TRUE(eventually(mentioned)) << instance.status().dump(1);
    const auto inside = fmt::format("/proc/{}/root{}/bad", container->pid(), point.native());
    write_file(inside, eicar_);
    EXPECT_TRUE(eventually([&] { return instance.status()["scan"]["detections"] >= 1; }))
        << instance.status().dump(1);
}

TEST_F(EndToEnd, HostileNamesAreHarmlessOnTheTerminalAndExactInJson) {
    auto audit = options();
    audit.more_files = "mode = \"audit\"";
    Instance instance(audit);
    ASSERT_TRUE(instance.start());
    const std::vector<std::string> names{"new\nline",
                                         "\x1b[31mred",
                                         "\xff\xfe invalid",
                                         std::string(255, 'n'),
                                         "-rf",
                                         "\xe2\x80\xae reversed"};
    for (const auto& name : names) {
        write_file(watched_ / name, eicar_);
    }
    const auto people = instance.cli({"scan", watched_.native()});
    EXPECT_EQ(people.exit, 1);
    for (const char c : people.out) {
        EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20) << static_cast<int>(c);
    }
    EXPECT_EQ(people.out.find("\xe2\x80\xae"), std::string::npos);
    EXPECT_NE(people.out.find("new\\nline"), std::string::npos) << people.out;
    const auto events = instance.cli({"events", "--class", "detection"}).out;
    EXPECT_NE(events.find("new\\nline"), std::string::npos) << events;
    EXPECT_EQ(events.find("new\\\\nline"), std::string::npos) << "escaped twice: " << events;
    const auto scan = instance.json({"scan", watched_.native()});
    std::set<std::string> exact;
    for (const auto& detection : scan.at("detections")) {
        exact.insert(detection.contains("path_base64")
                         ? detection.at("path_base64").get<std::string>()
                         : detection.at("path").get<std::string>());
    }
    EXPECT_EQ(exact.size(), names.size());
    EXPECT_TRUE(exact.contains((watched_ / "new\nline").native()));
    EXPECT_TRUE(exact.contains(base64((watched_ / "\xff\xfe invalid").native())));
    const auto dashed = instance.json({"scan", "--", (watched_ / "-rf").native()});
    EXPECT_EQ(dashed.at("detections").size(), 1U);
}

TEST_F(EndToEnd, TenMistakesAreAllReportedAndTheLastGoodPolicyStays) {
    Instance instance(options());
    ASSERT_TRUE(instance.start());
    instance.write_policy(R"([policy]
name = 7
serial = "x"
nmae = "y"
[files]
mode = "quarantin"
on_execute = true
watch = ["relative"]
max_file_size = "lots"
[network]
block = ["999.1.1.1/24"]
[hashes]
block = ["abc"]
[nonsense]
a = 1
)");
    const auto check = instance.cli({"policy", "check", instance.path("etc/vigia/policy.toml")});
    EXPECT_EQ(check.exit, 1);
    EXPECT_EQ(std::ranges::count(check.out, '\n'), 10) << check.out;
    const auto refused = instance.cli({"policy", "reload"}).out;
    EXPECT_TRUE(refused.starts_with(check.out)) << refused << "does not begin with\n" << check.out;
    const auto reload = instance.json({"policy", "reload"});
    EXPECT_FALSE(reload.at("valid").get<bool>());
    EXPECT_EQ(reload.at("problems").size(), 10U);
    for (const auto& problem : reload.at("problems")) {
        EXPECT_GT(problem.at("line"), 0);
        EXPECT_GT(problem.at("column"), 0);
    }
    const auto status = instance.status();
    EXPECT_EQ(status.at("policy").at("name"), "Test");
    EXPECT_FALSE(status.at("policy").at("valid").get<bool>());
    write_file(watched_ / "still", eicar_);
    EXPECT_TRUE(eventually([&] { return !fs::exists(watched_ / "still"); }));
}

TEST_F(EndToEnd, TheSelfTestNamesEveryStageAndFailsAtTheRightOne) {
    Instance instance(options());
    ASSERT_TRUE(instance.start());
    const auto good = instance.json({"selftest"});
    EXPECT_TRUE(good.at("ok").get<bool>());
    ASSERT_EQ(good.at("stages").size(), 5U);
    // Whoever scans is stopped: events and queue answer, the verdict does not come.
    std::vector<pid_t> stopped;
    for (const pid_t worker : instance.workers()) {
        ::kill(worker, SIGSTOP);
        stopped.push_back(worker);
    }
    const auto bad = instance.json({"selftest"});
    for (const pid_t worker : stopped) {
        ::kill(worker, SIGCONT);
    }
    EXPECT_FALSE(bad.at("ok").get<bool>());
    EXPECT_TRUE(bad.at("stages").at(2).at("ok").get<bool>());
    EXPECT_FALSE(bad.at("stages").at(3).at("ok").get<bool>()) << bad.dump(1);
    EXPECT_EQ(bad.at("stages").at(3).at("name"), "verdict");
}

}  // namespace
}  // namespace vigia::test
