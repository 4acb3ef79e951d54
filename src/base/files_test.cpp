// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace vigia {
namespace {

class Files : public testing::Test {
protected:
    Files() {
        std::string pattern = "/tmp/vigia-files-XXXXXX";
        root_ = ::mkdtemp(pattern.data());
    }

    void TearDown() override { std::filesystem::remove_all(root_); }

    std::filesystem::path root_;
};

TEST_F(Files, ReadingStopsAtTheLimit) {
    std::ofstream(root_ / "f") << "12345";
    EXPECT_EQ(read_file(root_ / "f", 5).value(), "12345");
    EXPECT_EQ(read_file(root_ / "f", 4).error().code, std::errc::file_too_large);
    EXPECT_EQ(read_file(root_ / "none", 4).error().code, std::errc::no_such_file_or_directory);
}

TEST_F(Files, ReplacingLeavesTheNewContentAndNothingElse) {
    ASSERT_TRUE(replace_file(root_ / "f", "one", 0640));
    ASSERT_TRUE(replace_file(root_ / "f", "two", 0600));
    EXPECT_EQ(read_file(root_ / "f", 100).value(), "two");
    struct stat info{};
    ASSERT_EQ(::stat((root_ / "f").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0600U);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(root_), {}), 1);
}

TEST_F(Files, ReplacingOverAFolderFailsAndLeavesNoTemporaryFile) {
    std::filesystem::create_directory(root_ / "d");
    EXPECT_FALSE(replace_file(root_ / "d", "x", 0600));
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(root_), {}), 1);
}

TEST_F(Files, AnExistingFolderKeepsItsMode) {
    ASSERT_TRUE(ensure_folder(root_ / "a/b", 0750));
    struct stat info{};
    ASSERT_EQ(::stat((root_ / "a/b").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0750U);
    ASSERT_EQ(::chmod((root_ / "a/b").c_str(), 0700), 0);
    ASSERT_TRUE(ensure_folder(root_ / "a/b", 0750));
    ASSERT_EQ(::stat((root_ / "a/b").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0700U) << "a wrong mode is a fault to report, not to hide";
}

TEST_F(Files, AFifoDoesNotHangTheReader) {
    ASSERT_EQ(::mkfifo((root_ / "fifo").c_str(), 0600), 0);
    EXPECT_TRUE(read_file(root_ / "fifo", 10).has_value());
}

}  // namespace
}  // namespace vigia
