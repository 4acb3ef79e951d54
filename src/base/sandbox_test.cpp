// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "base/child_program.h"
#include "base/escape_proof.h"
#include "base/unique_fd.h"

namespace vigia::sandbox {
namespace {

constexpr int kRefused = 99;

// The exit status of a child that does this. Walls cannot be taken down again, so each test builds
// them in a process of its own.
int in_a_child(const std::function<int()>& body) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::_exit(body());
    }
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

class Folder {
public:
    Folder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "vigia-sandbox-XXXXXX");
        path_ = ::mkdtemp(pattern.data());
    }

    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    ~Folder() { std::filesystem::remove_all(path_); }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

    [[nodiscard]] UniqueFd open() const {
        return UniqueFd{::open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    }

private:
    std::filesystem::path path_;
};

bool opens(const std::string& path, int flags = O_RDONLY) {
    return static_cast<bool>(UniqueFd{::open(path.c_str(), flags | O_CLOEXEC, 0600)});
}

std::vector<SystemCall> common_and_end() {
    auto calls = common_system_calls();
    calls.push_back({.name = "exit_group"});
    return calls;
}

TEST(Sandbox, ACallThatIsNotListedIsRefusedAndOneThatIsWorks) {
    EXPECT_EQ(in_a_child([] {
                  if (!restrict_system_calls(common_and_end())) {
                      return 1;
                  }
                  const UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
                  return !socket && errno == EPERM && ::getpid() > 0 ? 0 : 2;
              }),
              0);
}

TEST(Sandbox, AConditionLooksAtTheArgument) {
    EXPECT_EQ(in_a_child([] {
                  if (!restrict_system_calls(common_and_end())) {
                      return 1;
                  }
                  constexpr std::size_t kPage = 4096;
                  const auto map = [](int protection) {
                      return ::mmap(nullptr, kPage, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                  };
                  if (map(PROT_READ | PROT_WRITE) == MAP_FAILED) {
                      return 2;
                  }
                  if (map(PROT_READ | PROT_EXEC) != MAP_FAILED) {
                      return 3;
                  }
                  return ::fcntl(0, F_GETFD) >= 0 && ::fcntl(0, F_SETOWN, 1) < 0 ? 0 : 4;
              }),
              0);
}

TEST(Sandbox, ANameThatIsNoSystemCallIsPassedOver) {
    EXPECT_EQ(in_a_child([] {
                  auto calls = common_and_end();
                  calls.push_back({.name = "no_such_system_call"});
                  return restrict_system_calls(calls) ? 0 : 1;
              }),
              0);
}

TEST(Sandbox, FilesOutsideTheFoldersCannotBeOpenedAndReadOnlyOnesNotChanged) {
    const Folder readable;
    const Folder writable;
    std::ofstream(readable.path() / "file") << "x";
    const int status = in_a_child([&] {
        const auto in = readable.open();
        const auto out = writable.open();
        const auto abi =
            restrict_files(std::array{FileRight{.descriptor = in.get(), .writable = false},
                                      FileRight{.descriptor = out.get(), .writable = true}});
        if (!abi || *abi == 0) {
            return kRefused;
        }
        const bool reads = opens(readable.path() / "file");
        const bool writes = opens(writable.path() / "new", O_WRONLY | O_CREAT);
        const bool changes = opens(readable.path() / "file", O_WRONLY) ||
                             opens(readable.path() / "new", O_WRONLY | O_CREAT);
        const bool elsewhere = opens("/etc/passwd");
        return reads && writes && !changes && !elsewhere ? 0 : 1;
    });
    if (status == kRefused) {
        GTEST_SKIP() << "this kernel has no Landlock";
    }
    EXPECT_EQ(status, 0);
}

TEST(Sandbox, ALayerOnTopOnlyTakesAway) {
    const Folder first;
    const Folder second;
    const int status = in_a_child([&] {
        const auto both = std::array{first.open(), second.open()};
        const auto right = [&](std::size_t i) {
            return FileRight{.descriptor = both.at(i).get(), .writable = true};
        };
        const auto abi = restrict_files(std::array{right(0)});
        if (!abi || *abi == 0) {
            return kRefused;
        }
        if (!opens(first.path() / "a", O_WRONLY | O_CREAT) ||
            !restrict_files(std::array{right(1)})) {
            return 1;
        }
        return !opens(first.path() / "a") && !opens(second.path() / "b", O_WRONLY | O_CREAT) ? 0
                                                                                             : 2;
    });
    if (status == kRefused) {
        GTEST_SKIP() << "this kernel has no Landlock";
    }
    EXPECT_EQ(status, 0);
}

TEST(Sandbox, TheEmptyRootHoldsOnlyItsFoldersAndThoseAreAsPromised) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "private namespaces need root";
    }
    const Folder host;
    std::ofstream(host.path() / "file") << "x";
    const int status = in_a_child([&] {
        const auto folder = host.open();
        const auto entered =
            enter_empty_root({.read_only = {{.descriptor = folder.get(), .place = "definitions/0"}},
                              .writable = {{.place = "tmp/0", .bytes = 65536}},
                              .owner = {}});
        if (!entered) {
            return 1;
        }
        if (opens("/etc/passwd") || opens("/proc/self/status") || opens(host.path() / "file") ||
            opens("../../etc/passwd")) {
            return 2;
        }
        if (!opens("/definitions/0/file") || opens("/definitions/0/file", O_WRONLY) ||
            opens("/new", O_WRONLY | O_CREAT)) {
            return 3;
        }
        const UniqueFd file{::open("/tmp/0/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
        const std::string much(1U << 20U, 'x');
        const bool bounded = ::write(file.get(), much.data(), much.size()) <= 65536;
        return file && bounded ? 0 : 4;
    });
    EXPECT_EQ(status, 0);
    EXPECT_TRUE(opens(host.path() / "file"));
}

TEST(Sandbox, RootBecomesTheUserForGood) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "only root can change the user";
    }
    const auto user = find_user("nobody");
    ASSERT_TRUE(user && *user);
    EXPECT_EQ(in_a_child([&] {
                  if (!drop_privileges(*user)) {
                      return 1;
                  }
                  const bool back =
                      ::setuid(0) == 0 || ::setgid(0) == 0 || ::setgroups(0, nullptr) == 0;
                  return ::geteuid() == (*user)->uid && !back ? 0 : 2;
              }),
              0);
}

