// SPDX-License-Identifier: GPL-2.0-or-later
// links: vigia_response
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "base/subprocess.h"
#include "support/vault_fixture.h"

// The outcomes of putting a file away, each on a real file system.
namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using response::Outcome;

// Never whole in a source file.
std::string eicar() {
    return std::string("X5O!P%@AP[4\\PZX54(P^)7CC)7}$") + "EICAR-STANDARD-" +
           "ANTIVIRUS-TEST-FILE" + "!$H+H*";
}

class QuarantineTest : public VaultFixture {};

TEST_F(QuarantineTest, AFileLosesItsNameAndIsInTheVault) {
    open();
    write_file(watch() / "bad", eicar());
    const auto report = put_away(watch() / "bad");
    EXPECT_EQ(report.outcome, Outcome::Quarantined) << report.detail;
    EXPECT_FALSE(report.open_elsewhere) << report.detail;
    EXPECT_EQ(report.item.names_removed, std::vector{(watch() / "bad").native()});
    EXPECT_FALSE(fs::exists(watch() / "bad"));
    EXPECT_EQ(vault_files(), std::vector{report.item.id});
    EXPECT_EQ(stored_content(report.item), eicar());
    EXPECT_EQ(
        recorded_states(),
        (std::vector{
            QuarantineState::Storing, QuarantineState::Removing, QuarantineState::Quarantined}));
    EXPECT_EQ(records_.back().outcome, "quarantined");
    expect_no_leftovers();
}

TEST_F(QuarantineTest, TheVaultsBytesMeanNothingToASecondScanner) {
    open();
    const auto path = watch() / eicar().substr(0, 30);
    write_file(path, eicar());
    const auto report = put_away(path);
    ASSERT_EQ(report.outcome, Outcome::Quarantined) << report.detail;
    const auto bytes = read_text(vault_folder_ / report.item.id);
    ASSERT_FALSE(bytes.empty());
    for (const auto& part : {eicar().substr(0, 20), eicar().substr(30, 20), eicar().substr(50)}) {
        EXPECT_EQ(bytes.find(part), std::string::npos);
    }
}

TEST_F(QuarantineTest, NamesOfAnyBytesAreTakenAndBroughtBack) {
    open();
    for (const std::string name :
         {"new\nline", "-rf", "\x1b[31mred", "\xff\xfe", " ", "a (deleted)", "\\040"}) {
        write_file(watch() / name, eicar());
        const auto report = put_away(watch() / name);
        ASSERT_EQ(report.outcome, Outcome::Quarantined) << report.detail;
        EXPECT_TRUE(fs::is_empty(watch() / "excluded"));
        EXPECT_EQ(names_in(watch()), std::vector<std::string>{"excluded"});
        EXPECT_EQ(vault_->restore(report.item, "").value_or("?"), (watch() / name).native());
        EXPECT_EQ(read_text(watch() / name), eicar());
        fs::remove(watch() / name);
    }
    const std::string longest(255, 'n');
    write_file(watch() / longest, eicar());
    EXPECT_EQ(put_away(watch() / longest).outcome, Outcome::Quarantined);
}

TEST_F(QuarantineTest, ThreeLinksAndAnOpenReaderAllEnd) {
    open();
    fs::create_directories(watch() / "deep/er");
    write_file(watch() / "one", eicar());
    fs::create_hard_link(watch() / "one", watch() / "two");
    fs::create_hard_link(watch() / "one", watch() / "deep/er/three");
    const auto reader = open_file(watch() / "two");
    const auto report = put_away(watch() / "one");
    EXPECT_EQ(report.outcome, Outcome::Quarantined) << report.detail;
    EXPECT_TRUE(report.open_elsewhere);
    EXPECT_EQ(report.item.names_removed.size(), 3U);
    struct stat info{};
    ASSERT_EQ(::fstat(reader.get(), &info), 0);
    EXPECT_EQ(info.st_nlink, 0U);
    expect_no_leftovers();
}

TEST_F(QuarantineTest, LinksOutsideTheWatchOrInAnExclusionAreLeftAndSaid) {
    open();
    write_file(watch() / "one", eicar());
    fs::create_hard_link(watch() / "one", outside() / "two");
    fs::create_hard_link(watch() / "one", watch() / "excluded/three");
    fs::create_hard_link(watch() / "one", watch() / "four");
    const auto report = put_away(watch() / "one");
    EXPECT_EQ(report.outcome, Outcome::NamesLeft) << report.detail;
    EXPECT_EQ(report.item.names_removed.size(), 2U);
    auto left = report.item.names_left;
    std::ranges::sort(left);
    EXPECT_EQ(left,
              (std::vector{(outside() / "two").native(), (watch() / "excluded/three").native()}));
    EXPECT_EQ(read_text(outside() / "two"), eicar());
    EXPECT_EQ(stored_content(report.item), eicar());
    EXPECT_EQ(records_.back().state, QuarantineState::Quarantined);
}

