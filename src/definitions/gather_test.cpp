// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "definitions/builtin.h"

namespace vigia::definitions {
namespace {

namespace fs = std::filesystem;

class Gather : public testing::Test {
protected:
    Gather() {
        std::string pattern = "/tmp/vigia-gather-XXXXXX";
        root_ = ::mkdtemp(pattern.data());
        fs::create_directories(source_ = root_ / "source");
        fs::create_directories(state_ = root_ / "state/definitions");
        policy_.sources.push_back({.kind = "folder", .path = source_.native()});
    }

    ~Gather() override { fs::remove_all(root_); }

    void put(const std::string& name, const std::string& content) const {
        std::ofstream(source_ / name) << content;
    }

    fs::path root_;
    fs::path source_;
    fs::path state_;
    Policy::Definitions policy_;
};

TEST_F(Gather, KeepsTheBuiltInSetAndThePlainFilesOfEachFolder) {
    put("one.hdb", "x");
    put("README", "no definition");
    const auto set = gather(state_, policy_);
    ASSERT_TRUE(set.has_value()) << set.error().message();
    EXPECT_TRUE(fs::exists(set->folder / "vigia-builtin.ndb"));
    EXPECT_TRUE(fs::exists(set->folder / "s0-one.hdb"));
    ASSERT_EQ(set->status.sources.size(), 2U);
    EXPECT_EQ(set->status.sources[1].files, 1U);
    ASSERT_EQ(set->problems.size(), 1U);
    EXPECT_NE(set->problems[0].find("README"), std::string::npos);
    EXPECT_EQ(fs::read_symlink(root_ / "state/current"),
              fs::path("definitions/generations") / set->generation);
    struct stat info{};
    ASSERT_EQ(::stat((set->folder / "s0-one.hdb").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0644U);
}

TEST_F(Gather, TheSameFilesAreTheSameGenerationAndAnyChangeIsAnother) {
    put("one.hdb", "x");
    const auto first = gather(state_, policy_)->generation;
    EXPECT_EQ(gather(state_, policy_)->generation, first);
    put("one.hdb", "y");
    const auto second = gather(state_, policy_)->generation;
    EXPECT_NE(second, first);
    fs::rename(source_ / "one.hdb", source_ / "two.hdb");
    EXPECT_NE(gather(state_, policy_)->generation, second);
}

TEST_F(Gather, ASourceThatCannotBeReadIsToldAndTheRestGoesOn) {
    policy_.sources.push_back({.kind = "folder", .path = (root_ / "none").native()});
    put("one.hdb", "x");
    fs::create_symlink("/etc/passwd", source_ / "link.hdb");
    ASSERT_EQ(::mkfifo((source_ / "fifo.ndb").c_str(), 0600), 0);
    const auto set = gather(state_, policy_);
    ASSERT_TRUE(set.has_value());
    EXPECT_EQ(set->status.sources[1].files, 1U);
    EXPECT_FALSE(set->status.sources[2].detail.empty());
    EXPECT_EQ(set->problems.size(), 3U);
    EXPECT_FALSE(fs::exists(set->folder / "s0-link.hdb"));
}

TEST_F(Gather, OldGenerationsGoAndHalfMadeOnesToo) {
    policy_.keep_generations = 2;
    fs::create_directories(state_ / "generations/.gathering-left-by-a-kill");
    for (int i = 0; i < 4; ++i) {
        put("one.hdb", std::to_string(i));
        ASSERT_TRUE(gather(state_, policy_).has_value());
    }
    EXPECT_EQ(std::distance(fs::directory_iterator(state_ / "generations"), {}), 2);
}

TEST_F(Gather, TheDefinitionFilesAreNoDetectionsThemselves) {
    const auto set = gather(state_, policy_);
    std::ostringstream content;
    content << std::ifstream(set->folder / "vigia-builtin.ndb").rdbuf();
    EXPECT_EQ(content.str().find(eicar_content()), std::string::npos);
    EXPECT_NE(content.str().find("Eicar-Test-Signature:0:0:58354f21"), std::string::npos);
    EXPECT_EQ(eicar_content().size(), 68U);
}

}  // namespace
}  // namespace vigia::definitions