TEST(Sandbox, WithoutAUserRootKeepsItsNumberAndNothingElse) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "needs root";
    }
    EXPECT_EQ(in_a_child([] {
                  if (!drop_privileges(std::nullopt)) {
                      return 1;
                  }
                  const bool chroots = ::chroot("/") == 0;
                  const bool becomes = ::setresuid(1, 1, 1) == 0;
                  return ::geteuid() == 0 && !chroots && !becomes ? 0 : 2;
              }),
              0);
}

TEST(Sandbox, AnUnknownUserIsNoErrorAndNoUser) {
    const auto user = find_user("vigia-no-such-user");
    ASSERT_TRUE(user);
    EXPECT_FALSE(*user);
}

TEST(Sandbox, AChildWhoseParentHasEndedIsToldSo) {
    EXPECT_EQ(in_a_child([] { return die_with(::getppid()) ? 0 : 1; }), 0);
    EXPECT_EQ(in_a_child([] { return die_with(::getppid() + 1) ? 1 : 0; }), 0);
}

#ifdef VIGIA_TEST_HOOKS
// The proof of issue 2, case 6, can fail: a child with nothing but another user is seen to escape.
TEST(Sandbox, TheProofSeesAChildThatIsNotHeld) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "needs root to become a user that can do no harm";
    }
    const auto user = find_user("nobody");
    ASSERT_TRUE(user && *user);
    const Folder folder;
    std::ofstream(folder.path() / "file") << "x";
    ASSERT_EQ(::chown((folder.path() / "file").c_str(), (*user)->uid, (*user)->gid), 0);
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const UniqueFd reader{ends[0]};
    UniqueFd writer{ends[1]};
    const UniqueFd file{::open((folder.path() / "file").c_str(), O_RDONLY | O_CLOEXEC)};
    EXPECT_EQ(in_a_child([&] {
                  if (!drop_privileges(*user)) {
                      return 1;
                  }
                  const auto found =
                      escape::prove({.file = file.get(), .socket = -1, .own_folder = {}});
                  const auto size = static_cast<ssize_t>(found.size());
                  return ::write(writer.get(), found.data(), found.size()) == size ? 0 : 2;
              }),
              0);
    writer.reset();
    std::array<char, 8192> text{};
    const ssize_t got = ::read(reader.get(), text.data(), text.size());
    ASSERT_GT(got, 0);
    const std::string found = std::string(text.data(), static_cast<std::size_t>(got)) + ",";
    EXPECT_TRUE(found.starts_with("ESCAPED:")) << found;
    for (const auto* name : {"open_passwd",
                             "fchmod",
                             "futimens",
                             "lease",
                             "lock",
                             "fork",
                             "thread",
                             "execute",
                             "kill_self",
                             "pidfd_open_parent",
                             "map_executable",
                             "make_executable",
                             "memory_file",
                             "socket_inet",
                             "connect"}) {
        EXPECT_TRUE(found.contains(std::string(name) + ",")) << name << " not in " << found;
    }
}
#endif

TEST(ChildProgram, TakesASocketAndAUserAndNothingElse) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
    const UniqueFd ours{ends[0]};
    const UniqueFd theirs{ends[1]};
    const auto parse = [](std::vector<std::string> words) {
        words.insert(words.begin(), "vigia-scand");
        std::vector<char*> arguments;
        arguments.reserve(words.size());
        for (auto& word : words) {
            arguments.push_back(word.data());
        }
        return parse_child_options(arguments);
    };
    const auto number = std::to_string(theirs.get());
    const auto good = parse({"--socket-fd", number, "--user", "nobody"});
    ASSERT_TRUE(good);
    EXPECT_EQ(good->socket, theirs.get());
    EXPECT_EQ(good->user, "nobody");
    EXPECT_EQ(good->parent, ::getppid());
    EXPECT_FALSE(parse({}));
    EXPECT_FALSE(parse({"--socket-fd", number}));
    EXPECT_FALSE(parse({"--socket-fd", "0x3", "--user", "nobody"}));
    EXPECT_FALSE(parse({"--socket-fd", "-1", "--user", "nobody"}));
    EXPECT_FALSE(parse({"--socket-fd", number, "--user"}));
    EXPECT_FALSE(parse({"--socket-fd", number, "--user", "nobody", "--more", "x"}));
    const UniqueFd file{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    EXPECT_FALSE(parse({"--socket-fd", std::to_string(file.get()), "--user", "nobody"}));
}

}  // namespace
}  // namespace vigia::sandbox
