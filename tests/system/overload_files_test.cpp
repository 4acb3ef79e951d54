// SPDX-License-Identifier: GPL-2.0-or-later
// A storm of file writes that the kernel's queue has no room for: less is looked at, nothing is
// forgotten, and the fault lasts until all of it has been scanned.
// timeout: 1200
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <charconv>
#include <csignal>
#include <cstdlib>

#include "support/faults.h"
#include "support/storm.h"
#include "support/watched_disk.h"

namespace vigia::test {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr int kFault = 18;
constexpr const char* kCalm = "[overload]\ncalm_after = \"2s\"\n";

// Bytes; `key` is of /proc/PID/status.
std::uint64_t memory_of(pid_t pid, const std::string& key) {
    const auto text = read_text(fmt::format("/proc/{}/status", pid));
    const auto at = text.find(key + ":");
    const auto digit = at == std::string::npos ? at : text.find_first_of("0123456789", at);
    std::uint64_t kib = 0;
    if (digit != std::string::npos) {
        std::from_chars(text.data() + digit, text.data() + text.size(), kib);
    }
    return kib * 1024;
}

class OverloadFiles : public WatchedDisk {
protected:
    // A file system of that size has one inode for each 16 KiB, a small one for each 4 KiB.
    OverloadFiles()
        : WatchedDisk(files() > 50'000 ? static_cast<unsigned>(files()) / 1000 * 20 : 256) {}

    // VIGIA_TEST_STORM_FILES makes the storm another one, for a quick look or a slow machine.
    static int files() {
        const char* wanted =
            std::getenv("VIGIA_TEST_STORM_FILES");  // NOLINT(concurrency-mt-unsafe)
        return wanted == nullptr ? 200'000 : std::max(8'000, std::atoi(wanted));
    }

    static bool has_ended(std::vector<Subprocess>& writers) {
        for (auto& writer : writers) {
            const auto status = writer.wait(0ms);
            if (!status) {
                return false;
            }
            EXPECT_TRUE(WIFEXITED(*status) && WEXITSTATUS(*status) == 0);
        }
        return true;
    }

    // What was before the object, so that the group of events is made with it.
    const Sysctl queue_{"/proc/sys/fs/fanotify/max_queued_events", "256"};
    static constexpr int kWriters = 8;
    static constexpr int kInfected = 500;
};

TEST_F(OverloadFiles, AStormThatOverflowsLosesNothingAndItsFaultLastsUntilAllIsScanned) {
    const int total = files();
    Instance instance(options(kCalm));
    ASSERT_TRUE(instance.start());
    auto writers = start_file_storm(watched_, kWriters, total, total / kInfected);
    bool was_reduced = false;
    bool was_tainted = false;
    json raised;
    ASSERT_TRUE(eventually(
        [&] {
            const auto now = instance.status();
            was_reduced = was_reduced || now.at("mode") != "full";
            was_tainted = was_tainted || now.at("catch_up").at("tainted_since").is_string();
            if (auto fault = fault_of(instance, kFault); raised.is_null() && fault.is_object()) {
                raised = std::move(fault);
            }
            return has_ended(writers);
        },
        600s));
    if (raised.is_null()) {
        ASSERT_TRUE(eventually([&] { return fault_of(instance, kFault).is_object(); }))
            << instance.status().dump(1);
        raised = fault_of(instance, kFault);
    }
    EXPECT_TRUE(was_reduced);
    EXPECT_TRUE(was_tainted);
    for (const auto* key : {"programs",
                            "events_per_second",
                            "queues",
                            "files_deferred",
                            "overflows",
                            "catch_up",
                            "exclusion_commands",
                            "seconds",
                            "lost"}) {
        EXPECT_TRUE(raised.at("evidence").contains(key)) << key << raised.dump(1);
    }
    EXPECT_TRUE(raised.at("severity") == "major" || raised.at("severity") == "critical");

    ASSERT_TRUE(eventually([&] { return is_clear(instance, kFault); }, 600s))
        << instance.status().dump(1) << count_files(watched_, "bad") << " infected files left";
    // At that very moment, not some time later.
    EXPECT_EQ(count_files(watched_, "bad"), 0);
    EXPECT_EQ(in_vault(instance), static_cast<std::size_t>(kInfected));
    EXPECT_EQ(count_files(watched_, "good"), total - kInfected);
    EXPECT_TRUE(eventually([&] { return instance.settled(); }));

    const auto now = instance.status();
    EXPECT_EQ(now.at("mode"), "full");
    EXPECT_TRUE(now.at("catch_up").at("tainted_since").is_null());
    const auto file = now.at("accounting").at(0);
    EXPECT_FALSE(file.at("exact").get<bool>());
    EXPECT_GT(file.at("overflows"), 0);
    EXPECT_TRUE(file.at("lost").is_null());
    EXPECT_GT(file.at("recovered"), 0);
    EXPECT_GT(file.at("deferred"), 0) << file.dump();

    expect_one_episode(instance, kFault);
    EXPECT_GT(episodes_of(instance, kFault).front().at("evidence").at("overflows"), 0);
    const auto events = instance.events("6002");
    int overflows = 0;
    int recovered = 0;
    for (const auto& event : events) {
        const auto& word = event.at("vigia").at("event");
        overflows += word == "queue-overflow" ? 1 : 0;
        recovered +=
            word == "caught-up" && event.at("vigia").at("facts").value("recovered", "") == "true"
                ? 1
                : 0;
    }
    EXPECT_GE(overflows, 1);
    EXPECT_GE(recovered, 1);

    // docs/OPERATIONS.md states this bound.
    constexpr std::uint64_t kMost = std::uint64_t{256} << 20U;
    const auto peak = memory_of(instance.pid(), "VmHWM");
    std::printf("%d files, greatest memory of the daemon: %.1f MiB\n",
                total,
                static_cast<double>(peak) / (1U << 20U));
    EXPECT_GT(peak, 0U);
    EXPECT_LT(peak, kMost);
}

TEST_F(OverloadFiles, KilledInTheMiddleOfAStormItFindsAfterwardsWhatItHadPutOff) {
    constexpr int kFiles = 16'000;
    Instance instance(options(kCalm));
    ASSERT_TRUE(instance.start());
    auto writers = start_file_storm(watched_, kWriters, kFiles, kFiles / kInfected);
    ASSERT_TRUE(eventually([&] { return fault_of(instance, kFault).is_object(); }, 60s))
        << instance.status().dump(1);
    instance.kill(SIGKILL);
    ASSERT_TRUE(instance.wait(10s));
    const int left = count_files(watched_, "bad");
    ASSERT_TRUE(eventually([&] { return has_ended(writers); }, 120s));
    RecordProperty("infected files at the kill", left);

    ASSERT_TRUE(instance.start());
    ASSERT_TRUE(eventually([&] { return is_clear(instance, kFault) && instance.settled(); }, 300s))
        << instance.cli({"status"}).out;
    EXPECT_EQ(count_files(watched_, "bad"), 0);
    EXPECT_EQ(in_vault(instance), static_cast<std::size_t>(kInfected));
    // One fault, before the kill and after it.
    expect_one_episode(instance, kFault);
}

}  // namespace
}  // namespace vigia::test

int main(int argc, char** argv) {
    return vigia::test::run_storm_or_tests(argc, argv);
}
