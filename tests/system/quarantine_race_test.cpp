// SPDX-License-Identifier: GPL-2.0-or-later
// links: vigia_response
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <fstream>
#include <thread>

#include "response/steps.h"
#include "support/vault_fixture.h"

// Others at work on the same names while a file is put away. What is done in a hook happens at
// exactly that moment, every time.
namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using response::Outcome;

class RaceTest : public VaultFixture {
protected:
    // Runs `action` once, when policy is asked about the name: after it was looked at, before it is
    // renamed.
    void when_asked(std::function<void()> action) {
        hooks_.may_remove = [may_remove = hooks_.may_remove,
                             action = std::move(action),
                             done = false](const std::string& path) mutable {
            if (!std::exchange(done, true)) {
                action();
            }
            return may_remove(path);
        };
    }

    void at_step(int step, std::function<void()> action) {
        options_.step = [step, action = std::move(action), done = false](int now) mutable {
            if (now == step && !std::exchange(done, true)) {
                action();
            }
        };
    }

    void expect_saved(const std::string& content) {
        for (const auto& name : names_in(watch())) {
            if (name.starts_with("vigia-saved-")) {
                EXPECT_EQ(read_text(watch() / name), content);
                return;
            }
        }
        ADD_FAILURE() << "nothing was saved";
    }
};

TEST_F(RaceTest, AFileThatIsRenamedIsFollowed) {
    when_asked([this] { fs::rename(watch() / "bad", watch() / "moved"); });
    open();
    write_file(watch() / "bad", "bad content");
    const auto report = put_away(watch() / "bad");
    EXPECT_EQ(report.outcome, Outcome::Quarantined) << report.detail;
    EXPECT_EQ(report.item.names_removed, std::vector{(watch() / "moved").native()});
    EXPECT_EQ(report.item.path, (watch() / "moved").native());
    EXPECT_EQ(names_in(watch()), std::vector<std::string>{"excluded"});
}

TEST_F(RaceTest, AnotherFileCaughtAtTheNameIsPutBack) {
    when_asked([this] {
        fs::rename(watch() / "bad", watch() / "moved");
        write_file(watch() / "bad", "innocent");
    });
    open();
    write_file(watch() / "bad", "bad content");
    const auto report = put_away(watch() / "bad");
    EXPECT_EQ(report.outcome, Outcome::Quarantined) << report.detail;
    EXPECT_EQ(read_text(watch() / "bad"), "innocent");
    EXPECT_FALSE(fs::exists(watch() / "moved"));
    expect_no_leftovers();
}

TEST_F(RaceTest, AnotherFileWhoseNameWasTakenMeanwhileIsKeptBesideIt) {
    when_asked([this] {
        fs::rename(watch() / "bad", watch() / "moved");
        write_file(watch() / "bad", "caught");
    });
    at_step(response::kStepNameAside, [this] { write_file(watch() / "bad", "third"); });
    open();
    write_file(watch() / "bad", "bad content");
    const auto report = put_away(watch() / "bad");
    EXPECT_EQ(report.outcome, Outcome::Quarantined) << report.detail;
    EXPECT_EQ(read_text(watch() / "bad"), "third");
    expect_saved("caught");
    EXPECT_NE(report.detail.find("vigia-saved-"), std::string::npos) << report.detail;
    expect_no_leftovers();
}

TEST_F(RaceTest, ASymbolicLinkAtTheNameIsNotFollowed) {
    open();
    write_file(outside() / "victim", "innocent");
    write_file(watch() / "bad", "bad content");
    const auto file = open_file(watch() / "bad");
    fs::rename(watch() / "bad", watch() / "moved");
    fs::create_symlink(outside() / "victim", watch() / "bad");
    const auto report = vault_->put_away(judge(file.get(), watch() / "bad"), now());
    EXPECT_EQ(report.outcome, Outcome::Quarantined) << report.detail;
    EXPECT_EQ(read_text(outside() / "victim"), "innocent");
    EXPECT_TRUE(fs::is_symlink(watch() / "bad"));
    EXPECT_FALSE(fs::exists(watch() / "moved"));
}

