// SPDX-License-Identifier: GPL-2.0-or-later
#include "response/vault_file.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "base/files.h"
#include "base/unique_fd.h"
#include "response/vault_header_json.h"

namespace vigia::response {
namespace {

std::span<std::byte> bytes_of(std::string& text) {
    return std::as_writable_bytes(std::span(text));
}

VaultHeader example(const std::string& content) {
    VaultHeader header;
    header.item.id = "00112233-4455-6677-8899-aabbccddeeff";
    header.item.state = QuarantineState::Quarantined;
    header.item.path = "/srv/\xff\n\"name\\";
    header.item.sha256 = *wire::sha256_of(std::as_bytes(std::span(content)));
    header.item.size = content.size();
    header.item.threat = "Some.Threat";
    header.item.mode = 0104755;
    header.item.uid = 4294967294U;
    header.item.gid = 12;
    header.item.atime_ns = -1;
    header.item.mtime_ns = 1'700'000'000'123'456'789;
    header.item.xattrs = {{"user.empty", ""}, {"user.bytes", std::string("\0\xff=", 3)}};
    header.item.detection_uid = "d";
    header.secret = *Secret::random();
    return header;
}

class VaultFileTest : public ::testing::Test {
protected:
    void store(const VaultHeader& header, std::string content, std::size_t chunk) {
        const Writer write = [this](std::string_view bytes) {
            return write_all(file_.get(), bytes);
        };
        ASSERT_TRUE(write_header(header, write));
        auto writer = ContentWriter::create(header.secret);
        ASSERT_TRUE(writer);
        for (std::size_t at = 0; at < content.size(); at += chunk) {
            const auto size = std::min(chunk, content.size() - at);
            ASSERT_TRUE(writer->add(bytes_of(content).subspan(at, size), write));
        }
        EXPECT_EQ(*writer->finish(), header.item.sha256);
    }

    [[nodiscard]] Result<std::string> load() const {
        std::string content;
        const auto header = TRY(read_header(file_.get()));
        TRY(read_content(file_.get(), header, [&](const Piece& piece) -> Result<> {
            content.append(reinterpret_cast<const char*>(piece.bytes.data()), piece.bytes.size());
            return {};
        }));
        return content;
    }

    [[nodiscard]] std::size_t stored_size() const {
        return static_cast<std::size_t>(::lseek(file_.get(), 0, SEEK_END));
    }

    void flip(std::size_t at) const {
        char byte = 0;
        ASSERT_EQ(::pread(file_.get(), &byte, 1, static_cast<off_t>(at)), 1);
        byte = static_cast<char>(byte ^ 1);
        ASSERT_EQ(::pwrite(file_.get(), &byte, 1, static_cast<off_t>(at)), 1);
    }

    UniqueFd file_{::memfd_create("vault", MFD_CLOEXEC)};
};

TEST(VaultHeaderJson, BringsBackEveryMemberWhateverItsBytes) {
    const auto header = example("content");
    const auto parsed = header_from_json(header_to_json(header));
    ASSERT_TRUE(parsed);
    const auto again = parsed.value_or(VaultHeader{});
    EXPECT_EQ(again.item.id, header.item.id);
    EXPECT_EQ(again.item.path, header.item.path);
    EXPECT_EQ(again.item.sha256, header.item.sha256);
    EXPECT_EQ(again.item.size, header.item.size);
    EXPECT_EQ(again.item.threat, header.item.threat);
    EXPECT_EQ(again.item.mode, header.item.mode);
    EXPECT_EQ(again.item.uid, header.item.uid);
    EXPECT_EQ(again.item.gid, header.item.gid);
    EXPECT_EQ(again.item.atime_ns, header.item.atime_ns);
    EXPECT_EQ(again.item.mtime_ns, header.item.mtime_ns);
    EXPECT_EQ(again.item.xattrs, header.item.xattrs);
    EXPECT_EQ(again.secret, header.secret);
}

TEST(VaultHeaderJson, RefusesWhatIsMissingOrOfAnotherType) {
    for (const char* json : {"", "[]", "{}", "null", R"({"id":1})", R"({"id":"%%%%"})"}) {
        EXPECT_FALSE(header_from_json(json)) << json;
    }
    auto json = header_to_json(example("content"));
    json.replace(json.find("\"size\":"), 7, "\"siez\":");
    EXPECT_FALSE(header_from_json(json));
}

TEST_F(VaultFileTest, ContentComesBackWhateverItsLength) {
    for (const std::size_t size : {0U, 1U, 15U, 16U, 17U, 4096U, 10001U}) {
        ASSERT_EQ(::ftruncate(file_.get(), 0), 0);
        ASSERT_EQ(::lseek(file_.get(), 0, SEEK_SET), 0);
        std::string content;
        for (std::size_t at = 0; at < size; ++at) {
            content.push_back(static_cast<char>(at * 7));
        }
        store(example(content), content, 100);
        const auto loaded = load();
        ASSERT_TRUE(loaded) << loaded.error().message();
        EXPECT_EQ(*loaded, content);
    }
}

TEST_F(VaultFileTest, RunsOfZerosTakeNoSpaceAndComeBack) {
    const std::string content =
        "begin" + std::string(kVaultChunk * 8, '\0') + "end" + std::string(kVaultChunk, '\0');
    store(example(content), content, kVaultChunk);
    EXPECT_LT(stored_size(), kVaultChunk * 4);
    EXPECT_EQ(load().value_or("?"), content);
}

TEST_F(VaultFileTest, AnyByteChangedIsFoundOut) {
    const std::string content = "some content that is worth keeping";
    store(example(content), content, 10);
    for (std::size_t at = 0; at < stored_size(); ++at) {
        flip(at);
        const auto loaded = load();
        EXPECT_FALSE(loaded) << "byte " << at;
        flip(at);
    }
    EXPECT_EQ(load().value_or("?"), content);
}

TEST_F(VaultFileTest, AnyTruncationIsFoundOut) {
    const std::string content = "some content that is worth keeping";
    store(example(content), content, 10);
    for (std::size_t size = stored_size(); size > 0; --size) {
        ASSERT_EQ(::ftruncate(file_.get(), static_cast<off_t>(size - 1)), 0);
        EXPECT_EQ(load().error().code, std::errc::bad_message) << size;
    }
}

TEST_F(VaultFileTest, ItsBytesHoldNothingOfTheContentOrTheName) {
    const std::string content = "recognisable content";
    auto header = example(content);
    header.item.path = "/srv/recognisable name";
    header.item.xattrs = {{"user.x", "recognisable attribute"}};
    store(header, content, 100);
    ASSERT_EQ(::lseek(file_.get(), 0, SEEK_SET), 0);
    const auto bytes = read_all(file_.get(), 1 << 20);
    ASSERT_TRUE(bytes);
    EXPECT_EQ(bytes->find("recognisable"), std::string::npos);
}

}  // namespace
}  // namespace vigia::response
