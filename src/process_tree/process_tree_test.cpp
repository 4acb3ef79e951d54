// SPDX-License-Identifier: GPL-2.0-or-later
#include "process_tree/process_tree.h"

#include <gtest/gtest.h>

#include <string>

namespace vigia::process_tree {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kSecond = 1'000'000'000;

BootTime second(int count) {
    return BootTime{std::chrono::seconds{count}};
}

ProcessKey key(pid_t pid, int start) {
    return {.pid = pid, .start_ns = static_cast<std::uint64_t>(start) * kSecond};
}

ProcessInfo process(ProcessKey who, ProcessKey parent, const std::string& path) {
    return {.who = {.key = who, .comm = path}, .parent = parent, .path = path};
}

ProcessExec exec(ProcessKey who, ProcessKey parent, const std::string& path, int at) {
    return {.process = process(who, parent, path), .at = second(at)};
}

ProcessFork fork(ProcessKey child, ProcessKey parent, int at) {
    return {.child = {.key = child, .comm = "forked"},
            .parent = parent,
            .creator = parent.pid,
            .at = second(at)};
}

ProcessExit exited(ProcessKey who, int at) {
    return {.process = {.key = who, .comm = "ended"}, .parent = {}, .at = second(at)};
}

class Tree : public ::testing::Test {
protected:
    ProcessTree tree_{{.most_living = 4, .most_ended = 3, .ended_for = 60s}};
    const ProcessKey init_ = key(1, 1);
    const ProcessKey shell_ = key(10, 10);
};

TEST_F(Tree, AForkedProcessIsWhatItsParentWasUntilItExecutes) {
    tree_.seed({process(shell_, init_, "/bin/sh")});
    const auto child = key(20, 20);
    tree_.apply(fork(child, shell_, 20));
    EXPECT_EQ(tree_.find(child)->path, "/bin/sh");
    EXPECT_EQ(tree_.find(child)->parent, shell_);
    tree_.apply(exec(child, shell_, "/bin/true", 21));
    EXPECT_EQ(tree_.find(child)->path, "/bin/true");
}

TEST_F(Tree, AncestryGoesUpAndEndsWhereNothingIsKnown) {
    tree_.seed({process(init_, {}, "/sbin/init"), process(shell_, init_, "/bin/sh")});
    tree_.apply(fork(key(20, 20), shell_, 20));
    const auto line = tree_.ancestry(key(20, 20));
    ASSERT_EQ(line.size(), 3U);
    EXPECT_EQ(line[2].path, "/sbin/init");
    EXPECT_EQ(tree_.ancestry(key(20, 20), 2).size(), 2U);
    EXPECT_TRUE(tree_.ancestry(key(99, 1)).empty());
}

TEST_F(Tree, ACircleOfParentsEnds) {
    tree_.seed({process(init_, shell_, "a"), process(shell_, init_, "b")});
    EXPECT_EQ(tree_.ancestry(init_).size(), 32U);
}

TEST_F(Tree, AUsedAgainNumberIsAnotherProcess) {
    tree_.apply(exec(key(20, 20), shell_, "/old", 20));
    tree_.apply(exited(key(20, 20), 25));
    tree_.apply(exec(key(20, 30), shell_, "/new", 30));
    EXPECT_EQ(tree_.find(key(20, 20))->path, "/old");
    EXPECT_EQ(tree_.find(key(20, 30))->path, "/new");
    EXPECT_EQ(tree_.find({.pid = 20})->path, "/new");
    EXPECT_EQ(tree_.find_at(20, second(24))->path, "/old");
    EXPECT_FALSE(tree_.find_at(20, second(27)));
    EXPECT_EQ(tree_.find_at(20, second(31))->path, "/new");
}

TEST_F(Tree, AnExitThatWasNotToldIsInferredFromTheNumbersNextUse) {
    tree_.apply(exec(key(20, 20), shell_, "/old", 20));
    tree_.apply(fork(key(20, 30), shell_, 30));
    EXPECT_EQ(tree_.size().living, 1U);
    EXPECT_EQ(tree_.size().ended, 1U);
    EXPECT_EQ(tree_.find_at(20, second(29))->path, "/old");
}

TEST_F(Tree, WhoIsMissingFromACompleteSnapshotHasEnded) {
    tree_.apply(exec(key(20, 20), shell_, "/gone", 20));
    tree_.apply(exec(key(30, 25), shell_, "/there", 25));
    tree_.apply(exec(key(40, 35), shell_, "/later", 35));
    tree_.end_missing({process(key(30, 25), shell_, "/there")}, second(30));
    EXPECT_EQ(tree_.size().living, 2U);
    EXPECT_FALSE(tree_.find_at(20, second(31)));
    EXPECT_EQ(tree_.find_at(20, second(29))->path, "/gone");
    EXPECT_EQ(tree_.find_at(30, second(40))->path, "/there");
    EXPECT_EQ(tree_.find_at(40, second(40))->path, "/later");
}

TEST_F(Tree, AnExecToldBeforeItsForkStays) {
    tree_.apply(exec(key(20, 20), init_, "/bin/true", 21));  // taken over meanwhile
    tree_.apply(fork(key(20, 20), shell_, 20));
    EXPECT_EQ(tree_.find(key(20, 20))->path, "/bin/true");
    EXPECT_EQ(tree_.find(key(20, 20))->parent, shell_);
}

TEST_F(Tree, AnExitToldBeforeTheExecLeavesItEnded) {
    tree_.apply(exited(key(20, 20), 22));
    tree_.apply(exec(key(20, 20), shell_, "/bin/true", 21));
    EXPECT_EQ(tree_.size().living, 0U);
    EXPECT_EQ(tree_.find(key(20, 20))->path, "/bin/true");
    EXPECT_FALSE(tree_.find_at(20, second(30)));
}

TEST_F(Tree, WhatHasEndedStaysForAMinuteAndInNumber) {
    for (int pid = 20; pid < 24; ++pid) {
        tree_.apply(exec(key(pid, pid), shell_, "/x", pid));
        tree_.apply(exited(key(pid, pid), 30));
    }
    EXPECT_EQ(tree_.size().ended, 3U);
    EXPECT_FALSE(tree_.find(key(20, 20)));
    tree_.expire(second(90));
    EXPECT_TRUE(tree_.find(key(23, 23)));
    tree_.expire(second(91));
    EXPECT_FALSE(tree_.find(key(23, 23)));
}

TEST_F(Tree, TheLivingAreBoundedAndTheOldestGoes) {
    for (int pid = 20; pid < 26; ++pid) {
        tree_.apply(exec(key(pid, pid), shell_, "/x", pid));
    }
    EXPECT_EQ(tree_.size().living, 4U);
    EXPECT_EQ(tree_.size().displaced, 2U);
    EXPECT_FALSE(tree_.find(key(20, 20)));
    EXPECT_TRUE(tree_.find(key(25, 25)));
}

TEST_F(Tree, ATimeFromProcFindsTheProcessOfThatTick) {
    const ProcessKey exact{.pid = 20, .start_ns = 20 * kSecond + 7'654'321};
    tree_.apply(exec(exact, shell_, "/x", 21));
    EXPECT_TRUE(tree_.find({.pid = 20, .start_ns = 20 * kSecond}));
    EXPECT_FALSE(tree_.find({.pid = 20, .start_ns = 19 * kSecond}));
}

TEST_F(Tree, TheSnapshotDoesNotOverwriteAnEvent) {
    tree_.apply(exec(key(20, 20), shell_, "/new", 21));
    tree_.seed({process(key(20, 20), shell_, "/older")});
    EXPECT_EQ(tree_.find(key(20, 20))->path, "/new");
}

TEST_F(Tree, AFlowHasItsOwner) {
    tree_.apply(exec(key(20, 20), shell_, "/bin/client", 21));
    EXPECT_EQ(tree_.owner_of({.owner = {.key = key(20, 20)}})->path, "/bin/client");
    EXPECT_FALSE(tree_.owner_of({}));
}

}  // namespace
}  // namespace vigia::process_tree