TEST_F(RaceTest, AnotherInodeAtTheNameIsNotTouched) {
    open();
    write_file(watch() / "bad", "bad content");
    const auto file = open_file(watch() / "bad");
    fs::remove(watch() / "bad");
    write_file(watch() / "bad", "innocent");
    const auto report = vault_->put_away(judge(file.get(), watch() / "bad"), now());
    EXPECT_EQ(report.outcome, Outcome::Vanished) << report.detail;
    EXPECT_EQ(read_text(watch() / "bad"), "innocent");
}

TEST_F(RaceTest, ContentThatChangesDuringTheWorkIsLeftForTheNextScan) {
    const std::string content = "bad content";
    const std::string other = "new content";
    const auto path = watch() / "bad";
    const auto overwrite = [&] { write_file(path, other); };
    const auto append = [&] { std::ofstream(path, std::ios::app) << "more"; };
    // The times too are as before: only the content tells.
    const auto disguise = [&] {
        struct stat info{};
        ASSERT_EQ(::stat(path.c_str(), &info), 0);
        overwrite();
        const std::array<timespec, 2> times{info.st_atim, info.st_mtim};
        ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times.data(), 0), 0);
    };
    for (const int step : {1, 2, 3, 4}) {
        for (const auto& change :
             std::initializer_list<std::function<void()>>{overwrite, append, disguise}) {
            at_step(step, change);
            open();
            write_file(path, content);
            const auto report = put_away(path);
            EXPECT_EQ(report.outcome, Outcome::ChangedMeanwhile) << step << report.detail;
            EXPECT_NE(read_text(path), content);
            expect_untouched(path, read_text(path));
        }
    }
}

TEST_F(RaceTest, ContentThatChangesUnderThePrivateNameComesBack) {
    UniqueFd writer;
    at_step(response::kStepNameAside, [&] { ASSERT_EQ(::pwrite(writer.get(), "new", 3, 0), 3); });
    open();
    write_file(watch() / "bad", "bad content");
    writer = *open_at(AT_FDCWD, (watch() / "bad").c_str(), O_WRONLY);
    const auto report = put_away(watch() / "bad");
    EXPECT_EQ(report.outcome, Outcome::ChangedMeanwhile) << report.detail;
    expect_untouched(watch() / "bad", "new content");
}

TEST_F(RaceTest, AWriterThatStaysIsSaid) {
    open();
    write_file(watch() / "bad", "bad content");
    const auto writer = open_at(AT_FDCWD, (watch() / "bad").c_str(), O_WRONLY);
    const auto report = put_away(watch() / "bad");
    EXPECT_EQ(report.outcome, Outcome::Quarantined) << report.detail;
    EXPECT_TRUE(report.open_elsewhere);
    EXPECT_NE(report.detail.find("open"), std::string::npos) << report.detail;
}

TEST_F(RaceTest, TouchingAndLinkingMeanwhileDoesNotProtectAFile) {
    const auto path = watch() / "bad";
    at_step(response::kStepInVault, [&] {
        ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), nullptr, 0), 0);
        fs::create_hard_link(path, watch() / "another");
    });
    open();
    write_file(path, "bad content");
    const auto report = put_away(path);
    EXPECT_EQ(report.outcome, Outcome::Quarantined) << report.detail;
    EXPECT_EQ(names_in(watch()), std::vector<std::string>{"excluded"});
}