TEST_F(QuarantineTest, ALinkThatNobodyCanFindIsEmptied) {
    open();
    fs::create_directories(watch() / "covered");
    write_file(watch() / "one", eicar());
    fs::create_hard_link(watch() / "one", watch() / "covered/two");
    ASSERT_EQ(::mount("vigia-test", (watch() / "covered").c_str(), "tmpfs", 0, nullptr), 0);
    const auto report = put_away(watch() / "one");
    ASSERT_EQ(::umount2((watch() / "covered").c_str(), 0), 0);
    EXPECT_EQ(report.outcome, Outcome::Truncated) << report.detail;
    EXPECT_EQ(fs::file_size(watch() / "covered/two"), 0U);
    EXPECT_EQ(stored_content(report.item), eicar());
    EXPECT_EQ(records_.back().outcome, "truncated");
}

TEST_F(QuarantineTest, ALinkNotFoundInTimeIsNotEmptied) {
    options_.link_search = std::chrono::milliseconds{0};
    open();
    fs::create_directories(watch() / "folder");
    write_file(watch() / "one", eicar());
    fs::create_hard_link(watch() / "one", watch() / "folder/two");
    const auto report = put_away(watch() / "one");
    EXPECT_EQ(report.outcome, Outcome::NamesLeft) << report.detail;
    EXPECT_NE(report.detail.find("not found in time"), std::string::npos) << report.detail;
    EXPECT_EQ(read_text(watch() / "folder/two"), eicar());
}

TEST_F(QuarantineTest, ALinkInAPartMountedNowhereIsNotEmptied) {
    fs::create_directories(disk_ / "part/watch/excluded");
    write_file(disk_ / "part/watch/one", eicar());
    fs::create_hard_link(disk_ / "part/watch/one", outside() / "two");
    const auto point = playground_.root() / "bound";
    fs::create_directories(point);
    ASSERT_EQ(::mount((disk_ / "part").c_str(), point.c_str(), nullptr, MS_BIND, nullptr), 0);
    const auto whole = open_file(outside() / "two");
    ASSERT_EQ(::umount2(disk_.c_str(), MNT_DETACH), 0);
    disk_ = point;
    open();
    const auto report = put_away(watch() / "one");
    EXPECT_EQ(report.outcome, Outcome::NamesLeft) << report.detail;
    EXPECT_FALSE(fs::exists(watch() / "one"));
    EXPECT_EQ(read_all(whole.get(), 1000).value_or(""), eicar());
    ::umount2(point.c_str(), MNT_DETACH);
}

TEST_F(QuarantineTest, AFileWithoutANameIsKept) {
    open();
    write_file(watch() / "bad", eicar());
    const auto file = open_file(watch() / "bad");
    fs::remove(watch() / "bad");
    const auto report = vault_->put_away(judge(file.get(), watch() / "bad"), now());
    EXPECT_EQ(report.outcome, Outcome::Vanished) << report.detail;
    EXPECT_EQ(stored_content(report.item), eicar());
}

TEST_F(QuarantineTest, ARunningProgramIsTakenToo) {
    open();
    fs::copy_file("/bin/sleep", watch() / "program");
    auto child = Subprocess::start({.program = watch() / "program", .arguments = {"60"}});
    ASSERT_TRUE(child);
    const auto report = put_away(watch() / "program");
    EXPECT_EQ(report.outcome, Outcome::Quarantined) << report.detail;
    EXPECT_TRUE(report.open_elsewhere);
    EXPECT_FALSE(fs::exists(watch() / "program"));
}

TEST_F(QuarantineTest, AnImmutableFileOrFolderIsSaidAndLeft) {
    prepare(playground_.loop("ext4", "ext4", 32));
    open();
    for (const auto flag : {FS_IMMUTABLE_FL, FS_APPEND_FL}) {
        for (const auto& guarded : {watch() / "bad", watch()}) {
            write_file(watch() / "bad", eicar());
            const auto holder = open_file(guarded);
            int flags = 0;
            ASSERT_EQ(::ioctl(holder.get(), FS_IOC_GETFLAGS, &flags), 0);
            const int changed = flags | flag;
            ASSERT_EQ(::ioctl(holder.get(), FS_IOC_SETFLAGS, &changed), 0);
            const auto report = put_away(watch() / "bad");
            EXPECT_EQ(report.outcome, Outcome::Immutable) << report.detail;
            expect_untouched(watch() / "bad", eicar());
            ASSERT_EQ(::ioctl(holder.get(), FS_IOC_SETFLAGS, &flags), 0);
        }
    }
}

