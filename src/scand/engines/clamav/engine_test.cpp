// SPDX-License-Identifier: GPL-2.0-or-later
#include "scand/engines/clamav/engine.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/text.h"
#include "base/unique_fd.h"

namespace vigia::scand {
namespace {

constexpr std::uint32_t kClean = 0;
constexpr std::uint32_t kInfected = 1;
constexpr std::uint32_t kError = 2;

std::string hex(std::string_view text) {
    return to_hex(std::as_bytes(std::span(text)));
}

class ClamavEngine : public testing::Test {
protected:
    static void SetUpTestSuite() { ASSERT_TRUE(Engine::initialise()); }

    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "vigia-engine-XXXXXX");
        top_ = ::mkdtemp(pattern.data());
        std::filesystem::create_directory(top_ / "tmp");
        std::filesystem::create_directory(top_ / "definitions");
        write("a.ndb", "Test.Marker:0:*:" + hex("engine-test-marker") + "\n");
    }

    void TearDown() override { std::filesystem::remove_all(top_); }

    void write(const std::string& name, const std::string& content) const {
        std::ofstream(top_ / "definitions" / name) << content;
    }

    [[nodiscard]] auto load() const {
        return Engine::load(std::array{(top_ / "definitions").native()}, (top_ / "tmp").native());
    }

    [[nodiscard]] static wire::ScanDone scan(Engine& engine, const std::string& content) {
        const UniqueFd file{::memfd_create("engine-test", MFD_CLOEXEC)};
        EXPECT_TRUE(write_all(file.get(), content));
        return engine.scan({.file = file.get(), .size = content.size()});
    }

    std::filesystem::path top_;
};

TEST_F(ClamavEngine, FindsWhatItsDefinitionsDescribeAndNothingElse) {
    write("b.yar", "rule Yara_Rule { strings: $a = \"yara-test-marker\" condition: $a }\n");
    auto engine = load();
    ASSERT_TRUE(engine) << engine.error().message;
    EXPECT_EQ(engine->signatures(), 2U);
    const auto marked = scan(*engine, "x engine-test-marker x");
    EXPECT_EQ(marked.outcome, kInfected);
    EXPECT_EQ(marked.text, "Test.Marker.UNOFFICIAL");
    const auto by_yara = scan(*engine, "x yara-test-marker x");
    EXPECT_EQ(by_yara.outcome, kInfected);
    EXPECT_TRUE(by_yara.text.contains("Yara_Rule")) << by_yara.text;
    const auto other = scan(*engine, "nothing");
    EXPECT_EQ(other.outcome, kClean);
    EXPECT_TRUE(other.text.empty());
    EXPECT_EQ(scan(*engine, "").outcome, kClean);
}

TEST_F(ClamavEngine, TheFileAtFaultIsNamed) {
    write("good.hdb", "aa15bcf478d165efd2065190eb473bcb:544:clam.exe\n");
    write("bad.ldb", "Half;Engine:81-255,Target:0;0&1\n");
    const auto engine = load();
    ASSERT_FALSE(engine);
    EXPECT_EQ(wire::kLoadFailures.at(engine.error().cause), "definitions-rejected");
    EXPECT_EQ(engine.error().file, "bad.ldb");
    EXPECT_FALSE(engine.error().message.empty());
    EXPECT_FALSE(engine.error().message.contains(top_.native())) << engine.error().message;
}

TEST_F(ClamavEngine, FilesOfOtherKindsInTheFolderAreLeftAlone) {
    write("README.md", "not a definition file");
    write("notes.txt", "Test:0:*:zz");
    const auto engine = load();
    ASSERT_TRUE(engine) << engine.error().message;
    EXPECT_EQ(engine->signatures(), 1U);
}

TEST_F(ClamavEngine, AFolderThatIsGoneIsRejectedNotEmpty) {
    const auto engine = Engine::load(std::array{(top_ / "missing").native()}, top_.native());
    ASSERT_FALSE(engine);
    EXPECT_EQ(wire::kLoadFailures.at(engine.error().cause), "definitions-rejected");
}

TEST_F(ClamavEngine, WhatCannotBeReadIsAnErrorAndNeverClean) {
    auto engine = load();
    ASSERT_TRUE(engine);
    EXPECT_EQ(engine->scan({.file = -1, .size = 100}).outcome, kError);
    const auto huge = engine->scan({.file = -1, .size = std::uint64_t{1} << 31U});
    EXPECT_EQ(huge.outcome, kError);
    EXPECT_EQ(huge.limit_hit, 1U);
}

// A stored ZIP of one file, by hand: no archiver needed, and any depth.
std::string zip_of(const std::string& content) {
    const auto number = [](std::uint32_t value, unsigned bytes) {
        std::string text;
        for (unsigned i = 0; i < bytes; ++i) {
            text.push_back(static_cast<char>((value >> (8U * i)) & 0xffU));
        }
        return text;
    };
    const auto size = static_cast<std::uint32_t>(content.size());
    const std::string common = number(20, 2) + number(0, 2) + number(0, 2) + number(0, 4) +
                               number(0, 4) + number(size, 4) + number(size, 4) + number(1, 2) +
                               number(0, 2);
    const std::string local = "PK\x03\x04" + common + "a" + content;
    const std::string central = std::string("PK\x01\x02") + number(20, 2) + common + number(0, 2) +
                                number(0, 2) + number(0, 2) + number(0, 4) + number(0, 4) + "a";
    return local + central + "PK\x05\x06" + number(0, 4) + number(1, 2) + number(1, 2) +
           number(static_cast<std::uint32_t>(central.size()), 4) +
           number(static_cast<std::uint32_t>(local.size()), 4) + number(0, 2);
}

std::string nested(std::string content, int times) {
    for (int i = 0; i < times; ++i) {
        content = zip_of(content);
    }
    return content;
}

TEST_F(ClamavEngine, ALimitIsReportedAsALimitAndNotAsAThreat) {
    // Only whole-file signatures: the marker is visible in a stored ZIP without unpacking it.
    write("a.ndb", "Test.Marker:0:0:" + hex("engine-test-marker") + "\n");
    auto engine = load();
    ASSERT_TRUE(engine);
    const auto shallow = scan(*engine, nested("engine-test-marker", 3));
    EXPECT_EQ(shallow.outcome, kInfected);
    EXPECT_EQ(shallow.limit_hit, 0U);
    const auto deep = scan(*engine, nested("engine-test-marker", 40));
    EXPECT_EQ(deep.outcome, kClean);
    EXPECT_EQ(deep.limit_hit, 1U);
}

TEST_F(ClamavEngine, ArchivesAreOnlyLookedIntoIfAsked) {
    write("a.ndb", "Test.Marker:0:0:" + hex("engine-test-marker") + "\n");
    auto engine = load();
    ASSERT_TRUE(engine);
    const UniqueFd file{::memfd_create("engine-test", MFD_CLOEXEC)};
    const auto packed = zip_of("engine-test-marker");
    ASSERT_TRUE(write_all(file.get(), packed));
    const auto scan_with = [&](bool archives) {
        return engine->scan({.file = file.get(), .size = packed.size(), .archives = archives});
    };
    EXPECT_EQ(scan_with(true).outcome, kInfected);
    EXPECT_EQ(scan_with(false).outcome, kClean);
}

TEST_F(ClamavEngine, LeavesNothingInTheTemporaryFolder) {
    auto engine = load();
    ASSERT_TRUE(engine);
    (void)scan(*engine, nested("x engine-test-marker", 3));
    EXPECT_TRUE(std::filesystem::is_empty(top_ / "tmp"));
}

}  // namespace
}  // namespace vigia::scand
