// SPDX-License-Identifier: GPL-2.0-or-later
// links: vigia_response
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>

#include "support/file_journal.h"
#include "support/vault_fixture.h"

// kill -9 between each two steps, and before each record of the journal is written: the content is
// never lost and never half put away (hard-parts 18).
namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using response::Outcome;

class KillTest : public VaultFixture {
protected:
    static constexpr const char* kContent = "bad content";

    [[nodiscard]] FileJournal journal() const {
        return FileJournal(playground_.root() / "journal");
    }

    // A child puts `path` away and is killed at its `moment`th step or record. False: it came to
    // its end before.
    bool killed_at(int moment, const fs::path& path) {
        fs::remove(playground_.root() / "journal");
        const pid_t child = ::fork();
        if (child == 0) {
            const auto tick = [&moment] {
                if (moment-- == 0) {
                    ::kill(::getpid(), SIGKILL);
                }
            };
            options_.step = [&](int) { tick(); };
            hooks_.record = [&](const QuarantineItem& item) -> Result<> {
                tick();
                journal().append(item);
                return {};
            };
            open();
            std::ignore = put_away(path);
            ::_exit(0);
        }
        int status = 0;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    }

    // As the daemon does at its start.
    std::optional<response::Report> recover() {
        hooks_.record = [this](const QuarantineItem& item) -> Result<> {
            journal().append(item);
            return {};
        };
        open();
        const auto item = journal().last();
        if (!item ||
            (item->state != QuarantineState::Storing && item->state != QuarantineState::Removing)) {
            return std::nullopt;
        }
        const auto reports = vault_->recover({*item});
        return reports.size() == 1 ? std::optional(reports[0]) : std::nullopt;
    }

    // Either all is as it was, or nothing is there and the vault has it.
    void expect_all_or_nothing(const std::vector<fs::path>& names, int moment) {
        SCOPED_TRACE("killed at moment " + std::to_string(moment));
        const auto report = recover();
        const auto item = journal().last();
        const bool put_away = item && item->state == QuarantineState::Quarantined;
        for (const auto& name : names) {
            EXPECT_EQ(fs::exists(name), !put_away) << name << (report ? report->detail : "");
        }
        if (put_away) {
            EXPECT_EQ(stored_content(*item), kContent);
            EXPECT_EQ(item->names_removed.size(), names.size());
        } else {
            EXPECT_EQ(read_text(names.front()), kContent);
            EXPECT_TRUE(vault_files().empty());
        }
        if (report) {
            EXPECT_EQ(report->outcome, put_away ? Outcome::Quarantined : Outcome::ChangedMeanwhile)
                << report->detail;
            EXPECT_EQ(report->item.outcome, put_away ? "quarantined" : "undone");
        }
        expect_no_leftovers();
    }

    void start_anew() {
        fs::remove_all(disk_ / "watch");
        fs::remove_all(outside());
        fs::remove_all(vault_folder_);
        fs::create_directories(watch() / "excluded");
        fs::create_directories(outside());
    }

    // Until the child is no longer killed: every moment there is.
    void at_each_moment(const std::function<std::vector<fs::path>()>& make, int at_least) {
        for (int moment = 0;; ++moment) {
            start_anew();
            const auto names = make();
            const bool killed = killed_at(moment, names.front());
            expect_all_or_nothing(names, moment);
            if (!killed) {
                EXPECT_GE(moment, at_least);
                return;
            }
        }
    }
};

TEST_F(KillTest, AFileIsPutAwayOrLeftAsItWas) {
    at_each_moment(
        [this] {
            write_file(watch() / "bad", kContent);
            return std::vector{watch() / "bad"};
        },
        11);
}

TEST_F(KillTest, OnADiskToo) {
    prepare(playground_.loop("ext4", "ext4", 32));
    at_each_moment(
        [this] {
            write_file(watch() / "bad", kContent);
            return std::vector{watch() / "bad"};
        },
        11);
}

TEST_F(KillTest, AllOfItsHardLinksGoOrStay) {
    at_each_moment(
        [this] {
            fs::create_directories(watch() / "folder");
            const std::vector names{
                watch() / "one", watch() / "two", watch() / "folder/three", watch() / "folder/4"};
            write_file(names[0], kContent);
            for (std::size_t at = 1; at < names.size(); ++at) {
                fs::create_hard_link(names[0], names[at]);
            }
            return names;
        },
        18);
}