TEST_F(QuarantineTest, AReadOnlyMountIsSaid) {
    open();
    write_file(watch() / "bad", eicar());
    ASSERT_EQ(::mount(nullptr, disk_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
    EXPECT_EQ(put_away(watch() / "bad").outcome, Outcome::ReadOnly);
    expect_untouched(watch() / "bad", eicar());
}

TEST_F(QuarantineTest, AReadOnlyViewOfAWritableFileSystemIsSaid) {
    open();
    write_file(watch() / "bad", eicar());
    const auto file = open_file(watch() / "bad");
    ASSERT_EQ(::mount(watch().c_str(), watch().c_str(), nullptr, MS_BIND, nullptr), 0);
    ASSERT_EQ(::mount(nullptr, watch().c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr),
              0);
    const auto report = vault_->put_away(judge(file.get(), watch() / "bad"), now());
    EXPECT_EQ(report.outcome, Outcome::ReadOnly) << report.detail;
    expect_untouched(watch() / "bad", eicar());
    ::umount2(watch().c_str(), MNT_DETACH);
}

TEST_F(QuarantineTest, AMountPointIsBusy) {
    open();
    write_file(watch() / "bad", eicar());
    const auto file = open_file(watch() / "bad");
    ASSERT_EQ(::mount((watch() / "bad").c_str(), (watch() / "bad").c_str(), nullptr, MS_BIND, ""),
              0);
    const auto report = vault_->put_away(judge(file.get(), watch() / "bad"), now());
    EXPECT_EQ(report.outcome, Outcome::Busy) << report.detail;
    expect_untouched(watch() / "bad", eicar());
    ::umount2((watch() / "bad").c_str(), MNT_DETACH);
}

TEST_F(QuarantineTest, AFullVaultTakesNothing) {
    vault_folder_ = playground_.tmpfs("small", "size=64k,mode=0700");
    open();
    const std::string content(200'000, 'x');
    write_file(watch() / "bad", content);
    const auto report = put_away(watch() / "bad");
    EXPECT_EQ(report.outcome, Outcome::VaultFailed);
    EXPECT_NE(report.detail.find("No space left"), std::string::npos) << report.detail;
    expect_untouched(watch() / "bad", content);
}

TEST_F(QuarantineTest, ALimitOfTheVaultTakesNothing) {
    options_.max_bytes = 100'000;
    open();
    const std::string content(200'000, 'x');
    write_file(watch() / "bad", content);
    EXPECT_EQ(put_away(watch() / "bad").outcome, Outcome::VaultFailed);
    expect_untouched(watch() / "bad", content);
}

TEST_F(QuarantineTest, AJournalThatRefusesStopsTheWork) {
    for (int allowed = 0; allowed < 2; ++allowed) {
        int records = 0;
        hooks_.record = [&](const QuarantineItem&) -> Result<> {
            return records++ < allowed ? Result<>() : fail(std::errc::io_error, "journal");
        };
        open();
        write_file(watch() / "bad", eicar());
        const auto report = put_away(watch() / "bad");
        EXPECT_EQ(report.outcome, allowed == 0 ? Outcome::VaultFailed : Outcome::Failed);
        expect_untouched(watch() / "bad", eicar());
    }
}

TEST_F(QuarantineTest, WhatIsNoRegularFileIsRefused) {
    open();
    const auto folder = open_file(watch());
    EXPECT_EQ(vault_->put_away(judge(folder.get(), watch()), now()).outcome, Outcome::Failed);
}

TEST_F(QuarantineTest, ALargeSparseFileNeedsLittleMemoryAndLittleSpace) {
    prepare(playground_.loop("ext4", "ext4", 64));
    open();
    constexpr off_t kSize = off_t{1} << 30U;
    write_file(watch() / "bad", eicar());
    ASSERT_EQ(::truncate((watch() / "bad").c_str(), kSize), 0);
    rusage before{};
    rusage after{};
    ASSERT_EQ(::getrusage(RUSAGE_SELF, &before), 0);
    const auto report = put_away(watch() / "bad");
    ASSERT_EQ(::getrusage(RUSAGE_SELF, &after), 0);
    ASSERT_EQ(report.outcome, Outcome::Quarantined) << report.detail;
    EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 16 * 1024) << "KiB";
    EXPECT_LT(vault_->used_bytes(), std::uint64_t{1} << 20U);
    ASSERT_TRUE(vault_->restore(report.item, ""));
    struct stat info{};
    ASSERT_EQ(::stat((watch() / "bad").c_str(), &info), 0);
    EXPECT_EQ(info.st_size, kSize);
    EXPECT_LT(info.st_blocks, 4096);
    EXPECT_TRUE(vault_->remove(report.item));
}

}  // namespace
}  // namespace vigia::test
