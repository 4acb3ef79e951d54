// SPDX-License-Identifier: GPL-2.0-or-later
// links: vigia_response
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "response/removal.h"
#include "support/process.h"
#include "support/vault_fixture.h"

// The same work on each kind of file system, and on objects that were opened by handle, as those
// that fanotify tells of are.
namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using response::Outcome;

class FileSystemTest : public VaultFixture, public ::testing::WithParamInterface<const char*> {};

TEST_P(FileSystemTest, AFileWithALinkGoesAndComesBack) {
    const std::string type = GetParam();
    if (!fs::exists("/sbin/mkfs." + type)) {
        GTEST_SKIP() << "mkfs." << type << " is not installed";
    }
    // The smallest that mkfs.xfs makes; the image is sparse.
    prepare(playground_.loop(type, type, 320));
    open();
    write_file(watch() / "one", "bad content");
    fs::create_directories(watch() / "a/b");
    fs::create_hard_link(watch() / "one", watch() / "a/b/two");
    const auto report = put_away(watch() / "one");
    EXPECT_EQ(report.outcome, Outcome::Quarantined) << report.detail;
    EXPECT_EQ(report.item.names_removed.size(), 2U);
    EXPECT_FALSE(report.open_elsewhere) << report.detail;
    EXPECT_FALSE(fs::exists(watch() / "a/b/two"));
    ASSERT_TRUE(vault_->restore(report.item, ""));
    EXPECT_EQ(read_text(watch() / "one"), "bad content");
    expect_no_leftovers();
}

INSTANTIATE_TEST_SUITE_P(Disks,
                         FileSystemTest,
                         ::testing::Values("ext4", "xfs", "btrfs"),
                         [](const auto& parameter) { return std::string(parameter.param); });

class ByHandleTest : public VaultFixture {
protected:
    void SetUp() override { prepare(playground_.loop("ext4", "ext4", 32)); }

    // The object of `path`, in a file system mounted anew: the kernel knows none of its names.
    UniqueFd open_unnamed(const fs::path& path) {
        const auto wanted = response::handle_of(open_file(path).get());
        EXPECT_TRUE(wanted);
        EXPECT_EQ(::umount2(disk_.c_str(), 0), 0);
        const auto image = disk_.native() + ".img";
        const auto mounted = run("/bin/mount", {"-t", "ext4", "-o", "loop", image, disk_.native()});
        EXPECT_EQ(mounted.exit, 0) << mounted.err;
        auto object = open_handle(*wanted);
        EXPECT_FALSE(response::leads_to(path_of(object.get()).value_or("?"), object.get()));
        return object;
    }

    [[nodiscard]] UniqueFd open_handle(const FileHandle& wanted) const {
        alignas(file_handle) std::array<char, sizeof(file_handle) + MAX_HANDLE_SZ> buffer{};
        auto* handle = reinterpret_cast<file_handle*>(buffer.data());
        handle->handle_type = wanted.type;
        handle->handle_bytes = static_cast<unsigned>(wanted.bytes.size());
        std::memcpy(buffer.data() + offsetof(file_handle, f_handle),
                    wanted.bytes.data(),
                    wanted.bytes.size());
        const auto mount = open_file(disk_);
        return UniqueFd(
            ::open_by_handle_at(mount.get(), handle, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    }
};

TEST_F(ByHandleTest, TheHintLeadsToTheName) {
    open();
    write_file(watch() / "bad", "bad content");
    const auto file = open_unnamed(watch() / "bad");
    const auto report = vault_->put_away(judge(file.get(), watch() / "bad"), now());
    EXPECT_EQ(report.outcome, Outcome::Quarantined) << report.detail;
    EXPECT_FALSE(fs::exists(watch() / "bad"));
}

TEST_F(ByHandleTest, WithAWrongHintTheNameIsSearched) {
    open();
    write_file(watch() / "bad", "bad content");
    fs::create_directories(watch() / "a/b/c");
    const auto file = open_unnamed(watch() / "bad");
    fs::rename(watch() / "bad", watch() / "a/b/c/moved");
    const auto report = vault_->put_away(judge(file.get(), watch() / "bad"), now());
    EXPECT_EQ(report.outcome, Outcome::Quarantined) << report.detail;
    EXPECT_FALSE(fs::exists(watch() / "a/b/c/moved"));
    EXPECT_EQ(report.item.path, watch() / "a/b/c/moved");
}

TEST_F(ByHandleTest, WithoutAnyHintItIsSearchedToo) {
    open();
    write_file(watch() / "bad", "bad content");
    const auto file = open_unnamed(watch() / "bad");
    const auto report = vault_->put_away(judge(file.get(), ""), now());
    EXPECT_EQ(report.outcome, Outcome::Quarantined) << report.detail;
    EXPECT_FALSE(fs::exists(watch() / "bad"));
}

class OverlayTest : public VaultFixture {
protected:
    void SetUp() override {}

    // Names as the watch sees them are those of the merged folder.
    void mount_over(const fs::path& lower) {
        const auto upper = playground_.tmpfs("upper", "size=64m");
        const auto merged = playground_.root() / "merged";
        for (const auto& folder : {lower / "watch", upper / "up", upper / "work", merged}) {
            fs::create_directories(folder);
        }
        write_file(lower / "watch/bad", "bad content");
        write_file(lower / "watch/good", "innocent");
        const auto options = "lowerdir=" + lower.native() + ",upperdir=" + (upper / "up").native() +
                             ",workdir=" + (upper / "work").native();
        ASSERT_EQ(::mount("overlay", merged.c_str(), "overlay", 0, options.c_str()), 0);
        prepare(merged);
        open();
    }

    void TearDown() override { ::umount2(disk_.c_str(), MNT_DETACH); }

    void expect_goes_and_comes_back(const std::string& name) {
        const auto report = put_away(watch() / name);
        EXPECT_EQ(report.outcome, Outcome::Quarantined) << name << ": " << report.detail;
        EXPECT_FALSE(fs::exists(watch() / name));
        EXPECT_EQ(vault_->restore(report.item, "").value_or("?"), watch() / name);
        EXPECT_EQ(read_text(watch() / name), "bad content");
    }

    void expect_works() {
        write_file(watch() / "new", "bad content");
        expect_goes_and_comes_back("bad");
        expect_goes_and_comes_back("new");
        EXPECT_EQ(read_text(watch() / "good"), "innocent");
        expect_no_leftovers();
    }
};

TEST_F(OverlayTest, AFileOfTheLayerBelowGoesToo) {
    mount_over(playground_.tmpfs("lower", "size=64m"));
    expect_works();
}

TEST_F(OverlayTest, AlsoWhereTheLayerBelowIsOfAnotherKind) {
    mount_over(playground_.loop("lower", "ext4", 32));
    expect_works();
}

}  // namespace
}  // namespace vigia::test