TEST_F(RaceTest, AFileRenamedInALoopDoesNotEscape) {
    open();
    for (int round = 0; round < 20; ++round) {
        const auto one = watch() / "one";
        const auto two = watch() / "two";
        write_file(one, "bad content");
        const auto file = open_file(one);
        std::atomic<bool> stop = false;
        std::jthread mover([&] {
            while (!stop) {
                std::ignore = ::rename(one.c_str(), two.c_str());
                std::ignore = ::rename(two.c_str(), one.c_str());
            }
        });
        const auto report = vault_->put_away(judge(file.get(), one), now());
        stop = true;
        mover.join();
        EXPECT_EQ(stored_content(report.item), "bad content");
        // Faster than we look: then at least its content is gone.
        const bool gone = !fs::exists(one) && !fs::exists(two);
        if (report.outcome == Outcome::Truncated) {
            EXPECT_EQ(read_text(one) + read_text(two), "");
        } else {
            EXPECT_EQ(report.outcome, Outcome::Quarantined) << report.detail;
            EXPECT_TRUE(gone);
        }
        fs::remove(one);
        fs::remove(two);
        expect_no_leftovers();
    }
}

TEST_F(RaceTest, FilesSwappedInALoopNeverCostTheInnocentOne) {
    open();
    for (int round = 0; round < 20; ++round) {
        const auto one = watch() / "one";
        const auto two = watch() / "two";
        write_file(one, "bad content");
        write_file(two, "innocent");
        const auto file = open_file(one);
        std::atomic<bool> stop = false;
        std::jthread mover([&] {
            while (!stop) {
                ::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, two.c_str(), RENAME_EXCHANGE);
            }
        });
        const auto report = vault_->put_away(judge(file.get(), one), now());
        stop = true;
        mover.join();
        EXPECT_EQ(stored_content(report.item), "bad content");
        int innocent = 0;
        for (const auto& name : names_in(watch())) {
            innocent += read_text(watch() / name) == "innocent" ? 1 : 0;
            EXPECT_NE(read_text(watch() / name), "bad content");
        }
        EXPECT_EQ(innocent, 1);
        for (const auto& name : names_in(watch())) {
            fs::remove(name == "excluded" ? fs::path() : watch() / name);
        }
    }
}

TEST_F(RaceTest, FourThreadsPutAwayManyFilesAtOnce) {
    open();
    constexpr int kFiles = 100;
    for (int file = 0; file < kFiles; ++file) {
        write_file(watch() / std::to_string(file), "bad content " + std::to_string(file));
    }
    std::atomic<int> next = 0;
    std::atomic<int> done = 0;
    {
        std::vector<std::jthread> threads;
        for (int thread = 0; thread < 4; ++thread) {
            threads.emplace_back([&] {
                for (int file = next++; file < kFiles; file = next++) {
                    const auto report = put_away(watch() / std::to_string(file));
                    done += report.outcome == Outcome::Quarantined ? 1 : 0;
                }
            });
        }
    }
    EXPECT_EQ(done, kFiles);
    EXPECT_EQ(names_in(watch()), std::vector<std::string>{"excluded"});
    EXPECT_EQ(vault_files().size(), static_cast<std::size_t>(kFiles));
    EXPECT_EQ(records_.size(), 3U * kFiles);
}

TEST_F(RaceTest, TwoThreadsWithTheSameFileDoNotHinderEachOther) {
    open();
    for (int round = 0; round < 20; ++round) {
        write_file(watch() / "bad", "bad content");
        const auto file = open_file(watch() / "bad");
        const auto target = judge(file.get(), watch() / "bad");
        std::array<response::Report, 2> reports;
        {
            std::jthread one([&] { reports[0] = vault_->put_away(target, now()); });
            std::jthread two([&] { reports[1] = vault_->put_away(target, now()); });
        }
        EXPECT_FALSE(fs::exists(watch() / "bad"));
        for (const auto& report : reports) {
            EXPECT_TRUE(report.outcome == Outcome::Quarantined ||
                        report.outcome == Outcome::Vanished)
                << to_string(report.outcome) << report.detail;
        }
        expect_no_leftovers();
    }
}

}  // namespace
}  // namespace vigia::test
