// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/fanotify_records.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/fanotify.h>

#include <cstring>
#include <string>
#include <vector>

namespace vigia::wire {
namespace {

using Buffer = std::vector<std::byte>;

template <typename Value>
void append(Buffer& buffer, const Value& value) {
    const auto bytes = std::as_bytes(std::span(&value, 1));
    buffer.insert(buffer.end(), bytes.begin(), bytes.end());
}

void append_text(Buffer& buffer, std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    buffer.insert(buffer.end(), bytes.begin(), bytes.end());
}

Buffer information(std::uint8_t kind, std::string_view handle, std::string_view name) {
    Buffer body;
    append(body, FileSystemId{.word0 = 0x11, .word1 = 0x22});
    append(body, static_cast<std::uint32_t>(handle.size()));
    append(body, std::int32_t{7});
    append_text(body, handle);
    append_text(body, name);
    body.resize((body.size() + 4) / 4 * 4);  // the NUL and the padding
    Buffer record;
    append(record,
           fanotify_event_info_header{.info_type = kind,
                                      .pad = 0,
                                      .len = static_cast<std::uint16_t>(
                                          body.size() + sizeof(fanotify_event_info_header))});
    record.insert(record.end(), body.begin(), body.end());
    return record;
}

Buffer event(std::uint64_t mask, const std::vector<Buffer>& records, int file = FAN_NOFD) {
    Buffer body;
    for (const auto& record : records) {
        body.insert(body.end(), record.begin(), record.end());
    }
    fanotify_event_metadata head{};
    head.event_len = static_cast<std::uint32_t>(sizeof head + body.size());
    head.vers = FANOTIFY_METADATA_VERSION;
    head.metadata_len = sizeof head;
    head.mask = mask;
    head.fd = file;
    head.pid = 42;
    Buffer whole;
    append(whole, head);
    whole.insert(whole.end(), body.begin(), body.end());
    return whole;
}

TEST(FanotifyRecords, TellTheObjectItsFolderAndItsName) {
    const auto bytes = event(FAN_CREATE | FAN_CLOSE_WRITE,
                             {information(FAN_EVENT_INFO_TYPE_DFID_NAME, "folder-h", "a name"),
                              information(FAN_EVENT_INFO_TYPE_FID, "object-handle", "")});
    std::span<const std::byte> rest = bytes;
    const auto record = take_fanotify_record(rest);
    ASSERT_TRUE(record);
    EXPECT_FALSE(record->malformed);
    EXPECT_TRUE(rest.empty());
    EXPECT_EQ(record->mask, FAN_CREATE | FAN_CLOSE_WRITE);
    EXPECT_EQ(record->pid, 42);
    EXPECT_EQ(record->file, -1);
    ASSERT_TRUE(record->entry);
    EXPECT_EQ(record->entry->name, "a name");
    EXPECT_EQ(record->entry->folder.handle.bytes, "folder-h");
    ASSERT_TRUE(record->object);
    const ObjectId expected{.fs = {.word0 = 0x11, .word1 = 0x22},
                            .handle = {.type = 7, .bytes = "object-handle"}};
    EXPECT_EQ(*record->object, expected);
}

TEST(FanotifyRecords, TellBothEndsOfARename) {
    const auto bytes = event(FAN_RENAME | FAN_ONDIR,
                             {information(FAN_EVENT_INFO_TYPE_OLD_DFID_NAME, "old", "from"),
                              information(FAN_EVENT_INFO_TYPE_NEW_DFID_NAME, "new", "to"),
                              information(FAN_EVENT_INFO_TYPE_FID, "object", "")});
    std::span<const std::byte> rest = bytes;
    const auto record = take_fanotify_record(rest);
    ASSERT_TRUE(record && record->moved_from && record->moved_to);
    EXPECT_EQ(record->moved_from->name, "from");
    EXPECT_EQ(record->moved_from->folder.handle.bytes, "old");
    EXPECT_EQ(record->moved_to->name, "to");
    EXPECT_EQ(record->moved_to->folder.handle.bytes, "new");
    EXPECT_FALSE(record->entry);
}

TEST(FanotifyRecords, KeepHostileNamesByteForByte) {
    const std::string name = "a\nb\x1b[31m\xff\xfe" + std::string(240, 'x');
    const auto bytes = event(FAN_CREATE, {information(FAN_EVENT_INFO_TYPE_DFID_NAME, "f", name)});
    std::span<const std::byte> rest = bytes;
    const auto record = take_fanotify_record(rest);
    ASSERT_TRUE(record && record->entry);
    EXPECT_EQ(record->entry->name, name);
}

TEST(FanotifyRecords, ComeOneAfterTheOther) {
    auto bytes = event(FAN_Q_OVERFLOW, {});
    const auto second = event(FAN_MODIFY, {}, 9);
    bytes.insert(bytes.end(), second.begin(), second.end());
    std::span<const std::byte> rest = bytes;
    EXPECT_EQ(take_fanotify_record(rest)->mask, FAN_Q_OVERFLOW);
    EXPECT_EQ(take_fanotify_record(rest)->file, 9);
    EXPECT_FALSE(take_fanotify_record(rest));
}

TEST(FanotifyRecords, SkipInformationOfAKindNobodyKnowsYet) {
    const auto bytes =
        event(FAN_CREATE,
              {information(99, "??", "??"), information(FAN_EVENT_INFO_TYPE_FID, "object", "")});
    std::span<const std::byte> rest = bytes;
    const auto record = take_fanotify_record(rest);
    ASSERT_TRUE(record && record->object);
    EXPECT_FALSE(record->malformed);
}

TEST(FanotifyRecords, AHandleLongerThanItsRecordIsMalformedAndTheNextEventIsRead) {
    auto lying = information(FAN_EVENT_INFO_TYPE_FID, "object", "");
    const std::uint32_t size = 100;
    std::memcpy(lying.data() + sizeof(fanotify_event_info_header) + sizeof(FileSystemId),
                &size,
                sizeof size);
    auto bytes = event(FAN_CREATE, {lying});
    const auto second = event(FAN_MODIFY, {});
    bytes.insert(bytes.end(), second.begin(), second.end());
    std::span<const std::byte> rest = bytes;
    EXPECT_TRUE(take_fanotify_record(rest)->malformed);
    EXPECT_EQ(take_fanotify_record(rest)->mask, FAN_MODIFY);
}

TEST(FanotifyRecords, AnEventCutAtAnyByteIsMalformedAndEndsTheBuffer) {
    const auto bytes =
        event(FAN_CREATE, {information(FAN_EVENT_INFO_TYPE_DFID_NAME, "folder-h", "a name")});
    for (std::size_t length = 1; length < bytes.size(); ++length) {
        std::span<const std::byte> rest = std::span(bytes).first(length);
        const auto record = take_fanotify_record(rest);
        ASSERT_TRUE(record);
        EXPECT_TRUE(record->malformed) << length;
        EXPECT_TRUE(rest.empty()) << length;
    }
}

TEST(FanotifyRecords, OfAnotherVersionAreNotInterpreted) {
    auto bytes = event(FAN_CREATE, {});
    bytes[offsetof(fanotify_event_metadata, vers)] = std::byte{99};
    std::span<const std::byte> rest = bytes;
    EXPECT_TRUE(take_fanotify_record(rest)->malformed);
    EXPECT_TRUE(rest.empty());
}

}  // namespace
}  // namespace vigia::wire
