// SPDX-License-Identifier: GPL-2.0-or-later
#include "scand/temporary_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace vigia::scand {
namespace {

class TemporaryFolder : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "vigia-empty-XXXXXX");
        top_ = ::mkdtemp(pattern.data());
        folder_ = top_ / "slot";
        std::filesystem::create_directory(folder_);
    }

    void TearDown() override { std::filesystem::remove_all(top_); }

    std::filesystem::path top_;
    std::filesystem::path folder_;
};

TEST_F(TemporaryFolder, LosesEverythingInItAndStaysItself) {
    std::filesystem::create_directories(folder_ / "a" / "b" / "c");
    std::filesystem::create_directories(folder_ / "d" / "e");
    std::ofstream(folder_ / "file") << "x";
    std::ofstream(folder_ / "a" / "b" / "file") << "x";
    std::ofstream(folder_ / "a" / "b" / "c" / "line\nbreak") << "x";
    const auto emptied = empty_folder(folder_);
    ASSERT_TRUE(emptied) << emptied.error().message();
    EXPECT_TRUE(std::filesystem::is_directory(folder_));
    EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(TemporaryFolder, IsEmptiedHoweverDeepItIsNested) {
    constexpr int kDepth = 3000;  // its path is longer than the kernel would take
    ASSERT_EQ(::chdir(folder_.c_str()), 0);
    for (int i = 0; i < kDepth; ++i) {
        ASSERT_EQ(::mkdir("deeper", 0700), 0);
        ASSERT_EQ(::chdir("deeper"), 0);
    }
    ASSERT_EQ(::chdir("/"), 0);
    const auto emptied = empty_folder(folder_);
    ASSERT_TRUE(emptied) << emptied.error().message();
    EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(TemporaryFolder, DoesNotFollowLinks) {
    const auto outside = top_ / "outside";
    std::filesystem::create_directory(outside);
    std::ofstream(outside / "file") << "x";
    std::filesystem::create_directory_symlink(outside, folder_ / "link");
    ASSERT_TRUE(empty_folder(folder_));
    EXPECT_TRUE(std::filesystem::is_empty(folder_));
    EXPECT_TRUE(std::filesystem::exists(outside / "file"));
}

TEST_F(TemporaryFolder, ThatIsNotThereIsAnError) {
    EXPECT_FALSE(empty_folder(folder_ / "missing"));
}

}  // namespace
}  // namespace vigia::scand
