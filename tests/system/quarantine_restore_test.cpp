// SPDX-License-Identifier: GPL-2.0-or-later
// links: vigia_response
#include <sys/xattr.h>
#include <unistd.h>

#include <array>

#include "support/vault_fixture.h"

// What comes back out of the vault, and what must not.
namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using response::Outcome;

// struct vfs_cap_data of revision 2: cap_net_raw+ep.
std::string net_raw_capability() {
    return {"\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20};
}

std::string attribute(const fs::path& path, const char* name) {
    std::array<char, 256> value{};
    const ssize_t size = ::lgetxattr(path.c_str(), name, value.data(), value.size());
    return size < 0 ? "none" : std::string(value.data(), static_cast<std::size_t>(size));
}

class RestoreTest : public VaultFixture {
protected:
    // A file in the vault, its name gone.
    QuarantineItem quarantined(const std::string& content = "bad content") {
        write_file(watch() / "bad", content);
        const auto report = put_away(watch() / "bad");
        EXPECT_EQ(report.outcome, Outcome::Quarantined) << report.detail;
        return report.item;
    }
};

TEST_F(RestoreTest, ContentOwnerModeTimesAndAttributesComeBack) {
    prepare(playground_.loop("ext4", "ext4", 32));
    open();
    const auto path = watch() / "bad";
    write_file(path, "content");
    const std::string bytes("\0\xff\n", 3);
    ASSERT_EQ(::chown(path.c_str(), 1234, 4321), 0);
    ASSERT_EQ(::lsetxattr(path.c_str(), "user.any", bytes.data(), bytes.size(), 0), 0);
    ASSERT_EQ(::lsetxattr(path.c_str(), "trusted.mark", "t", 1, 0), 0);
    const auto capability = net_raw_capability();
    ASSERT_EQ(
        ::lsetxattr(path.c_str(), "security.capability", capability.data(), capability.size(), 0),
        0);
    ASSERT_EQ(::chmod(path.c_str(), 06751), 0);
    const std::array<timespec, 2> times{timespec{-5, 250}, timespec{1'500'000'000, 123'456'789}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times.data(), 0), 0);
    const auto report = put_away(path);
    ASSERT_EQ(report.outcome, Outcome::Quarantined) << report.detail;
    ASSERT_FALSE(fs::exists(path));

    ASSERT_EQ(vault_->restore(report.item, "").value_or("?"), path.native());
    struct stat info{};
    ASSERT_EQ(::lstat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode, static_cast<mode_t>(S_IFREG | 06751));
    EXPECT_EQ(info.st_uid, 1234U);
    EXPECT_EQ(info.st_gid, 4321U);
    EXPECT_EQ(info.st_mtim.tv_sec, 1'500'000'000);
    EXPECT_EQ(info.st_mtim.tv_nsec, 123'456'789);
    EXPECT_EQ(report.item.atime_ns, response::nanoseconds(info.st_atim));
    EXPECT_EQ(attribute(path, "user.any"), bytes);
    EXPECT_EQ(attribute(path, "trusted.mark"), "t");
    EXPECT_EQ(attribute(path, "security.capability"), capability);
    EXPECT_EQ(read_text(path), "content");
    EXPECT_TRUE(vault_->holds(report.item));
}

TEST_F(RestoreTest, TheExceptionIsKnownBeforeTheNameIsVisible) {
    bool visible = false;
    hooks_.on_restored = [&](const FileIdentity& identity, const Sha256& sha256) {
        restored_.emplace_back(identity, sha256);
        visible = restored_.size() == 1 && fs::exists(watch() / "bad");
    };
    open();
    const auto item = quarantined();
    ASSERT_TRUE(vault_->restore(item, ""));
    EXPECT_FALSE(visible);
    ASSERT_EQ(restored_.size(), 2U);
    const auto file = open_file(watch() / "bad");
    const auto now = response::identity_of(file.get());
    ASSERT_TRUE(now);
    EXPECT_EQ(restored_[0].first.object, now->object);
    EXPECT_FALSE(now->object.handle.bytes.empty());
    EXPECT_EQ(restored_[1].first, *now);
    EXPECT_EQ(restored_[1].second, item.sha256);
}

TEST_F(RestoreTest, AnExistingFileIsNotReplaced) {
    open();
    const auto item = quarantined();
    write_file(watch() / "bad", "somebody else's");
    const auto restored = vault_->restore(item, "");
    ASSERT_FALSE(restored);
    EXPECT_EQ(restored.error().code, std::errc::file_exists) << restored.error().message();
    EXPECT_EQ(read_text(watch() / "bad"), "somebody else's");
    EXPECT_EQ(vault_->restore(item, watch() / "other").value_or("?"), watch() / "other");
}

TEST_F(RestoreTest, AFolderThatIsGoneIsSaid) {
    open();
    fs::create_directories(watch() / "folder");
    write_file(watch() / "folder/bad", "content");
    const auto report = put_away(watch() / "folder/bad");
    fs::remove(watch() / "folder");
    const auto restored = vault_->restore(report.item, "");
    ASSERT_FALSE(restored);
    EXPECT_NE(restored.error().message().find("does not exist any more"), std::string::npos)
        << restored.error().message();
}

TEST_F(RestoreTest, NobodyLeadsTheFileElsewhereByALink) {
    open();
    fs::create_directories(watch() / "a/b");
    write_file(watch() / "a/b/bad", "content");
    const auto report = put_away(watch() / "a/b/bad");
    fs::remove_all(watch() / "a");
    fs::create_directories(outside() / "b");
    fs::create_directory_symlink(outside(), watch() / "a");
    auto restored = vault_->restore(report.item, "");
    ASSERT_FALSE(restored);
    EXPECT_NE(restored.error().message().find("symbolic link"), std::string::npos)
        << restored.error().message();
    fs::remove(watch() / "a");
    fs::create_directories(watch() / "a");
    fs::create_directory_symlink(outside() / "b", watch() / "a/b");
    EXPECT_FALSE(vault_->restore(report.item, ""));
    EXPECT_TRUE(fs::is_empty(outside() / "b"));
}

TEST_F(RestoreTest, AFolderAsThePlaceKeepsTheName) {
    open();
    const auto item = quarantined();
    EXPECT_EQ(vault_->restore(item, outside()).value_or("?"), outside() / "bad");
    fs::remove(outside() / "bad");
    EXPECT_EQ(vault_->restore(item, outside().native() + "/").value_or("?"),
              outside().native() + "/bad");
    EXPECT_FALSE(vault_->restore(item, "relative"));
    EXPECT_FALSE(vault_->restore(item, (outside() / "..").native()));
}

TEST_F(RestoreTest, ADamagedCopyIsNotGivenBack) {
    open();
    const auto item = quarantined(std::string(1000, 'x'));
    const auto copy = vault_folder_ / item.id;
    auto bytes = read_text(copy);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    write_file(copy, bytes);
    const auto restored = vault_->restore(item, "");
    ASSERT_FALSE(restored);
    EXPECT_EQ(restored.error().code, std::errc::bad_message) << restored.error().message();
    EXPECT_FALSE(fs::exists(watch() / "bad"));
    EXPECT_TRUE(restored_.empty());
    expect_no_leftovers();
}

TEST_F(RestoreTest, RemovingIsForGoodAndTwiceIsFine) {
    open();
    const auto item = quarantined();
    EXPECT_TRUE(vault_->holds(item));
    ASSERT_TRUE(vault_->remove(item));
    EXPECT_FALSE(vault_->holds(item));
    EXPECT_TRUE(vault_->remove(item));
    EXPECT_TRUE(vault_files().empty());
    EXPECT_FALSE(vault_->restore(item, ""));
}

TEST_F(RestoreTest, ItemsThatTheJournalLostAreFoundInTheVault) {
    open();
    const auto known = quarantined("one");
    const auto lost = quarantined("two");
    write_file(vault_folder_ / "00000000-0000-0000-0000-000000000000", "no vault file");
    const auto orphans = vault_->orphans({known.id});
    ASSERT_EQ(orphans.size(), 1U);
    EXPECT_EQ(orphans[0].id, lost.id);
    EXPECT_EQ(orphans[0].path, lost.path);
    EXPECT_EQ(orphans[0].threat, "Test.Threat");
    EXPECT_EQ(stored_content(orphans[0]), "two");
}

}  // namespace
}  // namespace vigia::test
