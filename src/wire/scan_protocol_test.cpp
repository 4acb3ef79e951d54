// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/scan_protocol.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace vigia::wire {
namespace {

using Packet = std::vector<std::byte>;

struct Sample {
    std::string name;
    Packet packet;
    std::function<bool(std::span<const std::byte>)> decodes;  // by the decoder it is meant for
};

Sha256 some_digest() {
    Sha256 digest;
    for (std::size_t i = 0; i < digest.bytes.size(); ++i) {
        digest.bytes.at(i) = static_cast<std::byte>(i * 7 + 1);
    }
    return digest;
}

std::vector<Sample> samples() {
    const auto to_zygote = [](auto packet) { return decode_to_zygote(packet).has_value(); };
    const auto from_zygote = [](auto packet) { return decode_from_zygote(packet).has_value(); };
    return {
        {"LoadDefinitions",
         encode(LoadDefinitions{
             .folders = 2, .slots = 3, .worker_memory = 1U << 30U, .temporary_space = 1U << 29U}),
         to_zygote},
        {"SpawnWorker", encode(SpawnWorker{.slot = 5}), to_zygote},
        {"Loaded",
         encode(Loaded{.signatures = 8'700'000,
                       .built_unix = 1'800'000'000,
                       .version = "1.4",
                       .sandbox = "s"}),
         from_zygote},
        {"LoadFailed",
         encode(LoadFailed{.cause = 1, .file = "a\nb", .message = "no"}),
         from_zygote},
        {"WorkerStarted", encode(WorkerStarted{.slot = 1, .pid = 77}), from_zygote},
        {"WorkerEnded", encode(WorkerEnded{.slot = 1, .pid = 77, .wait_status = 11}), from_zygote},
        {"ScanFile",
         encode(ScanFile{.id = 9, .size = 10, .archives = 0}),
         [](auto packet) { return decode_scan_file(packet).has_value(); }},
        {"ScanDone",
         encode(ScanDone{.id = 9,
                         .outcome = 1,
                         .limit_hit = 1,
                         .bytes_scanned = 4096,
                         .engine_error = -1,
                         .text = "Some.Threat-1"}),
         [](auto packet) { return decode_scan_done(packet).has_value(); }},
        {"HashFile",
         encode(HashFile{.id = 3}),
         [](auto packet) { return decode_hash_file(packet).has_value(); }},
        {"HashDone",
         encode(HashDone{.id = 3, .error = 5, .size = 6, .sha256 = some_digest()}),
         [](auto packet) { return decode_hash_done(packet).has_value(); }},
    };
}

int decoders_that_take(std::span<const std::byte> packet) {
    return static_cast<int>(decode_to_zygote(packet).has_value()) +
           static_cast<int>(decode_from_zygote(packet).has_value()) +
           static_cast<int>(decode_scan_file(packet).has_value()) +
           static_cast<int>(decode_scan_done(packet).has_value()) +
           static_cast<int>(decode_hash_file(packet).has_value()) +
           static_cast<int>(decode_hash_done(packet).has_value());
}

TEST(ScanProtocol, EveryFieldOfWhatTheZygoteIsToldComesBack) {
    const auto load = decode_to_zygote(encode(
        LoadDefinitions{.folders = 4, .slots = 64, .worker_memory = ~0ULL, .temporary_space = 17}));
    ASSERT_TRUE(load);
    const auto& definitions = std::get<LoadDefinitions>(*load);
    EXPECT_EQ(definitions.folders, 4U);
    EXPECT_EQ(definitions.slots, 64U);
    EXPECT_EQ(definitions.worker_memory, ~0ULL);
    EXPECT_EQ(definitions.temporary_space, 17U);

    const auto spawn = decode_to_zygote(encode(SpawnWorker{.slot = 63}));
    ASSERT_TRUE(spawn);
    EXPECT_EQ(std::get<SpawnWorker>(*spawn).slot, 63U);
}

TEST(ScanProtocol, EveryFieldOfWhatTheZygoteTellsComesBack) {
    const auto loaded = decode_from_zygote(encode(Loaded{
        .signatures = 12, .built_unix = -3, .version = "1.4.6", .sandbox = "seccomp, landlock"}));
    ASSERT_TRUE(loaded);
    EXPECT_EQ(std::get<Loaded>(*loaded).signatures, 12U);
    EXPECT_EQ(std::get<Loaded>(*loaded).built_unix, -3);
    EXPECT_EQ(std::get<Loaded>(*loaded).version, "1.4.6");
    EXPECT_EQ(std::get<Loaded>(*loaded).sandbox, "seccomp, landlock");

    const std::string file("a\0b\n\xff", 5);
    const auto failed =
        decode_from_zygote(encode(LoadFailed{.cause = 3, .file = file, .message = "m"}));
    ASSERT_TRUE(failed);
    EXPECT_EQ(std::get<LoadFailed>(*failed).cause, 3U);
    EXPECT_EQ(std::get<LoadFailed>(*failed).file, file);
    EXPECT_EQ(std::get<LoadFailed>(*failed).message, "m");

    const auto ended =
        decode_from_zygote(encode(WorkerEnded{.slot = 2, .pid = 99, .wait_status = 0x8b}));
    ASSERT_TRUE(ended);
    EXPECT_EQ(std::get<WorkerEnded>(*ended).slot, 2U);
    EXPECT_EQ(std::get<WorkerEnded>(*ended).pid, 99);
    EXPECT_EQ(std::get<WorkerEnded>(*ended).wait_status, 0x8b);
}

TEST(ScanProtocol, EveryFieldOfAVerdictAndOfADigestComesBack) {
    const auto done = decode_scan_done(encode(ScanDone{.id = 1ULL << 63U,
                                                       .outcome = 2,
                                                       .limit_hit = 1,
                                                       .bytes_scanned = 5,
                                                       .engine_error = 20,
                                                       .text = "Out of memory"}));
    ASSERT_TRUE(done);
    EXPECT_EQ(done->id, 1ULL << 63U);
    EXPECT_EQ(done->outcome, 2U);
    EXPECT_EQ(done->limit_hit, 1U);
    EXPECT_EQ(done->bytes_scanned, 5U);
    EXPECT_EQ(done->engine_error, 20);
    EXPECT_EQ(done->text, "Out of memory");

    const auto digest = decode_hash_done(
        encode(HashDone{.id = 4, .error = 0, .size = 1ULL << 40U, .sha256 = some_digest()}));
    ASSERT_TRUE(digest);
    EXPECT_EQ(digest->size, 1ULL << 40U);
    EXPECT_EQ(digest->sha256, some_digest());
}

TEST(ScanProtocol, EveryPacketIsTakenByExactlyOneDecoder) {
    for (const auto& sample : samples()) {
        EXPECT_TRUE(sample.decodes(sample.packet)) << sample.name;
        EXPECT_EQ(decoders_that_take(sample.packet), 1) << sample.name;
    }
}

TEST(ScanProtocol, NoTruncationIsTaken) {
    for (const auto& sample : samples()) {
        for (std::size_t size = 0; size < sample.packet.size(); ++size) {
            EXPECT_EQ(decoders_that_take(std::span(sample.packet).first(size)), 0)
                << sample.name << " cut to " << size;
        }
    }
}

TEST(ScanProtocol, NothingMayFollowAMessage) {
    for (auto sample : samples()) {
        sample.packet.push_back(std::byte{0});
        EXPECT_EQ(decoders_that_take(sample.packet), 0) << sample.name;
    }
}

TEST(ScanProtocol, AnUnknownTypeIsNoMessage) {
    for (auto sample : samples()) {
        sample.packet.at(1) = std::byte{1};
        EXPECT_EQ(decoders_that_take(sample.packet), 0) << sample.name;
    }
}

TEST(ScanProtocol, ValuesOutsideTheTablesAreNoMessage) {
    EXPECT_FALSE(decode_to_zygote(encode(LoadDefinitions{.folders = 0, .slots = 1})));
    EXPECT_FALSE(decode_to_zygote(encode(LoadDefinitions{.folders = 5, .slots = 1})));
    EXPECT_FALSE(decode_to_zygote(encode(LoadDefinitions{.folders = 1, .slots = 0})));
    EXPECT_FALSE(decode_to_zygote(encode(LoadDefinitions{.folders = 1, .slots = 65})));
    EXPECT_FALSE(decode_to_zygote(encode(SpawnWorker{.slot = 64})));
    EXPECT_FALSE(decode_from_zygote(encode(LoadFailed{.cause = 4, .file = {}, .message = {}})));
    EXPECT_FALSE(decode_from_zygote(encode(WorkerStarted{.slot = 0, .pid = 0})));
    EXPECT_FALSE(decode_from_zygote(encode(WorkerStarted{.slot = 0, .pid = -1})));
    EXPECT_FALSE(decode_from_zygote(encode(WorkerEnded{.slot = 0, .pid = -1})));
    EXPECT_FALSE(decode_scan_file(encode(ScanFile{.archives = 2})));
    EXPECT_FALSE(decode_scan_done(encode(ScanDone{.outcome = 3, .text = {}})));
    EXPECT_FALSE(decode_scan_done(encode(ScanDone{.limit_hit = 2, .text = {}})));
    EXPECT_FALSE(decode_hash_done(encode(HashDone{.error = -1, .sha256 = {}})));
}

TEST(ScanProtocol, ALongStringIsCutByTheSenderAndRefusedByTheReceiver) {
    const std::string text(5000, 'x');
    const auto done = decode_scan_done(encode(ScanDone{.text = text}));
    ASSERT_TRUE(done);
    EXPECT_EQ(done->text.size(), 512U);

    auto packet = encode(ScanDone{.text = std::string(512, 'x')});
    const std::size_t length_at = packet.size() - 512 - sizeof(std::uint32_t);
    packet.at(length_at) = std::byte{1};  // 512 → 513
    packet.push_back(std::byte{'x'});
    EXPECT_FALSE(decode_scan_done(packet));
}

TEST(ScanProtocol, TheLargestMessageFitsIntoAPacket) {
    const std::string text(5000, 'x');
    EXPECT_LE(encode(LoadFailed{.cause = 0, .file = text, .message = text}).size(), kMaxPacket);
    EXPECT_LE(encode(ScanDone{.text = text}).size(), kMaxPacket);
    EXPECT_LE(encode(Loaded{.version = text, .sandbox = text}).size(), kMaxPacket);
}

}  // namespace
}  // namespace vigia::wire
