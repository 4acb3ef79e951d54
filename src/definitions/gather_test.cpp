// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "definitions/builtin.h"
#include "definitions/signatures.h"

namespace vigia::definitions {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

class Gather : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "vigia-gather-XXXXXX").native();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        root_ = pattern;
        state_ = root_ / "definitions";
    }

    void TearDown() override { fs::remove_all(root_); }

    fs::path folder(const std::string& name) {
        fs::create_directories(root_ / name);
        policy_.sources.push_back({.kind = "folder", .path = root_ / name});
        return root_ / name;
    }

    static void write(const fs::path& path, std::string_view content) {
        std::ofstream(path, std::ios::binary) << content;
    }

    GatheredSet gathered() {
        auto set = gather(state_, policy_);
        if (!set) {
            ADD_FAILURE() << set.error().message();
            return {};
        }
        return *std::move(set);
    }

    static std::set<std::string> names(const fs::path& path) {
        std::set<std::string> result;
        for (const auto& entry : fs::directory_iterator(path)) {
            result.insert(entry.path().filename());
        }
        return result;
    }

    static std::string content(const fs::path& path) {
        return read_file(path, 1U << 20U).value_or("(cannot be read)");
    }

    std::string current() const { return fs::read_symlink(state_ / "current"); }

    static mode_t mode(const fs::path& path) {
        struct stat info{};
        return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777U : 0;
    }

    fs::path root_;
    fs::path state_;
    Policy::Definitions policy_;
};

TEST_F(Gather, AFreshInstallationHasTheBuiltInSetAndTheFolders) {
    const auto set = gathered();
    EXPECT_THAT(set.generation, testing::MatchesRegex("[0-9a-f]{16}"));
    EXPECT_EQ(set.folder, state_ / "generations" / set.generation);
    EXPECT_THAT(names(set.folder), ElementsAre("vigia.ndb"));
    EXPECT_EQ(current(), "generations/" + set.generation);
    EXPECT_THAT(set.problems, IsEmpty());
    ASSERT_THAT(set.folders, SizeIs(1));
    struct stat opened{};
    struct stat named{};
    ASSERT_EQ(::fstat(set.folders[0].get(), &opened), 0);
    ASSERT_EQ(::stat(set.folder.c_str(), &named), 0);
    EXPECT_EQ(opened.st_ino, named.st_ino);
    EXPECT_EQ(set.status.generation, set.generation);
    ASSERT_THAT(set.status.sources, SizeIs(1));
    EXPECT_EQ(set.status.sources[0].kind, "builtin");
    EXPECT_THAT(names(state_),
                UnorderedElementsAre("current", "generations", "incoming", "rejected"));
    EXPECT_EQ(mode(set.folder), 0755U);
    EXPECT_EQ(mode(set.folder / "vigia.ndb"), 0644U);
}

TEST_F(Gather, ModesAreAsPromisedWhateverTheMask) {
    const auto source = folder("src");
    write(source / "a.hdb", "x");
    ::chmod((source / "a.hdb").c_str(), 0600);
    const mode_t before = ::umask(0077);
    const auto set = gathered();
    ::umask(before);
    EXPECT_EQ(mode(state_), 0755U);
    EXPECT_EQ(mode(state_ / "generations"), 0755U);
    EXPECT_EQ(mode(set.folder), 0755U);
    EXPECT_EQ(mode(set.folder / "a.hdb"), 0644U);
    EXPECT_EQ(mode(set.folder / "vigia.ndb"), 0644U);
}

