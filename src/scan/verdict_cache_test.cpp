// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/verdict_cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "scan/lru_map.h"

namespace vigia::scan {
namespace {

constexpr FileSystemId kDisk{.word0 = 7, .word1 = 8};
constexpr FileSystemId kStick{.word0 = 9, .word1 = 10};

FileIdentity identity(int number, FileSystemId fs = kDisk, std::int64_t ctime = 1000) {
    return {.object = {.fs = fs,
                       .handle = {.type = 1,
                                  .bytes = std::string("\0\xff", 2) + std::to_string(number)}},
            .size = 42,
            .ctime_ns = ctime};
}

Sha256 digest(int number) {
    Sha256 made;
    made.bytes.fill(static_cast<std::byte>(number & 0xff));
    made.bytes[0] = static_cast<std::byte>((number >> 8) & 0xff);
    made.bytes[1] = static_cast<std::byte>((number >> 16) & 0xff);
    return made;
}

Verdict clean(int number = 1) {
    return {.kind = VerdictKind::Clean, .limit_hit = true, .sha256 = digest(number), .size = 42};
}

Verdict infected() {
    return {.kind = VerdictKind::Infected,
            .threat = "Some.Threat\n\x1b[31m",
            .sha256 = digest(2),
            .size = 43};
}

Verdict kills_workers() {
    return {.kind = VerdictKind::Unscannable,
            .reason = "kills-workers",
            .detail = "signal 11, twice",
            .sha256 = digest(3),
            .size = 44};
}

class VerdictCacheTest : public ::testing::Test {
protected:
    void SetUp() override {
        std::string pattern = "/tmp/vigia-cache-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
    }

    void TearDown() override { std::filesystem::remove_all(folder_); }

    [[nodiscard]] std::filesystem::path file() const { return folder_ / "cache.db"; }

    [[nodiscard]] std::unique_ptr<VerdictCache> open(const std::string& generation = "g1",
                                                     std::size_t bound = 1000) const {
        auto cache = VerdictCache::open({.file = file(), .identities = bound, .contents = bound});
        if (!cache) {
            ADD_FAILURE() << cache.error().message();
            std::abort();
        }
        (*cache)->set_generation(generation);
        return *std::move(cache);
    }

    std::filesystem::path folder_;
};

std::unique_ptr<VerdictCache> in_memory(std::size_t bound = 1000) {
    auto cache = VerdictCache::open({.identities = bound, .contents = bound});
    (*cache)->set_generation("g1");
    return *std::move(cache);
}

TEST(LruMap, TheLeastRecentlyUsedGoesFirst) {
    LruMap<int, std::string> map;
    map.get(1) = "one";
    map.get(2) = "two";
    *map.add_oldest(3) = "three";
    EXPECT_EQ(map.add_oldest(1), nullptr);
    ASSERT_NE(map.find(1), nullptr);
    (void)map.peek(2);
    EXPECT_EQ(map.pop_oldest()->first, 3);
    EXPECT_EQ(map.pop_oldest()->second, "two");
    map.get(4) = "four";
    map.erase(1);
    EXPECT_EQ(map.pop_oldest()->first, 4);
    EXPECT_FALSE(map.pop_oldest());
    EXPECT_EQ(map.size(), 0U);
}

TEST(VerdictCacheMemory, FindsExactlyTheStateThatWasJudged) {
    const auto cache = in_memory();
    EXPECT_FALSE(cache->find(identity(1)));
    cache->remember(identity(1), clean(), false);
    const auto found = cache->find(identity(1));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->kind, VerdictKind::Clean);
    EXPECT_EQ(found->source, VerdictSource::IdentityCache);
    EXPECT_TRUE(found->limit_hit);
    EXPECT_EQ(found->sha256, digest(1));
    EXPECT_EQ(found->size, 42U);
    EXPECT_FALSE(cache->find(identity(1, kDisk, 1001))) << "another ctime";
    EXPECT_FALSE(cache->find(identity(1, kStick))) << "another file system";
    auto grown = identity(1);
    grown.size = 43;
    EXPECT_FALSE(cache->find(grown));
    cache->remember(grown, infected(), false);
    EXPECT_FALSE(cache->find(identity(1))) << "an object has one state";
    EXPECT_EQ(cache->find(grown)->threat, infected().threat);
    EXPECT_EQ(cache->counters().identities, 1U);
    EXPECT_EQ(cache->counters().identity_hits, 2U);
    EXPECT_EQ(cache->counters().identity_misses, 5U);
}

TEST(VerdictCacheMemory, KeepsOnlyWhatIsTrueOfTheContent) {
    const auto cache = in_memory();
    cache->remember(digest(1), Verdict{.kind = VerdictKind::Failed, .reason = "timeout"});
    cache->remember(digest(1), Verdict{.kind = VerdictKind::Unscannable, .reason = "too-large"});
    EXPECT_FALSE(cache->find(digest(1)));
    cache->remember(digest(1), kills_workers());
    const auto found = cache->find(digest(1));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->kind, VerdictKind::Unscannable);
    EXPECT_EQ(found->reason, "kills-workers");
    EXPECT_EQ(found->detail, "signal 11, twice");
    EXPECT_EQ(found->source, VerdictSource::ContentCache);
    // Without a handle every object of a file system would be the same one.
    cache->remember(FileIdentity{.object = {.fs = kDisk, .handle = {}}}, clean(), false);
    EXPECT_EQ(cache->counters().identities, 0U);
}

