// SPDX-License-Identifier: GPL-2.0-or-later
// Fault 106, by parts of the chain that really stop: each is named by the stage that it breaks.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/fanotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

#include "base/unique_fd.h"
#include "support/faults.h"
#include "support/told_faults.h"
#include "support/watched_disk.h"

namespace vigia::test {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr int kFault = 106;

// Stopped as long as the object lives.
class Stopped {
public:
    explicit Stopped(std::vector<pid_t> pids) : pids_(std::move(pids)) {
        for (const pid_t pid : pids_) {
            ::kill(pid, SIGSTOP);
        }
    }

    Stopped(const Stopped&) = delete;
    Stopped& operator=(const Stopped&) = delete;

    ~Stopped() {
        for (const pid_t pid : pids_) {
            ::kill(pid, SIGCONT);
        }
    }

private:
    std::vector<pid_t> pids_;
};

class FaultSelfTest : public WatchedDisk {
protected:
    Instance::Options often() const {
        return options("[scan]\nselftest_every = \"1s\"\n\n" + quiet_policy(""));
    }

    static std::vector<pid_t> programs(const Instance& instance, const std::string& name) {
        auto children = children_of(instance.pid());
        std::erase_if(children, [&](pid_t child) { return program_of(child) != name; });
        return children;
    }

    // Raised with that cause, and the first stage that did not answer is `stage`.
    void expect_broken_at(const Instance& instance,
                          const std::string& cause,
                          const std::string& stage) const {
        ASSERT_TRUE(eventually([&] { return cause_of(instance, kFault) == cause; }, 60s))
            << fault_of(instance, kFault).dump(1) << instance.cli({"selftest"}).out;
        const auto fault = fault_of(instance, kFault);
        EXPECT_EQ(fault.at("severity"), "critical");
        EXPECT_EQ(fault.at("evidence").at("stage"), stage);
        EXPECT_EQ(fault.at("evidence").at("place"), watched_.native());
        bool before = true;
        for (const auto& one : fault.at("evidence").at("stages")) {
            before = before && one.at("name") != stage;
            EXPECT_EQ(one.at("ok").get<bool>(), before) << fault.dump(1);
        }
        EXPECT_EQ(instance.status().at("state"), "unprotected");
    }

    static void expect_over(const Instance& instance) {
        EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); }, 60s))
            << fault_of(instance, kFault).dump(1);
        expect_one_episode(instance, kFault);
        EXPECT_TRUE(eventually([&] { return instance.status().at("state") == "protected"; }));
    }
};

TEST_F(FaultSelfTest, WorkersThatAreStoppedBreakItAtTheVerdict) {
    Instance instance(often());
    ASSERT_TRUE(instance.start());
    const auto workers = instance.workers();
    ASSERT_FALSE(workers.empty());
    {
        const Stopped stopped(workers);
        ASSERT_NO_FATAL_FAILURE(expect_broken_at(instance, "no-verdict", "verdict"));
    }
    expect_over(instance);
}

TEST_F(FaultSelfTest, HashersThatAreStoppedBreakItAtTheVerdict) {
    Instance instance(often());
    ASSERT_TRUE(instance.start());
    const auto hashers = programs(instance, "vigia-hash");
    ASSERT_FALSE(hashers.empty());
    {
        const Stopped stopped(hashers);
        ASSERT_NO_FATAL_FAILURE(expect_broken_at(instance, "no-verdict", "verdict"));
    }
    expect_over(instance);
}

// With the daemon's own descriptor: nobody else could take its marks away.
TEST_F(FaultSelfTest, MarksThatAreGoneBreakItAtTheEventAndARepairSetsThemAgain) {
    Instance instance(often());
    ASSERT_TRUE(instance.start());
    const UniqueFd process{static_cast<int>(::syscall(SYS_pidfd_open, instance.pid(), 0))};
    int flushed = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(instance.pid()) + "/fd")) {
        std::error_code gone;
        if (std::filesystem::read_symlink(entry, gone) == "anon_inode:[fanotify]") {
            const int number = std::stoi(entry.path().filename());
            const UniqueFd group{
                static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), number, 0))};
            ASSERT_TRUE(group) << std::system_category().message(errno);
            flushed += ::fanotify_mark(
                           group.get(), FAN_MARK_FLUSH | FAN_MARK_FILESYSTEM, 0, AT_FDCWD, "/") == 0
                           ? 1
                           : 0;
        }
    }
    ASSERT_GT(flushed, 0);
    ASSERT_NO_FATAL_FAILURE(expect_broken_at(instance, "no-event", "event"));
    EXPECT_THAT(instance.cli({"faults", "show", "106"}).out, HasSubstr(watched_.native()));
    const auto fixed = instance.cli({"faults", "fix", "106"});
    EXPECT_EQ(fixed.exit, 0) << fixed.out << fixed.err;
    expect_over(instance);
}

TEST_F(FaultSelfTest, APlaceThatCannotBeWrittenBreaksItAtTheFirstStage) {
    Instance instance(often());
    ASSERT_TRUE(instance.start());
    std::error_code error;
    std::filesystem::rename(watched_, disk_ / "elsewhere", error);
    ASSERT_FALSE(error);
    ASSERT_TRUE(eventually([&] { return cause_of(instance, kFault) == "no-write"; }, 60s))
        << fault_of(instance, kFault).dump(1);
    EXPECT_EQ(fault_of(instance, kFault).at("evidence").at("stage"), "write");
    std::filesystem::rename(disk_ / "elsewhere", watched_, error);
    ASSERT_FALSE(error);
    EXPECT_TRUE(eventually([&] { return is_clear(instance, kFault); }, 60s));
}

}  // namespace
}  // namespace vigia::test
