// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/policy_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "base/files.h"

namespace vigia::daemon {
namespace {

namespace fs = std::filesystem;

class PolicyEdit : public testing::Test {
protected:
    static fs::path new_folder() {
        std::string pattern = (fs::temp_directory_path() / "vigia-policy-XXXXXX").native();
        EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
        return pattern;
    }

    void TearDown() override { fs::remove_all(folder_); }

    [[nodiscard]] std::string text() const {
        return read_file(file_, std::size_t{1} << 20U).value_or("");
    }

    static PolicyStore::Edit appends(const std::string& what) {
        return [what](std::string_view before) { return std::string(before) + what; };
    }

    fs::path folder_ = new_folder();
    fs::path file_{folder_ / "etc/policy.toml"};
    PolicyStore store_{file_, folder_ / "last.toml"};
};

TEST_F(PolicyEdit, WithoutAFileTheBuiltInPolicyBecomesOne) {
    const auto done = store_.edit(appends("# more\n"));
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_FALSE(done->has_value());
    EXPECT_EQ(text(), std::string(policy::default_text()) + "# more\n");
}

TEST_F(PolicyEdit, KeepsTheModeAndTheLinkAndLeavesNothingBeside) {
    fs::create_directories(folder_ / "real");
    fs::create_directories(file_.parent_path());
    ASSERT_TRUE(replace_file(folder_ / "real/p.toml", "# a\n", 0604));
    fs::create_symlink(folder_ / "real/p.toml", file_);
    const auto done = store_.edit(appends("# b\n"));
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_TRUE(fs::is_symlink(file_));
    EXPECT_EQ(text(), "# a\n# b\n");
    struct stat info{};
    ASSERT_EQ(::stat(file_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0604U);
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "real"), {}), 1);
}

TEST_F(PolicyEdit, WritesNothingWhenItIsRefusedOrSomebodyElseWasFaster) {
    fs::create_directories(file_.parent_path());
    ASSERT_TRUE(replace_file(file_, "# a\n", 0644));
    const auto refused =
        store_.edit([](std::string_view) -> std::expected<std::string, policy::EditRefusal> {
            return std::unexpected(policy::EditRefusal{.message = "no"});
        });
    ASSERT_TRUE(refused && refused->has_value());
    EXPECT_EQ((*refused)->message, "no");
    const auto late = store_.edit([&](std::string_view before) {
        EXPECT_TRUE(replace_file(file_, "# theirs\n", 0644));
        return std::string(before) + "# ours\n";
    });
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, std::errc::device_or_resource_busy);
    EXPECT_EQ(text(), "# theirs\n");
}

}  // namespace
}  // namespace vigia::daemon