TEST(VerdictCacheMemory, IsBoundedAndForgetsWhatWasUsedLeastRecently) {
    const auto cache = in_memory(3);
    for (int i = 1; i <= 3; ++i) {
        cache->remember(identity(i), clean(), false);
        cache->remember(digest(i), clean());
    }
    EXPECT_TRUE(cache->find(identity(1)));
    EXPECT_TRUE(cache->find(digest(1)));
    cache->remember(identity(4), clean(), false);
    cache->remember(digest(4), clean());
    EXPECT_FALSE(cache->find(identity(2)));
    EXPECT_FALSE(cache->find(digest(2)));
    EXPECT_TRUE(cache->find(identity(1)));
    EXPECT_TRUE(cache->find(digest(1)));
    EXPECT_EQ(cache->counters().identities, 3U);
    EXPECT_EQ(cache->counters().contents, 3U);
}

TEST(VerdictCacheMemory, ANewGenerationDropsEverythingAndWhatWasBegunUnderTheOldOne) {
    const auto cache = in_memory();
    cache->remember(identity(1), clean(), false);
    cache->remember(digest(1), clean());
    const auto before = cache->epoch();
    cache->set_generation("g1");
    EXPECT_EQ(cache->epoch(), before);
    EXPECT_TRUE(cache->find(identity(1)));
    cache->set_generation("g2");
    EXPECT_FALSE(cache->find(identity(1)));
    EXPECT_FALSE(cache->find(digest(1)));
    cache->remember(identity(1), clean(), false, before);
    cache->remember(digest(1), clean(), before);
    EXPECT_FALSE(cache->find(identity(1)));
    EXPECT_FALSE(cache->find(digest(1)));
}

TEST(VerdictCacheMemory, KnowsNothingBeforeItKnowsTheGeneration) {
    const auto cache = *VerdictCache::open({});
    cache->remember(identity(1), clean(), false);
    EXPECT_FALSE(cache->find(identity(1)));
    EXPECT_EQ(cache->epoch(), 0U);
}

