// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace vigia::scan {
namespace {

namespace fs = std::filesystem;

class WalkTest : public ::testing::Test {
protected:
    void SetUp() override {
        std::string pattern = "/tmp/vigia-walk-XXXXXX";
        root_ = ::mkdtemp(pattern.data());
    }

    void TearDown() override { fs::remove_all(root_); }

    void make(const std::string& path, const std::string& content = "x") const {
        fs::create_directories((root_ / path).parent_path());
        std::ofstream(root_ / path) << content;
    }

    // Paths below the root, sorted, and the problems.
    struct Seen {
        std::vector<std::string> files;
        std::vector<WalkProblem> problems;
        bool ok = false;
    };

    [[nodiscard]] Seen walked(const WalkOptions& options = {}, const std::string& from = {}) const {
        Seen seen;
        const std::string start = from.empty() ? root_.native() : from;
        seen.ok =
            walk(
                start,
                options,
                [&](const WalkEntry& entry) {
                    struct stat info{};
                    EXPECT_EQ(::fstatat(entry.folder, entry.name, &info, AT_SYMLINK_NOFOLLOW), 0);
                    EXPECT_EQ(info.st_ino, entry.inode);
                    EXPECT_EQ(static_cast<std::uint64_t>(info.st_size), entry.size);
                    seen.files.push_back(fs::path(entry.path).lexically_relative(root_));
                },
                [&](const WalkProblem& problem) { seen.problems.push_back(problem); })
                .has_value();
        std::ranges::sort(seen.files);
        return seen;
    }

    fs::path root_;
};

std::size_t open_descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& one : fs::directory_iterator("/proc/self/fd")) {
        ++count;
    }
    return count;
}

TEST_F(WalkTest, FindsEveryRegularFileAndNothingElse) {
    make("a");
    make("b/c");
    make("b/d/e", "12345");
    make(".hidden/f");
    fs::create_directories(root_ / "empty");
    fs::create_symlink("/etc/passwd", root_ / "link");
    fs::create_directory_symlink("/etc", root_ / "linked-folder");
    ASSERT_EQ(::mkfifo((root_ / "fifo").c_str(), 0600), 0);  // opening it would block for ever
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    std::ranges::copy((root_ / "socket").native(), address.sun_path);
    ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const auto seen = walked();
    ::close(socket);
    EXPECT_TRUE(seen.ok);
    EXPECT_EQ(seen.files, (std::vector<std::string>{".hidden/f", "a", "b/c", "b/d/e"}));
    EXPECT_TRUE(seen.problems.empty());
}

TEST_F(WalkTest, NamesAreBytes) {
    const std::vector<std::string> names{
        "\xff\xfe not utf-8", "-rf", "new\nline", "\x1b[31mred", std::string(255, 'n')};
    for (const auto& name : names) {
        make(name);
        make("folder " + name.substr(0, 200) + "/" + name);
    }
    const auto seen = walked();
    EXPECT_EQ(seen.files.size(), 2 * names.size());
    for (const auto& name : names) {
        EXPECT_TRUE(std::ranges::find(seen.files, name) != seen.files.end()) << name;
    }
}

TEST_F(WalkTest, AFileIsItsOwnWalk) {
    make("one/file", "abc");
    const auto seen = walked({}, (root_ / "one/file").native());
    EXPECT_TRUE(seen.ok);
    EXPECT_EQ(seen.files, std::vector<std::string>{"one/file"});
}

TEST_F(WalkTest, WhatIsNotThereOrALinkIsAnErrorAndADeviceIsAProblem) {
    EXPECT_FALSE(walked({}, (root_ / "nothing").native()).ok);
    fs::create_directory_symlink("/etc", root_ / "link");
    EXPECT_FALSE(walked({}, (root_ / "link").native()).ok);
    EXPECT_FALSE(walked({}, (root_ / "link").native() + "/").ok) << "a slash follows no link";
    const auto device = walked({}, "/dev/null");
    EXPECT_TRUE(device.ok);
    EXPECT_EQ(device.problems.size(), 1U);
}

TEST_F(WalkTest, PseudoFileSystemsAreNotEntered) {
    const auto seen = walked({}, "/proc");
    EXPECT_TRUE(seen.ok);
    EXPECT_TRUE(seen.files.empty());
    EXPECT_EQ(seen.problems.size(), 1U);
}

TEST_F(WalkTest, FoldersCanBeLeftOutAndTheWalkStopped) {
    make("in/a");
    make("out/b");
    make("out/deep/c");
    std::vector<std::string> asked;
    const auto seen = walked({.enter = [&](const std::string& folder) {
        asked.push_back(folder);
        return folder != (root_ / "out").native();
    }});
    EXPECT_EQ(seen.files, std::vector<std::string>{"in/a"});
    EXPECT_EQ(asked.size(), 2U) << "nothing below what was left out is asked for";
    int questions = 0;
    EXPECT_TRUE(walked({.stop = [&] { return ++questions > 1; }}).ok);
    EXPECT_EQ(questions, 2);
}

