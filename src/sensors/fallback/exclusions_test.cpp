// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/fallback/exclusions.h"

#include <gtest/gtest.h>

namespace vigia::sensors {
namespace {

constexpr ProgramId kExcluded{.device = 1, .inode = 10};
constexpr ProgramId kOther{.device = 1, .inode = 11};

class Running {
public:
    Running& with(pid_t pid, pid_t parent, ProgramId program, uid_t uid = 0) {
        processes_[pid] = {.who = key(pid, program, uid), .parent = {.pid = parent}};
        return *this;
    }

    Running& without(pid_t pid) {
        processes_.erase(pid);
        return *this;
    }

    const std::map<pid_t, ProcessInfo>& all() const { return processes_; }

    static ProcessOwner key(pid_t pid, ProgramId program, uid_t uid) {
        return {.key = {.pid = pid, .start_ns = 100}, .uid = uid, .program = program};
    }

private:
    std::map<pid_t, ProcessInfo> processes_;
};

bool holds(const Exclusions& exclusions, pid_t pid, std::uint64_t start = 100) {
    return exclusions.contains({.pid = pid, .start_ns = start});
}

TEST(FallbackExclusions, AProgramIsLeftOutAndItsChildrenOnlyIfTheRuleSaysSo) {
    Running running;
    running.with(5, 1, kExcluded).with(6, 5, kOther).with(7, 1, kOther);
    Exclusions alone;
    alone.set({{.program = kExcluded}});
    alone.update(running.all());
    EXPECT_TRUE(holds(alone, 5));
    EXPECT_FALSE(holds(alone, 6));
    Exclusions with_children;
    with_children.set({{.program = kExcluded, .children = true}});
    with_children.update(running.all());
    EXPECT_TRUE(holds(with_children, 5));
    EXPECT_TRUE(holds(with_children, 6));
    EXPECT_FALSE(holds(with_children, 7));
    EXPECT_FALSE(holds(with_children, 5, 200)) << "another process of that number";
}

TEST(FallbackExclusions, TheOrderOfNumbersDoesNotMatterAndOrphansStayLeftOut) {
    Running running;
    running.with(9, 1, kExcluded).with(4, 9, kOther).with(2, 4, kOther);
    Exclusions exclusions;
    exclusions.set({{.program = kExcluded, .children = true}});
    exclusions.update(running.all());
    EXPECT_TRUE(holds(exclusions, 2));
    exclusions.update(running.without(9).with(4, 1, kOther).all());
    EXPECT_TRUE(holds(exclusions, 4));
    EXPECT_TRUE(holds(exclusions, 2));
    exclusions.update(running.with(3, 4, kOther).all());
    EXPECT_TRUE(holds(exclusions, 3));
}

TEST(FallbackExclusions, WithoutChildrenTheRuleEndsWhenTheProcessTurnsIntoAnother) {
    Running running;
    Exclusions exclusions;
    exclusions.set({{.program = kExcluded}});
    exclusions.update(running.with(5, 1, kExcluded).all());
    EXPECT_TRUE(holds(exclusions, 5));
    exclusions.update(running.with(5, 1, kOther).all());
    EXPECT_FALSE(holds(exclusions, 5));
}

TEST(FallbackExclusions, ARuleForAUserIsForNobodyElseAndNewRulesForgetOldOnes) {
    Running running;
    running.with(5, 1, kExcluded, 1000).with(6, 1, kExcluded, 1001);
    Exclusions exclusions;
    exclusions.set({{.program = kExcluded, .user = 1000, .children = true}});
    exclusions.update(running.all());
    EXPECT_TRUE(holds(exclusions, 5));
    EXPECT_FALSE(holds(exclusions, 6));
    exclusions.set({});
    exclusions.update(running.all());
    EXPECT_FALSE(holds(exclusions, 5));
}

TEST(FallbackExclusions, ACircleOfParentsEnds) {
    Running running;
    running.with(5, 6, kOther).with(6, 5, kExcluded);
    Exclusions exclusions;
    exclusions.set({{.program = kExcluded, .children = true}});
    exclusions.update(running.all());
    EXPECT_TRUE(holds(exclusions, 6));
}

}  // namespace
}  // namespace vigia::sensors