TEST(VerdictCacheMemory, UnmountingForgetsAFileSystemAndOnlyThat) {
    const auto cache = in_memory(100);
    for (int i = 0; i < 50; ++i) {
        cache->remember(identity(i, kDisk), clean(), false);
        cache->remember(identity(i, kStick), clean(), false);
    }
    cache->forget(kStick);
    EXPECT_EQ(cache->counters().identities, 50U);
    EXPECT_FALSE(cache->find(identity(1, kStick)));
    EXPECT_TRUE(cache->find(identity(1, kDisk)));
    // Mounted again: only what is learnt from now on.
    cache->remember(identity(1, kStick), infected(), false);
    EXPECT_EQ(cache->find(identity(1, kStick))->kind, VerdictKind::Infected);
    EXPECT_FALSE(cache->find(identity(2, kStick)));
    EXPECT_EQ(cache->counters().identities, 51U);
    cache->forget(identity(1, kStick).object);
    EXPECT_FALSE(cache->find(identity(1, kStick)));
    for (int i = 100; i < 300; ++i) {
        cache->remember(identity(i, kStick), clean(), false);  // pushes the dead ones out
    }
    EXPECT_EQ(cache->counters().identities, 100U);
}

TEST_F(VerdictCacheTest, ComesBackAfterARestartUnderTheSameGeneration) {
    {
        const auto cache = open();
        cache->remember(identity(1), clean(), true);
        cache->remember(identity(2), infected(), true);
        cache->remember(identity(3), kills_workers(), true);
        cache->remember(identity(4, kStick), clean(), false);
        cache->remember(digest(2), infected());
        ASSERT_TRUE(cache->flush());
    }
    struct stat info{};
    ASSERT_EQ(::stat(file().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
    const auto cache = open();
    EXPECT_EQ(cache->find(identity(1))->limit_hit, true);
    EXPECT_EQ(cache->find(identity(2))->threat, infected().threat);
    EXPECT_EQ(cache->find(identity(2))->sha256, digest(2));
    EXPECT_EQ(cache->find(identity(3))->reason, "kills-workers");
    EXPECT_FALSE(cache->find(identity(4, kStick))) << "not to be believed after a restart";
    EXPECT_EQ(cache->find(digest(2))->kind, VerdictKind::Infected);
    EXPECT_EQ(cache->counters().identities, 3U);
}

TEST_F(VerdictCacheTest, ARestartUnderAnotherGenerationBeginsAnew) {
    {
        const auto cache = open("g1");
        cache->remember(identity(1), clean(), true);
        cache->remember(digest(1), clean());
        ASSERT_TRUE(cache->flush());
    }
    {
        const auto cache = open("g2");
        EXPECT_FALSE(cache->find(identity(1)));
        EXPECT_FALSE(cache->find(digest(1)));
        ASSERT_TRUE(cache->flush());
    }
    const auto cache = open("g1");
    EXPECT_FALSE(cache->find(identity(1))) << "the file was of g2 by then";
}

TEST_F(VerdictCacheTest, WhatWasForgottenOrPushedOutIsNotInTheFile) {
    {
        const auto cache = open("g1", 10);
        for (int i = 0; i < 10; ++i) {
            cache->remember(identity(i), clean(), true);
            cache->remember(identity(i + 100, kStick), clean(), true);
            cache->remember(digest(i), clean());
        }
        ASSERT_TRUE(cache->flush());
        EXPECT_FALSE(cache->find(identity(1)));  // the bound is 10, and kStick's came last
        EXPECT_TRUE(cache->find(identity(105, kStick)));
        cache->forget(identity(105, kStick).object);
        cache->remember(identity(106, kStick), infected(), false);  // no longer to be believed
        cache->remember(digest(77), clean());
        ASSERT_TRUE(cache->flush());
    }
    {
        const auto cache = open("g1", 10);
        EXPECT_FALSE(cache->find(identity(105, kStick)));
        EXPECT_FALSE(cache->find(identity(106, kStick)));
        EXPECT_TRUE(cache->find(identity(107, kStick)));
        EXPECT_FALSE(cache->find(digest(0)));
        EXPECT_TRUE(cache->find(digest(77)));
        cache->forget(kStick);
        cache->remember(identity(108, kStick), clean(), true);
        ASSERT_TRUE(cache->flush());
    }
    const auto cache = open("g1", 10);
    EXPECT_FALSE(cache->find(identity(107, kStick)));
    EXPECT_TRUE(cache->find(identity(108, kStick)));
}

TEST_F(VerdictCacheTest, ALowerBoundKeepsTheNewestAndTrimsTheFile) {
    {
        const auto cache = open("g1", 100);
        for (int i = 0; i < 100; ++i) {
            cache->remember(identity(i), clean(), true);
            cache->remember(digest(i), clean());
        }
        ASSERT_TRUE(cache->flush());
    }
    for (const std::size_t bound : {std::size_t{10}, std::size_t{100}}) {
        const auto cache = open("g1", bound);
        EXPECT_EQ(cache->counters().identities, 10U);
        EXPECT_EQ(cache->counters().contents, 10U);
        EXPECT_TRUE(cache->find(identity(99)));
        EXPECT_TRUE(cache->find(digest(90)));
        EXPECT_FALSE(cache->find(identity(89)));
    }
}

TEST_F(VerdictCacheTest, ADamagedForeignOrImpossibleFileIsSetAside) {
    const auto works = [this] {
        const auto cache = open();
        cache->remember(digest(1), clean());
        return cache->flush().has_value() && cache->find(digest(1)).has_value();
    };
    std::ofstream(file()) << std::string(100'000, 'x');
    EXPECT_TRUE(works());
    EXPECT_TRUE(std::filesystem::exists(folder_ / "cache.db.damaged-1"));

    std::filesystem::remove(file());
    sqlite3* foreign = nullptr;
    ASSERT_EQ(::sqlite3_open(file().c_str(), &foreign), SQLITE_OK);
    ASSERT_EQ(::sqlite3_exec(foreign, "CREATE TABLE mine(x)", nullptr, nullptr, nullptr),
              SQLITE_OK);
    ::sqlite3_close(foreign);
    EXPECT_TRUE(works());
    EXPECT_TRUE(std::filesystem::exists(folder_ / "cache.db.damaged-2"));

    std::filesystem::remove(file());
    ASSERT_EQ(::mkfifo(file().c_str(), 0600), 0);
    EXPECT_TRUE(works());
    EXPECT_TRUE(std::filesystem::exists(folder_ / "cache.db.damaged-3"));

    std::filesystem::remove(file());
    std::filesystem::create_symlink("/etc/hostname", file());
    EXPECT_TRUE(works());
    EXPECT_TRUE(std::filesystem::is_symlink(folder_ / "cache.db.damaged-4"));

    std::filesystem::remove(file());
    std::filesystem::create_directory(file());
    EXPECT_TRUE(works());
    EXPECT_TRUE(std::filesystem::is_directory(folder_ / "cache.db.damaged-5"));
}

// Overwrites the root page of a table or index of a closed cache.
void damage(const std::filesystem::path& file, const std::string& what) {
    sqlite3* db = nullptr;
    ASSERT_EQ(::sqlite3_open(file.c_str(), &db), SQLITE_OK);
    int page = 0;
    const auto sql = "SELECT rootpage FROM sqlite_master WHERE name='" + what + "'";
    ::sqlite3_exec(
        db,
        sql.c_str(),
        [](void* found, int, char** values, char**) {
            *static_cast<int*>(found) = std::stoi(values[0]);
            return 0;
        },
        &page,
        nullptr);
    ::sqlite3_close(db);
    ASSERT_GT(page, 1);
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp((page - 1) * 4096L);
    bytes << std::string(4096, '\x5a');
}

TEST_F(VerdictCacheTest, ADamagedPageIsNoticedWhenItIsReadOrWritten) {
    int aside = 0;
    for (const std::string what : {"identities", "sqlite_autoindex_identities_1"}) {
        {
            const auto cache = open();
            for (int i = 0; i < 500; ++i) {
                cache->remember(identity(i), clean(), true);
            }
            ASSERT_TRUE(cache->flush());
        }
        damage(file(), what);
        {
            const auto cache = open();
            for (int i = 500; i < 600; ++i) {
                cache->remember(identity(i), clean(), true);
            }
            const auto flushed = cache->flush();
            ASSERT_TRUE(flushed) << flushed.error().message();
        }
        ++aside;
        EXPECT_TRUE(std::filesystem::exists(file().native() + ".damaged-" + std::to_string(aside)))
            << what;
        EXPECT_TRUE(open()->find(identity(555)));
    }
}

TEST_F(VerdictCacheTest, ASecondDaemonOnTheSameFileIsAnErrorAndDamagesNothing) {
    const auto cache = open();
    cache->remember(digest(1), clean());
    const auto second = VerdictCache::open({.file = file()});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, std::errc::device_or_resource_busy) << second.error().message();
    EXPECT_TRUE(cache->flush());
    EXPECT_TRUE(std::filesystem::exists(file()));
}

TEST_F(VerdictCacheTest, WhatCouldNotBeWrittenIsWrittenLater) {
    constexpr rlim_t kSmall = 40'000;
    const auto cache = open();
    for (int i = 0; i < 2000; ++i) {
        cache->remember(identity(i), clean(), true);
    }

    // RLIMIT_FSIZE makes the write fail as a full disk would.
    struct Limit {
        rlimit before{};

        Limit() {
            ::signal(SIGXFSZ, SIG_IGN);
            ::getrlimit(RLIMIT_FSIZE, &before);
            const rlimit small{.rlim_cur = kSmall, .rlim_max = before.rlim_max};
            ::setrlimit(RLIMIT_FSIZE, &small);
        }

        Limit(const Limit&) = delete;
        Limit& operator=(const Limit&) = delete;

        ~Limit() { ::setrlimit(RLIMIT_FSIZE, &before); }
    };

    {
        const Limit limit;
        EXPECT_FALSE(cache->flush());
    }
    EXPECT_TRUE(cache->find(identity(1999)));
    const auto flushed = cache->flush();
    ASSERT_TRUE(flushed) << flushed.error().message();
    std::filesystem::copy(file(), folder_ / "copy.db");
    std::filesystem::copy(file().native() + "-wal", folder_ / "copy.db-wal");
    auto copy = VerdictCache::open({.file = folder_ / "copy.db"});
    ASSERT_TRUE(copy);
    (*copy)->set_generation("g1");
    EXPECT_EQ((*copy)->counters().identities, 1000U);
}

TEST_F(VerdictCacheTest, FourThreadsAndAFlusherAgree) {
    const auto cache = open("g1", 500);
    {
        std::vector<std::jthread> threads;
        threads.reserve(5);
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&, t] {
                for (int i = 0; i < 5000; ++i) {
                    const int number = (i * 31 + t) % 700;
                    const auto fs = number % 3 == 0 ? kStick : kDisk;
                    cache->remember(identity(number, fs, number), clean(number), number % 2 == 0);
                    cache->remember(digest(number), clean(number));
                    if (const auto found = cache->find(identity(number, fs, number))) {
                        EXPECT_EQ(found->sha256, digest(number));
                    }
                    if (i % 997 == 0) {
                        cache->forget(kStick);
                    }
                    if (i % 13 == 0) {
                        cache->forget(identity(number, fs).object);
                    }
                }
            });
        }
        threads.emplace_back([&](const std::stop_token&) {
            for (int i = 0; i < 30; ++i) {
                EXPECT_TRUE(cache->flush());
            }
        });
    }
    EXPECT_TRUE(cache->flush());
    EXPECT_LE(cache->counters().identities, 500U);
    EXPECT_EQ(cache->counters().contents, 500U);
}

}  // namespace
}  // namespace vigia::scan
