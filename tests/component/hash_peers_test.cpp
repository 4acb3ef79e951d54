// SPDX-License-Identifier: GPL-2.0-or-later
// HashService against peers that break every rule. This program plays both parts: started as a
// child of the service it is the peer (support/fake_scand).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "scan/hash_service.h"
#include "support/fake_scand.h"
#include "support/scan_peers_fixture.h"

namespace vigia {
namespace {

using namespace std::chrono_literals;
using scan::HashService;
using test::memory_file;
using test::self;
using testing::HasSubstr;

class HashServicePeers : public testing::Test {
protected:
    void SetUp() override {
        auto service = HashService::start(self(), 2);
        ASSERT_TRUE(service) << service.error().message();
        service_ = *std::move(service);
    }

    Result<HashService::Digest> hash(const std::string& content,
                                     std::chrono::milliseconds timeout = 5s) {
        return service_->hash(memory_file(content).get(), timeout);
    }

    std::unique_ptr<HashService> service_;
};

TEST_F(HashServicePeers, AnswerManyCallersAtOnce) {
    std::vector<std::future<void>> callers;
    for (int i = 0; i < 8; ++i) {
        callers.push_back(std::async(std::launch::async, [this] {
            for (int k = 0; k < 50; ++k) {
                const auto digest = hash("clean");
                ASSERT_TRUE(digest) << digest.error().message();
                EXPECT_EQ(digest->size, 5U);
            }
        }));
    }
}

TEST_F(HashServicePeers, AreReplacedWhenTheyBreakTheRulesAndTheCallerGetsAnError) {
    for (const auto* what : {"wrong-id", "malformed", "oversized", "close", "exit", "abort"}) {
        EXPECT_FALSE(hash(what)) << what;
        const auto next = hash("clean");
        EXPECT_TRUE(next) << what << ": " << next.error().message();
    }
}

TEST_F(HashServicePeers, AreKilledAtTheDeadline) {
    const auto before = std::chrono::steady_clock::now();
    const auto digest = hash("silent", 200ms);
    ASSERT_FALSE(digest);
    EXPECT_EQ(digest.error().code, std::errc::timed_out);
    EXPECT_LT(std::chrono::steady_clock::now() - before, 1s);
    EXPECT_TRUE(hash("clean"));
}

TEST_F(HashServicePeers, TellTheErrorOfTheFile) {
    const auto digest = hash("error");
    ASSERT_FALSE(digest);
    EXPECT_EQ(digest.error().code.value(), EIO);
}

TEST(HashServiceStart, SaysThatTheProgramIsMissing) {
    const auto service = HashService::start("/nonexistent/vigia-hash", 1);
    ASSERT_FALSE(service);
    EXPECT_THAT(service.error().message(), HasSubstr("/nonexistent/vigia-hash"));
}

}  // namespace
}  // namespace vigia

int main(int argc, char** argv) {
    return vigia::test::be_peer_or_run_tests(argc, argv);
}
