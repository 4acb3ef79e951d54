// SPDX-License-Identifier: GPL-2.0-or-later
// HashService with the real vigia-hash.
#include "scan/hash_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "support/scan_recorder.h"

namespace vigia {
namespace {

using namespace std::chrono_literals;
using scan::HashService;
using test::memory_file;

class HashServiceSystem : public testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0) {
            GTEST_SKIP() << "needs root: vigia-hash changes its user and its name spaces";
        }
        auto service = HashService::start(std::filesystem::path(VIGIA_BIN_DIR) / "vigia-hash", 2);
        ASSERT_TRUE(service) << service.error().message();
        service_ = *std::move(service);
    }

    std::unique_ptr<HashService> service_;
};

TEST_F(HashServiceSystem, HashesFromTheBeginningAndLeavesThePositionAlone) {
    const auto file = memory_file("abc");
    ASSERT_EQ(::lseek(file.get(), 2, SEEK_SET), 2);
    const auto digest = service_->hash(file.get(), 10s);
    ASSERT_TRUE(digest) << digest.error().message();
    EXPECT_EQ(digest->sha256.hex(),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(digest->size, 3U);
    EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 2);
}

TEST_F(HashServiceSystem, GivesManyCallersTheirOwnDigests) {
    std::vector<std::future<void>> callers;
    for (int i = 0; i < 6; ++i) {
        callers.push_back(std::async(std::launch::async, [this, i] {
            for (int k = 0; k < 40; ++k) {
                const auto file = memory_file(std::string(static_cast<std::size_t>(i + 1), 'x'));
                const auto digest = service_->hash(file.get(), 10s);
                ASSERT_TRUE(digest) << digest.error().message();
                EXPECT_EQ(digest->size, static_cast<std::uint64_t>(i + 1));
            }
        }));
    }
}

}  // namespace
}  // namespace vigia
