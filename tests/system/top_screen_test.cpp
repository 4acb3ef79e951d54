// SPDX-License-Identifier: GPL-2.0-or-later
// `vigia top` on a terminal: what it draws, its keys, and that the terminal is as before
// afterwards.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <sstream>

#include "base/files.h"
#include "support/watched_disk.h"

namespace vigia::test {
namespace {

constexpr std::string_view kEnters = "\x1b[?1049h";
constexpr std::string_view kLeaves = "\x1b[?25h\x1b[?1049l";

// `vigia top` on a terminal of its own.
class Terminal {
public:
    explicit Terminal(const std::filesystem::path& prefix)
        : master_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
        EXPECT_EQ(::grantpt(master_.get()), 0);
        EXPECT_EQ(::unlockpt(master_.get()), 0);
        std::array<char, 64> name{};
        EXPECT_EQ(::ptsname_r(master_.get(), name.data(), name.size()), 0);
        slave_ = UniqueFd(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
        EXPECT_EQ(::tcgetattr(slave_.get(), &before_), 0);
        auto started = Subprocess::start(
            {.program = dev_program("vigia"),
             .arguments = {"--prefix", prefix.native(), "top", "--interval", "1"},
             .descriptors = {{slave_.get(), 0}, {slave_.get(), 1}, {slave_.get(), 2}}});
        EXPECT_TRUE(started) << (started ? "" : started.error().message());
        if (started) {
            process_ = std::move(*started);
        }
    }

    // Reads until it has shown this since the last time.
    [[nodiscard]] bool shows(std::string_view text) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
        while (shown_.find(text) == std::string::npos) {
            pollfd readable{.fd = master_.get(), .events = POLLIN, .revents = 0};
            std::array<char, 4096> piece{};
            if (std::chrono::steady_clock::now() > deadline) {
                return false;
            }
            if (::poll(&readable, 1, 100) > 0) {
                const auto got = ::read(master_.get(), piece.data(), piece.size());
                if (got <= 0) {
                    return false;
                }
                shown_.append(piece.data(), static_cast<std::size_t>(got));
            }
        }
        shown_.erase(0, shown_.find(text) + text.size());
        return true;
    }

    void press(char key) const { EXPECT_TRUE(write_all(master_.get(), {&key, 1})); }

    [[nodiscard]] bool takes_keys_at_once() const {
        termios now{};
        return ::tcgetattr(slave_.get(), &now) == 0 && (now.c_lflag & (ICANON | ECHO)) == 0;
    }

    [[nodiscard]] bool is_as_before() const {
        termios now{};
        return ::tcgetattr(slave_.get(), &now) == 0 && now.c_lflag == before_.c_lflag &&
               now.c_cc[VSUSP] == before_.c_cc[VSUSP];
    }

    [[nodiscard]] Subprocess& process() { return *process_; }

    [[nodiscard]] const std::string& rest() const { return shown_; }

private:
    UniqueFd master_;
    UniqueFd slave_;
    termios before_{};
    std::optional<Subprocess> process_;
    std::string shown_;
};

class TopScreen : public WatchedDisk {
protected:
    TopScreen() : instance_(options()) {}

    Instance instance_;
};

TEST_F(TopScreen, DrawsSortsByKeyAndLeavesTheTerminalAsItWas) {
    ASSERT_TRUE(instance_.start());
    for (int i = 0; i < 20; ++i) {
        write_file(watched_ / std::to_string(i), std::to_string(i));
    }
    Terminal terminal(instance_.path(""));
    ASSERT_TRUE(terminal.shows(kEnters));
    ASSERT_TRUE(terminal.shows("PROGRAM"));
    EXPECT_TRUE(terminal.takes_keys_at_once());
    ASSERT_TRUE(terminal.shows("system_top"));  // this program, the end of its path
    terminal.press('e');
    ASSERT_TRUE(terminal.shows("PROGRAM"));
    terminal.press('x');                     // none of ours
    ASSERT_TRUE(terminal.shows("PROGRAM"));  // and it goes on
    terminal.press('q');
    ASSERT_TRUE(terminal.shows(kLeaves));
    EXPECT_EQ(terminal.process().wait(std::chrono::seconds{10}), 0);
    EXPECT_TRUE(terminal.is_as_before());
}

TEST_F(TopScreen, AnInterruptAndAnEndOfTheDaemonLeaveTheTerminalAsItWas) {
    ASSERT_TRUE(instance_.start());
    {
        Terminal terminal(instance_.path(""));
        ASSERT_TRUE(terminal.shows("PROGRAM"));
        terminal.process().kill(SIGINT);
        ASSERT_TRUE(terminal.shows(kLeaves));
        EXPECT_EQ(terminal.process().wait(std::chrono::seconds{10}), 0);
        EXPECT_TRUE(terminal.is_as_before());
    }
    Terminal terminal(instance_.path(""));
    ASSERT_TRUE(terminal.shows("PROGRAM"));
    instance_.kill(SIGTERM);
    ASSERT_TRUE(terminal.shows(kLeaves));
    ASSERT_TRUE(terminal.shows("vigia:"));  // why, to be read
    const auto status = terminal.process().wait(std::chrono::seconds{10});
    ASSERT_TRUE(status);
    EXPECT_EQ(WEXITSTATUS(*status), 3);
    EXPECT_TRUE(terminal.is_as_before());
}

// What is no terminal gets tables, and documents with --json, one a line.
TEST_F(TopScreen, WithoutATerminalThereIsADocumentALine) {
    ASSERT_TRUE(instance_.start());
    const auto output = run("/bin/sh",
                            {"-c",
                             "timeout -s INT 4 " + dev_program("vigia").native() + " --prefix " +
                                 instance_.path("").native() + " top --json --interval 1 | cat"});
    std::istringstream lines(output.out);
    int documents = 0;
    for (std::string line; std::getline(lines, line); ++documents) {
        const auto document = nlohmann::json::parse(line, nullptr, false);
        EXPECT_TRUE(document.is_object() && document.contains("programs")) << line;
    }
    EXPECT_GE(documents, 2) << output.out << output.err;
}

}  // namespace
}  // namespace vigia::test