TEST_F(Gather, APlainFilesOfAFolderAreCopiedAndTheRestIsNot) {
    const auto source = folder("src");
    write(source / "a.hdb", "aa:1:A");
    write(source / "empty.ndb", "");
    write(source / "rules.yar", "rule x { condition: false }");
    write(source / "README", "no definitions");
    write(source / ".hidden.hdb", "x");
    write(source / "bad\nname.hdb", "x");
    fs::create_directories(source / "sub.hdb");
    write(root_ / "secret.hdb", "x");
    fs::create_symlink(root_ / "secret.hdb", source / "link.hdb");
    ASSERT_EQ(::mkfifo((source / "fifo.hdb").c_str(), 0600), 0);
    const auto set = gathered();
    EXPECT_THAT(names(set.folder),
                UnorderedElementsAre("vigia.ndb", "a.hdb", "empty.ndb", "rules.yar"));
    EXPECT_EQ(content(set.folder / "a.hdb"), "aa:1:A");
    ASSERT_THAT(set.status.sources, SizeIs(2));
    EXPECT_EQ(set.status.sources[1].kind, "folder");
    EXPECT_EQ(set.status.sources[1].path, source);
    EXPECT_EQ(set.status.sources[1].files, 3U);
    EXPECT_EQ(set.status.sources[1].detail, "5 left out, 1 other files ignored");
    EXPECT_THAT(set.problems,
                UnorderedElementsAre(HasSubstr(".hidden.hdb"),
                                     HasSubstr("bad\\nname.hdb"),
                                     HasSubstr("sub.hdb: left out: it is a folder"),
                                     HasSubstr("link.hdb: left out: it is a symbolic link"),
                                     HasSubstr("fifo.hdb: left out: it is a FIFO")));
}

TEST_F(Gather, TheSameContentIsTheSameGenerationAndItsFolderIsKept) {
    const auto source = folder("src");
    write(source / "a.hdb", "one");
    const auto first = gathered();
    struct stat before{};
    ASSERT_EQ(::stat(first.folder.c_str(), &before), 0);
    write(source / "note.txt", "not counted");
    const auto second = gathered();
    struct stat after{};
    ASSERT_EQ(::stat(second.folder.c_str(), &after), 0);
    EXPECT_EQ(second.generation, first.generation);
    EXPECT_EQ(after.st_ino, before.st_ino);
    EXPECT_THAT(names(state_ / "generations"), ElementsAre(first.generation));
}

TEST_F(Gather, AnotherNameOrContentIsAnotherGeneration) {
    const auto source = folder("src");
    std::set<std::string> seen;
    seen.insert(gathered().generation);
    write(source / "a.hdb", "one");
    seen.insert(gathered().generation);
    write(source / "a.hdb", "two");
    seen.insert(gathered().generation);
    fs::rename(source / "a.hdb", source / "b.hdb");
    seen.insert(gathered().generation);
    EXPECT_THAT(seen, SizeIs(4));
}

TEST_F(Gather, OurCopyStaysAsItWasWhenTheSourceChanges) {
    const auto source = folder("src");
    write(source / "a.hdb", "one");
    const auto set = gathered();
    write(source / "a.hdb", "two");
    EXPECT_EQ(content(set.folder / "a.hdb"), "one");
}

TEST_F(Gather, AChangedGenerationIsSetAsideAndMadeAgain) {
    const auto source = folder("src");
    write(source / "a.hdb", "one");
    const auto first = gathered();
    write(first.folder / "a.hdb", "bad");
    const auto second = gathered();
    EXPECT_EQ(second.generation, first.generation);
    EXPECT_EQ(content(second.folder / "a.hdb"), "one");
    EXPECT_THAT(second.problems, ElementsAre(HasSubstr("was changed on disk")));
    EXPECT_EQ(content(state_ / "rejected" / first.generation / "a.hdb"), "bad");
    write(second.folder / "more.hdb", "x");
    EXPECT_THAT(gathered().problems, SizeIs(1));
    EXPECT_THAT(names(state_ / "rejected"), ElementsAre(first.generation));
}