TEST_F(KillTest, EmptyingAFileIsFinishedToo) {
    for (int moment = 0;; ++moment) {
        SCOPED_TRACE("killed at moment " + std::to_string(moment));
        start_anew();
        fs::create_directories(watch() / "covered");
        write_file(watch() / "one", kContent);
        fs::create_hard_link(watch() / "one", watch() / "covered/two");
        const auto cover = [this] {
            ASSERT_EQ(::mount("vigia-test", (watch() / "covered").c_str(), "tmpfs", 0, nullptr), 0);
        };
        cover();
        const bool killed = killed_at(moment, watch() / "one");
        const auto report = recover();
        ASSERT_EQ(::umount2((watch() / "covered").c_str(), 0), 0);
        const auto item = journal().last();
        if (item && item->state == QuarantineState::Quarantined) {
            EXPECT_FALSE(fs::exists(watch() / "one"));
            EXPECT_EQ(fs::file_size(watch() / "covered/two"), 0U);
            EXPECT_EQ(item->outcome, "truncated");
            EXPECT_EQ(stored_content(*item), kContent);
        } else {
            EXPECT_EQ(read_text(watch() / "one"), kContent);
        }
        expect_no_leftovers();
        if (!killed) {
            EXPECT_GE(moment, 14);
            return;
        }
    }
}

TEST_F(KillTest, ContentThatChangedAfterTheKillIsLeft) {
    for (int moment = 0;; ++moment) {
        SCOPED_TRACE("killed at moment " + std::to_string(moment));
        start_anew();
        write_file(watch() / "bad", kContent);
        const auto holder = open_at(AT_FDCWD, (watch() / "bad").c_str(), O_WRONLY | O_APPEND);
        const bool killed = killed_at(moment, watch() / "bad");
        ASSERT_TRUE(write_all(holder->get(), " and more"));
        struct stat info{};
        ASSERT_EQ(::fstat(holder->get(), &info), 0);
        const auto report = recover();
        const auto item = journal().last();
        if (info.st_nlink > 0) {
            EXPECT_EQ(read_text(watch() / "bad"), "bad content and more");
            EXPECT_TRUE(vault_files().empty());
        } else {
            ASSERT_TRUE(item);
            EXPECT_EQ(item->state, QuarantineState::Quarantined);
            EXPECT_EQ(stored_content(*item), kContent);
        }
        expect_no_leftovers();
        if (!killed) {
            return;
        }
    }
}

TEST_F(KillTest, AnotherFileCaughtUnderThePrivateNameComesBack) {
    // The kill comes right after the rename has caught a file that was put there meanwhile.
    start_anew();
    write_file(watch() / "bad", kContent);
    hooks_.may_remove = [this, done = false](const std::string&) mutable {
        if (!std::exchange(done, true)) {
            fs::rename(watch() / "bad", outside() / "moved");
            write_file(watch() / "bad", "innocent");
        }
        return true;
    };
    int moment = 0;
    while (killed_at(moment, watch() / "bad") && !fs::exists(outside() / "moved")) {
        ++moment;
        fs::remove_all(vault_folder_);
    }
    ASSERT_FALSE(fs::exists(watch() / "bad")) << "not killed where it should have been";
    hooks_.may_remove = [](const std::string&) { return true; };
    const auto report = recover();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->outcome, Outcome::Quarantined) << report->detail;
    EXPECT_EQ(read_text(watch() / "bad"), "innocent");
    EXPECT_FALSE(fs::exists(outside() / "moved"));
    expect_no_leftovers();
}

TEST_F(KillTest, AFileSystemThatIsNotThereNowIsAwaited) {
    const auto disk = playground_.loop("ext4", "ext4", 32);
    prepare(disk);
    write_file(watch() / "bad", kContent);
    for (int moment = 0; killed_at(moment, watch() / "bad"); ++moment) {
        const auto item = journal().last();
        if (item && item->state == QuarantineState::Removing) {
            break;
        }
        fs::remove_all(vault_folder_);
    }
    ASSERT_TRUE(fs::exists(watch() / "bad"));
    const auto elsewhere = playground_.root() / "elsewhere";
    fs::create_directories(elsewhere);
    ASSERT_EQ(::mount(disk.c_str(), elsewhere.c_str(), nullptr, MS_MOVE, nullptr), 0);
    const auto waiting = recover();
    ASSERT_TRUE(waiting);
    EXPECT_EQ(waiting->outcome, Outcome::Failed);
    EXPECT_NE(waiting->detail.find("not mounted"), std::string::npos) << waiting->detail;
    EXPECT_EQ(journal().last()->state, QuarantineState::Removing);
    ASSERT_EQ(::mount(elsewhere.c_str(), disk.c_str(), nullptr, MS_MOVE, nullptr), 0);
    const auto finished = recover();
    ASSERT_TRUE(finished);
    EXPECT_EQ(finished->outcome, Outcome::Quarantined) << finished->detail;
    EXPECT_FALSE(fs::exists(watch() / "bad"));
}

}  // namespace
}  // namespace vigia::test