TEST_F(WalkTest, WhatIsTooDeepIsSaid) {
    std::string path;
    for (int i = 0; i < 6; ++i) {
        make(path + "file");
        path += "d/";
    }
    const auto seen = walked({.max_depth = 3});
    EXPECT_EQ(seen.files.size(), 4U);
    ASSERT_EQ(seen.problems.size(), 1U);
    EXPECT_EQ(seen.problems[0].path, (root_ / "d/d/d/d").native());
    EXPECT_NE(seen.problems[0].reason.find("deeper than 3"), std::string::npos);
}

TEST_F(WalkTest, ADeepTreeWithPathsBeyondPathMaxNeedsThreeDescriptors) {
    constexpr int kDepth = 60;
    const std::string name(200, 'd');  // 60 × 201 bytes: three times PATH_MAX
    int folder = ::open(root_.c_str(), O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    for (int i = 0; i < kDepth; ++i) {
        ASSERT_EQ(::mkdirat(folder, name.c_str(), 0700), 0);
        const int next = ::openat(folder, name.c_str(), O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        ::close(folder);
        folder = next;
        ::close(::openat(folder, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    }
    ::close(folder);
    const std::size_t before = open_descriptors();
    std::size_t most = 0;
    std::size_t files = 0;
    ASSERT_TRUE(walk(
        root_.native(),
        {},
        [&](const WalkEntry& entry) {
            ++files;
            EXPECT_EQ(entry.path.size(), root_.native().size() + files * 201 + 5);
            most = std::max(most, open_descriptors());
        },
        [](const WalkProblem& problem) { ADD_FAILURE() << problem.reason; }));
    EXPECT_EQ(files, static_cast<std::size_t>(kDepth));
    EXPECT_LE(most, before + 3);
    EXPECT_EQ(open_descriptors(), before);
}

TEST_F(WalkTest, AFolderWithMoreNamesThanAreHeldIsReadOn) {
    constexpr int kFolders = 400;  // × 200 bytes: more than is held at a time
    const std::string padding(195, 'p');
    fs::create_directory(root_ / "many");
    for (int i = 0; i < kFolders; ++i) {
        const auto folder = root_ / "many" / (padding + std::to_string(i));
        ASSERT_EQ(::mkdir(folder.c_str(), 0700), 0);
        if (i % 20 == 0) {
            make("many/" + padding + std::to_string(i) + "/file");
            make("many/between" + std::to_string(i));
        }
    }
    std::set<std::string> asked;
    const auto seen = walked({.enter = [&](const std::string& folder) {
        EXPECT_TRUE(asked.insert(folder).second) << "met twice: " << folder;
        return true;
    }});
    EXPECT_EQ(asked.size(), kFolders + 1U);
    EXPECT_EQ(seen.files.size(), 40U);
    EXPECT_TRUE(seen.problems.empty());
}

TEST_F(WalkTest, AFolderThatCannotBeReadIsAProblemAndTheWalkGoesOn) {
    make("a/file");
    make("b/file");
    bool removed = false;
    const auto seen = walked({.enter = [&](const std::string& folder) {
        if (!removed) {
            fs::remove_all(folder);  // between its listing and its opening
            removed = true;
        }
        return true;
    }});
    EXPECT_TRUE(seen.ok);
    EXPECT_EQ(seen.files.size(), 1U);
    ASSERT_EQ(seen.problems.size(), 1U);
    EXPECT_EQ(seen.problems[0].reason, "open: No such file or directory");
}

TEST_F(WalkTest, ASymbolicLinkSwappedInLeadsNowhere) {
    make("tree/victim/inside", "inside");
    make("tree/victim/deeper/inside", "inside");
    make("outside/secret", "secret");
    make("outside/deeper/secret", "secret");
    fs::create_directory_symlink(root_ / "outside", root_ / "trap");
    const auto victim = (root_ / "tree/victim").native();
    const auto trap = (root_ / "trap").native();
    std::atomic<int> swaps = 0;
    std::jthread swapper([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            ASSERT_EQ(
                ::renameat2(AT_FDCWD, victim.c_str(), AT_FDCWD, trap.c_str(), RENAME_EXCHANGE), 0);
            ++swaps;
        }
    });
    std::map<std::string, int> met;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{2};
    while (std::chrono::steady_clock::now() < end) {
        ASSERT_TRUE(walk((root_ / "tree").native(),
                         {},
                         [&](const WalkEntry& entry) { ++met[entry.name]; },
                         [](const WalkProblem&) {}));
    }
    swapper.request_stop();
    swapper.join();
    EXPECT_GT(swaps, 100);
    EXPECT_GT(met["inside"], 0);
    EXPECT_EQ(met["secret"], 0);
}

TEST_F(WalkTest, AnOpenFolderIsWalkedWhateverItsNameLeadsToByNow) {
    make("was/file");
    const int folder = ::open((root_ / "was").c_str(), O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    fs::rename(root_ / "was", root_ / "is");
    fs::create_directory_symlink("/etc", root_ / "was");
    std::vector<std::string> files;
    ASSERT_TRUE(walk_folder(
        folder,
        "/shown",
        {},
        [&](const WalkEntry& entry) { files.push_back(entry.path); },
        [](const WalkProblem&) {}));
    ::close(folder);
    EXPECT_EQ(files, std::vector<std::string>{"/shown/file"});
}

}  // namespace
}  // namespace vigia::scan
