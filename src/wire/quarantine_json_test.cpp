// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/quarantine_json.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace vigia::wire {
namespace {

// to_record names every field, so equal records are equal items; the rest says which one differs.
void expect_same(const QuarantineItem& left, const QuarantineItem& right) {
    EXPECT_EQ(left.id, right.id);
    EXPECT_EQ(left.state, right.state);
    EXPECT_EQ(left.path, right.path);
    EXPECT_EQ(left.sha256, right.sha256);
    EXPECT_EQ(left.size, right.size);
    EXPECT_EQ(left.mode, right.mode);
    EXPECT_EQ(left.uid, right.uid);
    EXPECT_EQ(left.mtime_ns, right.mtime_ns);
    EXPECT_EQ(left.xattrs, right.xattrs);
    EXPECT_EQ(left.names_removed, right.names_removed);
    EXPECT_EQ(left.names_left, right.names_left);
    EXPECT_EQ(left.quarantined_at, right.quarantined_at);
    EXPECT_EQ(left.object_handle, right.object_handle);
    EXPECT_EQ(to_record(left), to_record(right));
}

QuarantineItem extreme_item() {
    QuarantineItem item;
    item.id = "3f0c";
    item.state = QuarantineState::Removing;
    item.path = std::string("/a\n\xff\x00\x1b[31m", 10);
    item.sha256.bytes.fill(std::byte{0xab});
    item.size = std::numeric_limits<std::uint64_t>::max();
    item.mode = 0100755;
    item.uid = std::numeric_limits<uid_t>::max();
    item.atime_ns = std::numeric_limits<std::int64_t>::min();
    item.mtime_ns = -1;
    item.xattrs = {{"user.a", std::string("\x00\x01\xfe", 3)}, {"security.capability", ""}};
    item.names_removed = {"", "\x80", "a\"b\\"};
    item.quarantined_at = WallTime{std::chrono::nanoseconds{1234567890123456789}};
    item.object_handle = std::string(128, '\0');
    item.inode = std::numeric_limits<std::uint64_t>::max();
    item.taking = "\xc3";
    return item;
}

TEST(QuarantineRecord, BringsBackEveryByteOfAnItem) {
    const auto item = extreme_item();
    const auto back = parse_quarantine_record(to_record(item));
    ASSERT_TRUE(back) << back.error().message();
    expect_same(item, *back);
    expect_same(QuarantineItem{}, parse_quarantine_record(to_record(QuarantineItem{})).value());
}

TEST(QuarantineRecord, BringsBackRandomBytes) {
    std::mt19937 random(7);  // NOLINT(bugprone-random-generator-seed): the same cases each run
    std::uniform_int_distribution<int> byte(0, 255);
    for (int round = 0; round < 500; ++round) {
        QuarantineItem item;
        const auto text = [&] {
            std::string bytes(static_cast<std::size_t>(byte(random)), '\0');
            for (auto& one : bytes) {
                one = static_cast<char>(byte(random));
            }
            return bytes;
        };
        item.path = text();
        item.threat = text();
        item.names_left = {text(), text()};
        item.xattrs = {{text(), text()}};
        item.state = static_cast<QuarantineState>(round % 5);
        const auto back = parse_quarantine_record(to_record(item));
        ASSERT_TRUE(back) << back.error().message();
        expect_same(item, *back);
    }
}

TEST(QuarantineRecord, RefusesWhatIsNotARecord) {
    for (const char* bad : {"",
                            "null",
                            "[]",
                            "{",
                            R"({"path":"%%%%"})",
                            R"({"path":7})",
                            R"({"state":"eaten"})",
                            R"({"uid":-1})",
                            R"({"uid":4294967296})",
                            R"({"sha256":"ab"})",
                            R"({"xattrs":[["YQ=="]]})",
                            R"({"names_left":"YQ=="})"}) {
        const auto item = parse_quarantine_record(bad);
        ASSERT_FALSE(item) << bad;
        EXPECT_EQ(item.error().code, std::errc::illegal_byte_sequence);
    }
}

TEST(QuarantineRecord, ReadsARecordOfAnOlderOrNewerVersion) {
    const auto item = parse_quarantine_record(R"({"id":"YQ==","of_the_future":{"x":1}})");
    ASSERT_TRUE(item) << item.error().message();
    EXPECT_EQ(item->id, "a");
    EXPECT_EQ(item->state, QuarantineState::Storing);
}

}  // namespace
}  // namespace vigia::wire
