// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/installation.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "support/root_fixture.h"
#include "wire/digest.h"

namespace vigia::host {
namespace {

using test::RootFixture;
using testing::HasSubstr;

std::string hex_of(const std::string& content) {
    return wire::sha256_of(std::as_bytes(std::span(content))).value().hex();
}

std::string line_of(const std::string& path, const std::string& content) {
    return fmt::format("{}  /{}\n", hex_of(content), path);
}

TEST(Manifest, IsReadAsSha256sumWritesIt) {
    const auto lines = parse_manifest(line_of("usr/sbin/vigiad", "a") + hex_of("b") + " */x y\n");
    ASSERT_TRUE(lines.has_value()) << lines.error();
    ASSERT_EQ(lines->size(), 2U);
    EXPECT_EQ(lines->at(0).path, "usr/sbin/vigiad");
    EXPECT_EQ(lines->at(0).sha256.hex(), hex_of("a"));
    EXPECT_EQ(lines->at(1).path, "x y");
}

TEST(Manifest, AnythingElseIsAnErrorThatNamesTheLine) {
    const auto good = line_of("usr/sbin/vigiad", "a");
    for (const auto& bad : {std::string("\n"),
                            std::string("garbage\n"),
                            hex_of("a") + "  relative\n",
                            hex_of("a") + "  /a/../b\n",
                            hex_of("a") + "  /..\n",
                            std::string(64, 'g') + "  /usr/x\n",
                            hex_of("a").substr(1) + "  /usr/x\n"}) {
        const auto lines = parse_manifest(good + bad);
        ASSERT_FALSE(lines.has_value()) << bad;
        EXPECT_THAT(lines.error(), HasSubstr("line 2")) << bad;
    }
    EXPECT_THAT(parse_manifest(good + good).error(), HasSubstr("second time"));
    EXPECT_THAT(parse_manifest("").error(), HasSubstr("empty"));
    std::string many;
    for (int i = 0; i < 1025; ++i) {
        many += line_of(fmt::format("f{}", i), "a");
    }
    EXPECT_THAT(parse_manifest(many).error(), HasSubstr("more than 1024"));
}

class InstallationLook : public testing::Test {
protected:
    InstallationLook() {
        root_.file("usr/lib/vigia/vigia-scand", "scand").file("usr/sbin/vigiad", "daemon");
        root_.file(
            "usr/lib/vigia/manifest.sha256",
            line_of("usr/lib/vigia/vigia-scand", "scand") + line_of("usr/sbin/vigiad", "daemon"));
    }

    Facts::Installation look(BootTime now = BootTime{} + std::chrono::hours{1}) {
        const auto root = Root::open(root_.path());
        return installation_.look(root.value(), now);
    }

    RootFixture root_;
    Installation installation_{std::string(kInstalledPrograms)};
};

TEST_F(InstallationLook, FindsNothingWhereNothingChanged) {
    const auto found = look();
    EXPECT_TRUE(found.known);
    EXPECT_EQ(found.manifest, "/usr/lib/vigia/manifest.sha256");
    EXPECT_EQ(found.manifest_error, "");
    EXPECT_EQ(found.files, 2U);
    EXPECT_TRUE(found.differences.empty());
}

TEST_F(InstallationLook, NamesWhatDiffersIsMissingOrIsNoFile) {
    EXPECT_TRUE(look().differences.empty());
    root_.file("usr/sbin/vigiad", "doemon");  // of the same size
    auto found = look();
    ASSERT_EQ(found.differences.size(), 1U);
    EXPECT_EQ(found.differences[0].path, "/usr/sbin/vigiad");
    EXPECT_EQ(found.differences[0].expected.hex(), hex_of("daemon"));
    EXPECT_EQ(found.differences[0].found.value().hex(), hex_of("doemon"));

    std::filesystem::remove(root_.path() / "usr/sbin/vigiad");
    found = look();
    ASSERT_EQ(found.differences.size(), 1U);
    EXPECT_FALSE(found.differences[0].found.has_value());
    EXPECT_EQ(found.differences[0].error, "missing");

    ASSERT_EQ(::mkfifo((root_.path() / "usr/sbin/vigiad").c_str(), 0644), 0);
    found = look();
    ASSERT_EQ(found.differences.size(), 1U);
    EXPECT_THAT(found.differences[0].error, HasSubstr("not a regular file"));

    std::filesystem::remove(root_.path() / "usr/sbin/vigiad");
    root_.file("usr/sbin/vigiad", "daemon");
    EXPECT_TRUE(look().differences.empty());
}

TEST_F(InstallationLook, TellsAManifestThatIsMissingFromNoInstallation) {
    std::filesystem::remove(root_.path() / "usr/lib/vigia/manifest.sha256");
    EXPECT_EQ(look().manifest_error, "missing");
    root_.file("usr/lib/vigia/manifest.sha256", "nonsense");
    EXPECT_THAT(look().manifest_error, HasSubstr("line 1"));
    std::filesystem::remove_all(root_.path() / "usr/lib/vigia");
    root_.folder("usr/lib/vigia");  // alone it says nothing
    const auto found = look();
    EXPECT_TRUE(found.known);
    EXPECT_EQ(found.manifest, "");
    EXPECT_EQ(found.manifest_error, "");
}

}  // namespace
}  // namespace vigia::host
