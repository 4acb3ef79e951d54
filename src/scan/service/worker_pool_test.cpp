// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/service/worker_pool.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <future>
#include <thread>
#include <vector>

#include "base/subprocess.h"
#include "scan/service/process_facts.h"

namespace vigia::scan::detail {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kEngine = 7;

class WorkerPoolTest : public testing::Test {
protected:
    // A process to be the worker: what a pool kills must be one.
    Worker worker(std::uint64_t engine = kEngine) {
        auto process = Subprocess::start({.program = "/bin/sleep", .arguments = {"60"}});
        Worker made{.engine = engine,
                    .slot = 0,
                    .pid = process->pid(),
                    .socket = {},
                    .pidfd = UniqueFd{::fcntl(process->pidfd(), F_DUPFD_CLOEXEC, 0)}};
        processes_.push_back(*std::move(process));
        return made;
    }

    static BootTime in(std::chrono::milliseconds time) { return BootClock::now() + time; }

    auto acquire(bool urgent = false, std::chrono::milliseconds patience = 20s) {
        return pool_.acquire({}, urgent, in(patience));
    }

    std::vector<Subprocess> processes_;
    Waker waker_ = *Waker::create();
    WorkerPool pool_{waker_, 2, 1000};
};

TEST_F(WorkerPoolTest, GivesNoMoreWorkersAtOnceThanTheTarget) {
    for (int i = 0; i < 3; ++i) {
        (void)pool_.add(worker());
    }
    pool_.use_engine(kEngine);
    auto first = acquire();
    const auto second = acquire();
    ASSERT_TRUE(first && second);
    const auto third = acquire(false, 20ms);
    ASSERT_FALSE(third);
    EXPECT_EQ(third.error(), WorkerPool::Refusal::NotReady);
    first->put_back(false);
    EXPECT_TRUE(acquire());
}

TEST_F(WorkerPoolTest, GivesOnlyWorkersOfTheEngineInUse) {
    (void)pool_.add(worker(kEngine));
    EXPECT_FALSE(acquire(false, 10ms));
    pool_.use_engine(kEngine);
    auto lease = acquire();
    ASSERT_TRUE(lease);
    pool_.use_engine(kEngine + 1);
    EXPECT_EQ(pool_.busy(kEngine), 1U);
    // It may finish, and is then ended, which is no loss.
    lease->put_back(false);
    EXPECT_TRUE(has_ended(processes_.front().pidfd(), 5s));
    EXPECT_EQ(pool_.staying(kEngine), 0U);
    EXPECT_FALSE(pool_.loss_of(1, "killed"));
    EXPECT_EQ(pool_.census().lost, 0U);
}

TEST_F(WorkerPoolTest, ServesUrgentCallersFirstAndOthersInTurn) {
    pool_.set_target(1);
    pool_.use_engine(kEngine);
    std::mutex mutex;
    std::vector<int> served;
    std::vector<std::jthread> callers;
    const auto call = [&](int number, bool urgent) {
        callers.emplace_back([&, number, urgent] {
            auto lease = acquire(urgent);
            {
                const std::scoped_lock lock(mutex);
                served.push_back(number);
            }
            lease->put_back(false);
        });
        while (pool_.census().waiting < callers.size()) {
            std::this_thread::yield();
        }
    };
    call(1, false);
    call(2, false);
    call(3, true);
    (void)pool_.add(worker());
    callers.clear();
    EXPECT_EQ(served, (std::vector{3, 1, 2}));
}

TEST_F(WorkerPoolTest, EndsAWorkerAtOnceThatWasGivenUpAndTellsWhy) {
    const auto id = pool_.add(worker());
    pool_.use_engine(kEngine);
    auto lease = pool_.acquire({.content = {}, .path = "/a/file", .size = 9}, false, in(1s));
    ASSERT_TRUE(lease);
    auto ending = std::async(std::launch::async, [&] { return lease->give_up("deadline"); });
    EXPECT_TRUE(has_ended(processes_.front().pidfd(), 5s));
    const auto loss = pool_.loss_of(id, "signal 9").value_or(ScanService::Loss{});
    EXPECT_EQ(loss.how, "deadline");
    EXPECT_EQ(loss.path, "/a/file");
    EXPECT_EQ(loss.size, 9U);
    pool_.bury(id);
    EXPECT_EQ(ending.get().how, "deadline");
    EXPECT_FALSE(ending.valid());
    EXPECT_EQ(pool_.census().lost, 1U);
}

TEST_F(WorkerPoolTest, AWorkerThatEndsWithItsEngineIsNotBlamedOnItsFile) {
    (void)pool_.add(worker());
    pool_.use_engine(kEngine);
    auto lease = acquire();
    ASSERT_TRUE(lease);
    pool_.bury_engine(kEngine, "its zygote ended");
    EXPECT_TRUE(has_ended(processes_.front().pidfd(), 5s));
    const auto ending = lease->give_up("");
    EXPECT_TRUE(ending.blameless);
    EXPECT_EQ(pool_.census().lost, 0U);
}

TEST_F(WorkerPoolTest, ALeaseThatIsForgottenEndsItsWorker) {
    (void)pool_.add(worker());
    pool_.use_engine(kEngine);
    {
        const auto lease = acquire();
    }
    EXPECT_TRUE(has_ended(processes_.front().pidfd(), 5s));
}

TEST_F(WorkerPoolTest, ClosingWakesThoseWhoWait) {
    auto waiting = std::async(std::launch::async, [&] { return acquire().error(); });
    pool_.close();
    EXPECT_EQ(waiting.get(), WorkerPool::Refusal::Stopping);
}

TEST(ProcessFacts, KnowWhoIsBehindAPidfd) {
    auto process = Subprocess::start({.program = "/bin/sleep", .arguments = {"60"}});
    ASSERT_TRUE(process);
    EXPECT_EQ(*pid_behind(process->pidfd()), process->pid());
    EXPECT_EQ(*parent_of(process->pid()), ::getpid());
    EXPECT_EQ(*effective_user_of(process->pid()), ::geteuid());
    EXPECT_FALSE(has_ended(process->pidfd()));
    kill_by(process->pidfd());
    ASSERT_TRUE(has_ended(process->pidfd(), 5s));
    EXPECT_EQ(*pid_behind(process->pidfd()), process->pid());  // not reaped yet
    (void)process->wait(5s);
    EXPECT_EQ(*pid_behind(process->pidfd()), std::nullopt);
    EXPECT_FALSE(parent_of(process->pid()));
}

TEST(ProcessFacts, DoNotTakeAnotherDescriptorForAPidfd) {
    const UniqueFd file{::open("/proc/self/status", O_RDONLY | O_CLOEXEC)};
    EXPECT_FALSE(pid_behind(file.get()));
    EXPECT_FALSE(pid_behind(-1));
}

TEST(ProcessFacts, NameUsersByNumberWhereTheyHaveNoName) {
    EXPECT_EQ(user_name(0), "root");
    EXPECT_EQ(user_name(3'999'999'999), "3999999999");
}

}  // namespace
}  // namespace vigia::scan::detail