TEST_F(Gather, TheLastGenerationsAreKeptAndTheCurrentOneAlways) {
    const auto source = folder("src");
    policy_.keep_generations = 2;
    std::vector<std::string> made;
    for (const auto* text : {"one", "two", "three"}) {
        write(source / "a.hdb", text);
        const auto set = gathered();
        made.push_back(set.generation);
        // Ages by one hour: file times may have no finer steps than the test's own pace.
        for (const auto& name : made) {
            const auto path = state_ / "generations" / name;
            if (fs::exists(path)) {
                fs::last_write_time(path, fs::last_write_time(path) - std::chrono::hours{1});
            }
        }
    }
    EXPECT_THAT(names(state_ / "generations"), UnorderedElementsAre(made[1], made[2]));
    policy_.keep_generations = 1;
    write(source / "a.hdb", "two");
    EXPECT_EQ(gathered().generation, made[1]);
    EXPECT_THAT(names(state_ / "generations"), ElementsAre(made[1]));
    EXPECT_EQ(current(), "generations/" + made[1]);
}

TEST_F(Gather, AnInterruptedGatherLeavesNothingBehind) {
    const auto set = gathered();
    const auto stale = state_ / "generations" / ".draft-0123";
    fs::create_directories(stale / "sub");
    write(stale / "half.hdb", "x");
    EXPECT_EQ(gathered().generation, set.generation);
    EXPECT_THAT(names(state_ / "generations"), ElementsAre(set.generation));
}

TEST_F(Gather, ASourceThatCannotBeReadIsAProblemAndTheRestGoesOn) {
    policy_.sources.push_back({.kind = "folder", .path = root_ / "missing"});
    write(folder("src") / "a.hdb", "x");
    (void)folder("empty");
    policy_.sources.push_back({.kind = "clamav", .mirrors = {"https://mirror.invalid"}});
    const auto set = gathered();
    EXPECT_THAT(names(set.folder), UnorderedElementsAre("vigia.ndb", "a.hdb"));
    EXPECT_THAT(set.problems,
                ElementsAre(HasSubstr("missing: cannot be read: "),
                            HasSubstr("empty: no definition files"),
                            HasSubstr("clamav https://mirror.invalid: not read")));
    ASSERT_THAT(set.status.sources, SizeIs(5));
    EXPECT_EQ(set.status.sources[1].files, 0U);
    EXPECT_EQ(set.status.sources[2].files, 1U);
}

TEST_F(Gather, FilesOfTheSameNameAreBothThere) {
    write(folder("one") / "a.hdb", "first");
    write(root_ / "one" / "vigia.ndb", "not ours");
    write(folder("two") / "a.hdb", "second");
    write(root_ / "two" / "2-a.hdb", "third");
    const auto set = gathered();
    EXPECT_THAT(names(set.folder),
                UnorderedElementsAre("vigia.ndb", "1-vigia.ndb", "a.hdb", "2-a.hdb", "2-2-a.hdb"));
    EXPECT_EQ(content(set.folder / "vigia.ndb"), builtin_signatures());
    EXPECT_THAT(set.problems, IsEmpty());
}

TEST_F(Gather, AFileOverTheLimitIsLeftOutUnread) {
    const auto big = folder("src") / "big.hdb";
    write(big, "");
    ASSERT_EQ(::truncate(big.c_str(), (std::int64_t{4} << 30U) + 1), 0);
    const auto set = gathered();
    EXPECT_THAT(names(set.folder), ElementsAre("vigia.ndb"));
    EXPECT_THAT(set.problems, testing::Contains(HasSubstr("big.hdb: left out: 4294967297 bytes")));
}

TEST_F(Gather, WithoutAPlaceForTheStateItFailsAndLeavesWhatWasThere) {
    write(root_ / "definitions", "a file where the folder should be");
    const auto set = gather(state_, policy_);
    ASSERT_FALSE(set);
    EXPECT_THAT(set.error().message(), HasSubstr("definitions"));
    EXPECT_EQ(content(state_), "a file where the folder should be");
}

}  // namespace
}  // namespace vigia::definitions
