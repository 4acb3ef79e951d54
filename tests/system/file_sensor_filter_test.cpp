// SPDX-License-Identifier: GPL-2.0-or-later
// links: vigia_sensors vigia_host
#include <cerrno>

#include "support/arrivals_fixture.h"
#include "support/process.h"

// What is not handed on, and what can be done with what is.
namespace vigia::test {
namespace {

namespace fs = std::filesystem;

class Filter : public Arrivals {};

TEST_P(Filter, WhatLiesOutsideTheWatchIsCountedAndNotHandedOn) {
    fs::create_directory(disk_ / "inside-not");
    write_file(outside() / "file", std::string(kContent));
    write_file(disk_ / "inside-not" / "file", std::string(kContent));
    settle(inside());
    EXPECT_FALSE(was_seen((outside() / "file").native()));
    EXPECT_FALSE(was_seen((disk_ / "inside-not" / "file").native()));
    EXPECT_TRUE(eventually([&] { return sensor_->state().filtered.at("outside-watch") >= 2U; }));
    EXPECT_TRUE(sensor_->is_watched(inside() / "file"));
    EXPECT_FALSE(sensor_->is_watched(disk_ / "inside-not" / "file"));
}

TEST_P(Filter, WhatLiesInOurOwnFoldersIsCountedAndNotHandedOn) {
    fs::create_directories(own() / "deep");
    write_file(own() / "file", std::string(kContent));
    write_file(own() / "deep" / "file", std::string(kContent));
    settle(inside());
    EXPECT_FALSE(was_seen((own() / "file").native()));
    EXPECT_FALSE(was_seen((own() / "deep" / "file").native()));
    EXPECT_TRUE(eventually([&] { return sensor_->state().filtered.at("own") >= 2U; }));
    EXPECT_FALSE(sensor_->is_watched(own() / "file"));
}

TEST_P(Filter, AnObjectIsOpenedByItsHandleWhateverItsNameIsNow) {
    write_file(inside() / "file", std::string(kContent));
    const auto seen = recorder_.wait_for(inside() / "file", FileChange::ClosedAfterWrite);
    ASSERT_TRUE(seen);
    fs::rename(inside() / "file", outside() / "elsewhere");
    const auto opened = sensor_->open_object(seen->object);
    ASSERT_TRUE(opened) << opened.error().message();
    EXPECT_EQ(path_of(opened->get()).value_or(""), (outside() / "elsewhere").native());
    fs::remove(outside() / "elsewhere");
}

TEST_P(Filter, AnObjectThatIsGoneIsStale) {
    write_file(inside() / "file", std::string(kContent));
    const auto seen = recorder_.wait_for(inside() / "file", FileChange::ClosedAfterWrite);
    ASSERT_TRUE(seen);
    fs::remove(inside() / "file");
    const auto opened = sensor_->open_object(seen->object);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code.value(), ESTALE);
}

TEST_P(Filter, TheFileSystemTellsTheTruthButOutlivesNoReboot) {
    const auto traits = sensor_->traits(object_at(inside()).fs);
    EXPECT_EQ(traits.type, GetParam());
    EXPECT_TRUE(traits.truthful_identity);
    EXPECT_FALSE(traits.persistent_identity) << "neither a loop device nor memory does";
}

INSTANTIATE_TEST_SUITE_P(On,
                         Filter,
                         ::testing::Values("tmpfs", "ext4", "xfs"),
                         [](const auto& named) { return named.param; });

}  // namespace
}  // namespace vigia::test
