// SPDX-License-Identifier: GPL-2.0-or-later
#include "response/vault.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/files.h"
#include "base/uuid.h"
#include "response/name_removal.h"

namespace vigia::response {
namespace {

namespace fs = std::filesystem;

class VaultTest : public ::testing::Test {
protected:
    void SetUp() override {
        std::string name = (fs::temp_directory_path() / "vigia-vault-XXXXXX").native();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        root_ = name;
    }

    void TearDown() override { fs::remove_all(root_); }

    std::unique_ptr<Vault> open(std::uint64_t max_bytes = 1U << 20U) {
        auto vault = Vault::open(root_ / "vault", max_bytes);
        EXPECT_TRUE(vault) << vault.error().message();
        return vault ? *std::move(vault) : nullptr;
    }

    static QuarantineItem item_of(std::string_view content) {
        QuarantineItem item;
        item.id = Uuid::random().text;
        item.path = "/somewhere";
        item.size = content.size();
        item.sha256 = *wire::sha256_of(std::as_bytes(std::span(content)));
        return item;
    }

    static UniqueFd file_of(std::string_view content) {
        UniqueFd file{::memfd_create("content", MFD_CLOEXEC)};
        EXPECT_TRUE(write_all(file.get(), content));
        return file;
    }

    [[nodiscard]] std::size_t files() const {
        return static_cast<std::size_t>(
            std::distance(fs::directory_iterator(root_ / "vault"), fs::directory_iterator()));
    }

    fs::path root_;
};

TEST_F(VaultTest, IsMadeForItsOwnerOnly) {
    ASSERT_NE(open(), nullptr);
    EXPECT_EQ(fs::status(root_ / "vault").permissions(), fs::perms::owner_all);
}

TEST_F(VaultTest, IsRefusedIfOthersCanWriteIt) {
    fs::create_directory(root_ / "vault");
    fs::permissions(root_ / "vault", fs::perms::all);
    EXPECT_FALSE(Vault::open(root_ / "vault", 1U << 20U));
    fs::remove(root_ / "vault");
    fs::create_directory_symlink(root_, root_ / "vault");
    EXPECT_FALSE(Vault::open(root_ / "vault", 1U << 20U));
}

TEST_F(VaultTest, KeepsWhatWasStoredAndGivesItsSpaceBack) {
    const auto vault = open();
    const std::string content = "content";
    const auto item = item_of(content);
    const auto digest = vault->write_part(file_of(content).get(), item);
    ASSERT_TRUE(digest);
    EXPECT_EQ(*digest, item.sha256);
    EXPECT_FALSE(vault->holds(item.id));
    ASSERT_TRUE(vault->commit(item.id));
    EXPECT_TRUE(vault->holds(item.id));
    EXPECT_TRUE(vault->verify(item));
    EXPECT_EQ(vault->used_bytes(), fs::file_size(root_ / "vault" / item.id));
    EXPECT_EQ(open()->used_bytes(), vault->used_bytes());
    ASSERT_TRUE(vault->remove(item.id));
    EXPECT_EQ(vault->used_bytes(), 0U);
    EXPECT_TRUE(vault->remove(item.id));
    EXPECT_EQ(vault->used_bytes(), 0U);
}

TEST_F(VaultTest, RefusesMoreThanItsLimitAndLeavesNothingBehind) {
    const auto vault = open(10'000);
    const std::string content(20'000, 'x');
    const auto stored = vault->write_part(file_of(content).get(), item_of(content));
    ASSERT_FALSE(stored);
    EXPECT_FALSE(stored.error().source);
    EXPECT_EQ(stored.error().error.code.value(), EDQUOT);
    EXPECT_EQ(files(), 0U);
    EXPECT_EQ(vault->used_bytes(), 0U);
    const std::string small(5'000, 'x');
    EXPECT_TRUE(vault->write_part(file_of(small).get(), item_of(small)));
}

TEST_F(VaultTest, ReadsAFileWithoutMovingItsOffset) {
    const auto vault = open();
    const auto file = file_of("content");
    ASSERT_EQ(::lseek(file.get(), 3, SEEK_SET), 3);
    ASSERT_TRUE(vault->write_part(file.get(), item_of("content")));
    EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 3);
}

TEST_F(VaultTest, AnItemsFileIsNotTakenForAnothers) {
    const auto vault = open();
    const auto item = item_of("content");
    ASSERT_TRUE(vault->write_part(file_of("content").get(), item));
    ASSERT_TRUE(vault->commit(item.id));
    const auto other = item_of("other");
    fs::rename(root_ / "vault" / item.id, root_ / "vault" / other.id);
    EXPECT_EQ(vault->verify(other).error().code, std::errc::bad_message);
}

TEST_F(VaultTest, AnIdThatIsNoneLeadsNowhere) {
    const auto vault = open();
    for (const char* id : {"", "..", "../../../../etc/passwd", "/etc/passwd"}) {
        EXPECT_FALSE(vault->holds(id));
        EXPECT_FALSE(vault->remove(id));
        EXPECT_FALSE(vault->open_id(id));
    }
}

TEST(SplitPath, KnowsFolderAndName) {
    EXPECT_EQ(split_path("/a/b").folder, "/a");
    EXPECT_EQ(split_path("/a/b").base, "b");
    EXPECT_EQ(split_path("/b").folder, "/");
    EXPECT_EQ(split_path("/b").base, "b");
    for (const char* path : {"", "relative", "/a/", "/a/..", "/a/.", "/"}) {
        EXPECT_EQ(split_path(path).base, "") << path;
    }
}

}  // namespace
}  // namespace vigia::response
