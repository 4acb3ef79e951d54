// SPDX-License-Identifier: GPL-2.0-or-later
// links: vigia_scan PkgConfig::CRYPTO
#include "scan/examiner.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "scan/file_state.h"
#include "scan/in_process_services.h"
#include "scan/walk.h"
#include "support/playground.h"
#include "support/process.h"

// The rules of hard-parts 2 on real file systems: what a verdict may be remembered of.
namespace vigia::scan {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::Playground;
using test::write_file;

std::string marker() {
    return std::string(in_process::Engine::kMarker);
}

constexpr std::size_t kLarge = std::size_t{2} << 20U;  // beyond what is copied

UniqueFd open_for(const std::string& path, int flags) {
    return UniqueFd{::open(path.c_str(), flags | O_CLOEXEC)};
}

// Until its ctime is older than two ticks.
void settle(const std::string& path) {
    const auto file = open_for(path, O_RDONLY);
    ASSERT_TRUE(eventually([&] {
        const auto state = state_of(file.get());
        return state && is_settled(*state);
    }));
}

std::int64_t ctime_of(const std::string& path) {
    const auto file = open_for(path, O_RDONLY);
    return state_of(file.get())->ctime_ns;
}

// A shared writable mapping; its descriptor is closed already.
class Mapping {
public:
    Mapping(const std::string& path, std::size_t size) : size_(size) {
        const auto file = open_for(path, O_RDWR);
        memory_ = static_cast<char*>(
            ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0));
    }

    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;

    ~Mapping() { ::munmap(memory_, size_); }

    [[nodiscard]] char first_byte() const { return *static_cast<volatile char*>(memory_); }

    void write(const std::string& bytes) { bytes.copy(memory_, bytes.size()); }

private:
    std::size_t size_;
    char* memory_ = nullptr;
};

class ExaminerSystem : public ::testing::Test {
protected:
    ExaminerSystem() { cache_->set_generation("g1"); }

    [[nodiscard]] static Subject subject(const std::string& path) {
        Subject made{.file = open_for(path, O_RDONLY | O_NONBLOCK), .truthful_identity = true};
        made.object = in_process::object_of(made.file.get());
        return made;
    }

    [[nodiscard]] Examination examine(const std::string& path) {
        return examiner_.examine(subject(path), policy_);
    }

    [[nodiscard]] VerdictSource source_of(const std::string& path) {
        return examine(path).verdict.source;
    }

    Playground playground_;
    in_process::Engine engine_;
    in_process::Hasher hasher_;
    std::unique_ptr<VerdictCache> cache_ = *VerdictCache::open({});
    Examiner examiner_{engine_, hasher_, *cache_};
    Policy policy_;
};

TEST_F(ExaminerSystem, AKnownIdentityIsNotReadAgain) {
    for (const std::string type : {"ext4", "xfs"}) {
        const auto disk = playground_.loop(type, type, 320);
        const auto path = (disk / "file").native();
        write_file(path, "clean on " + type);
        settle(path);
        const auto first = examine(path);
        EXPECT_TRUE(first.stable);
        EXPECT_EQ(first.verdict.source, VerdictSource::Engine);
        const unsigned hashed = hasher_.calls;
        const auto second = examine(path);
        EXPECT_EQ(second.verdict.source, VerdictSource::IdentityCache);
        EXPECT_EQ(second.verdict.sha256, first.verdict.sha256);
        EXPECT_EQ(second.identity, first.identity);
        EXPECT_FALSE(second.stable) << "not asked for";
        auto urgent = subject(path);
        urgent.urgent = true;
        EXPECT_TRUE(examiner_.examine(urgent, policy_).stable);
        {
            const auto writer = open_for(path, O_WRONLY);
            EXPECT_FALSE(examiner_.examine(urgent, policy_).stable);
        }
        EXPECT_EQ(hasher_.calls, hashed);
        auto again = subject(path);
        again.must_rehash = true;
        EXPECT_EQ(examiner_.examine(again, policy_).verdict.source, VerdictSource::ContentCache);
        policy_.hashes.block.insert(*first.verdict.sha256);
        EXPECT_EQ(examine(path).verdict.kind, VerdictKind::Infected)
            << "the list is asked at a hit";
        policy_.hashes = {};
        playground_.unmount(disk);
    }
}

TEST_F(ExaminerSystem, AScanBetweenTwoMappedWritesLeavesNoVerdictByIdentity) {
    const auto disk = playground_.loop("disk", "ext4", 64);
    const auto path = (disk / "file").native();
    write_file(path, std::string(4096, 'a'));
    settle(path);
    Mapping mapping(path, 4096);
    mapping.write("first");
    settle(path);
    const auto changed = ctime_of(path);
    const auto between = examine(path);
    EXPECT_EQ(between.verdict.kind, VerdictKind::Clean);
    EXPECT_FALSE(between.stable);
    mapping.write(marker());
    ASSERT_EQ(ctime_of(path), changed) << "else this test shows nothing";
    const auto after = examine(path);
    EXPECT_EQ(after.verdict.kind, VerdictKind::Infected);
    EXPECT_FALSE(after.stable);
    EXPECT_EQ(cache_->counters().identities, 0U);
}

TEST_F(ExaminerSystem, AWriterKeepsTheIdentityOutOfTheCache) {
    const auto disk = playground_.loop("disk", "ext4", 64);
    const auto path = (disk / "file").native();
    write_file(path, "content");
    settle(path);
    {
        const auto writer = open_for(path, O_WRONLY);
        EXPECT_FALSE(has_no_writer(open_for(path, O_RDONLY).get()));
        EXPECT_FALSE(examine(path).stable);
    }
    EXPECT_TRUE(has_no_writer(open_for(path, O_RDONLY).get()));
    {
        auto written = subject(path);
        written.still_written = true;
        EXPECT_FALSE(examiner_.examine(written, policy_).stable);
    }
    EXPECT_EQ(source_of(path), VerdictSource::ContentCache) << "was remembered with a writer";
    EXPECT_EQ(source_of(path), VerdictSource::IdentityCache);
}

TEST_F(ExaminerSystem, AWriteDuringTheScanKeepsTheIdentityOutOfTheCache) {
    const auto disk = playground_.loop("disk", "ext4", 64);
    const auto path = (disk / "file").native();
    write_file(path, "innocent");
    settle(path);
    engine_.before = [&](const auto&) -> std::optional<Verdict> {
        write_file(path, marker().substr(0, 8));  // same size
        return std::nullopt;
    };
    EXPECT_FALSE(examine(path).stable);
    EXPECT_EQ(cache_->counters().identities, 0U);
}

TEST_F(ExaminerSystem, AYoungCtimeKeepsTheIdentityOutOfTheCache) {
    const auto disk = playground_.loop("disk", "ext4", 64);
    const auto path = (disk / "file").native();
    write_file(path, "content");
    settle(path);
    EXPECT_TRUE(examine(path).stable);
    // On a slow machine the file may have settled before it is examined: tried until it has not.
    bool met = false;
    for (int i = 0; i < 100 && !met; ++i) {
        ASSERT_EQ(::chmod(path.c_str(), i % 2 == 0 ? 0600 : 0644), 0);
        const auto file = open_for(path, O_RDONLY);
        const auto examined = examine(path);
        met = !is_settled(*state_of(file.get()));
        EXPECT_FALSE(met && examined.stable);
    }
    EXPECT_TRUE(met);
}

TEST_F(ExaminerSystem, ALargeFileReplacedBetweenHashAndScanPoisonsNothing) {
    const auto disk = playground_.loop("disk", "ext4", 64);
    const auto path = (disk / "large").native();
    const auto twin = (disk / "twin").native();
    const std::string bad = marker() + std::string(kLarge, 'x');
    const std::string good(bad.size(), 'x');
    write_file(path, bad);
    write_file(twin, bad);
    settle(path);
    settle(twin);
    // Hashed while bad, scanned while good: remembered, it would make the bad content clean.
    hasher_.after = [&] { write_file(path, good); };
    const auto examined = examine(path);
    hasher_.after = {};
    EXPECT_EQ(examined.verdict.kind, VerdictKind::Clean);
    EXPECT_FALSE(examined.stable);
    EXPECT_EQ(cache_->counters().contents, 0U);
    EXPECT_EQ(examine(twin).verdict.kind, VerdictKind::Infected);
    EXPECT_EQ(cache_->counters().contents, 1U) << "nobody wrote to the twin";
    EXPECT_EQ(source_of(twin), VerdictSource::IdentityCache);
}

TEST_F(ExaminerSystem, ALargeFileWithAWriterIsScannedAndNotRemembered) {
    const auto disk = playground_.loop("disk", "ext4", 64);
    const auto path = (disk / "large").native();
    write_file(path, std::string(kLarge, 'x'));
    settle(path);
    const auto writer = open_for(path, O_WRONLY);
    EXPECT_EQ(source_of(path), VerdictSource::Engine);
    EXPECT_EQ(source_of(path), VerdictSource::Engine);
    EXPECT_EQ(cache_->counters().contents, 0U);
}

TEST_F(ExaminerSystem, AWaitingLaneTakesNoVerdictOfBytesThatWereNotHashed) {
    const auto disk = playground_.loop("disk", "ext4", 64);
    const auto path = (disk / "large").native();
    const auto twin = (disk / "twin").native();
    const std::string bad = marker() + std::string(kLarge, 'x');
    write_file(path, bad);
    write_file(twin, bad);
    settle(path);
    settle(twin);
    std::atomic<int> hashed = 0;
    std::atomic<bool> first = true;
    hasher_.after = [&] { ++hashed; };
    engine_.before = [&](const auto&) -> std::optional<Verdict> {
        if (first.exchange(false)) {
            EXPECT_TRUE(eventually([&] { return hashed == 2; }));
            write_file(path, std::string(bad.size(), 'x'));
        }
        return std::nullopt;
    };
    std::jthread other;
    std::atomic<bool> twin_infected = false;
    {
        const std::jthread lane([&] { (void)examine(path); });
        ASSERT_TRUE(eventually([&] { return !first; }));
        other = std::jthread(
            [&] { twin_infected = examine(twin).verdict.kind == VerdictKind::Infected; });
    }
    other.join();
    EXPECT_TRUE(twin_infected);
}

TEST_F(ExaminerSystem, OnTmpfsNothingIsRememberedByIdentity) {
    const auto disk = playground_.tmpfs("tmpfs", "size=16m");
    const auto path = (disk / "file").native();
    write_file(path, std::string(4096, 'a'));
    settle(path);
    const auto before = ctime_of(path);
    EXPECT_EQ(examine(path).verdict.kind, VerdictKind::Clean);
    EXPECT_EQ(source_of(path), VerdictSource::ContentCache);
    {
        // Read first, the page is then written without a fault: no ctime, and no writer before and
        // after. This is why the file system is not believed.
        Mapping mapping(path, 4096);
        EXPECT_EQ(mapping.first_byte(), 'a');
        mapping.write(marker());
    }
    EXPECT_EQ(ctime_of(path), before);
    EXPECT_TRUE(has_no_writer(open_for(path, O_RDONLY).get()));
    EXPECT_EQ(examine(path).verdict.kind, VerdictKind::Infected);
}

TEST_F(ExaminerSystem, OnOverlayLargeFilesAreNotRememberedBecauseTheLeaseLies) {
    const auto base = playground_.tmpfs("base", "size=32m");
    for (const auto* name : {"lower", "upper", "work", "merged"}) {
        std::filesystem::create_directory(base / name);
    }
    const auto merged = (base / "merged").native();
    const auto options = "lowerdir=" + (base / "lower").native() +
                         ",upperdir=" + (base / "upper").native() +
                         ",workdir=" + (base / "work").native();
    ASSERT_EQ(::mount("overlay", merged.c_str(), "overlay", 0, options.c_str()), 0);
    const auto path = merged + "/large";
    write_file(path, std::string(kLarge, 'x'));
    settle(path);
    {
        const auto writer = open_for(path, O_WRONLY);
        EXPECT_EQ(source_of(path), VerdictSource::Engine);
        EXPECT_EQ(source_of(path), VerdictSource::Engine);
    }
    EXPECT_EQ(cache_->counters().contents, 0U);
    EXPECT_EQ(cache_->counters().identities, 0U);
    ::umount2(merged.c_str(), MNT_DETACH);
}

TEST_F(ExaminerSystem, TheProbeForWritersIsHarmedByNobodyWhoOpensTheFile) {
    const auto disk = playground_.loop("disk", "ext4", 64);
    const auto path = (disk / "file").native();
    write_file(path, "content");
    // In a child with the default action of SIGIO, which is to end: it must live through it.
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        ::signal(SIGIO, SIG_DFL);
        std::vector<std::jthread> openers;
        openers.reserve(2);
        for (int i = 0; i < 2; ++i) {
            openers.emplace_back([&](const std::stop_token& stop) {
                while (!stop.stop_requested()) {
                    (void)open_for(path, O_WRONLY);
                }
            });
        }
        const auto file = open_for(path, O_RDONLY | O_NONBLOCK);
        int free = 0;
        int held = 0;
        const auto end = std::chrono::steady_clock::now() + 2s;
        while (std::chrono::steady_clock::now() < end) {
            ++(has_no_writer(file.get()) ? free : held);
        }
        for (auto& opener : openers) {
            opener.request_stop();
        }
        openers.clear();
        ::_exit(free > 100 && held > 0 ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(ExaminerSystem, AWalkCrossesMountsOnRequestAndEntersNoPseudoFileSystem) {
    const auto disk = playground_.tmpfs("disk", "size=1m");
    write_file(disk / "a", "a");
    const auto proc = disk / "proc";
    const auto inner = disk / "inner";
    std::filesystem::create_directory(proc);
    std::filesystem::create_directory(inner);
    ASSERT_EQ(::mount("proc", proc.c_str(), "proc", 0, nullptr), 0);
    ASSERT_EQ(::mount("inner", inner.c_str(), "tmpfs", 0, "size=1m"), 0);
    write_file(inner / "b", "b");
    const auto files = [&](bool cross_mounts) {
        std::vector<std::string> names;
        EXPECT_TRUE(walk(
            disk.native(),
            {.cross_mounts = cross_mounts},
            [&](const WalkEntry& entry) { names.emplace_back(entry.name); },
            [](const WalkProblem& problem) { ADD_FAILURE() << problem.path << problem.reason; }));
        std::ranges::sort(names);
        return names;
    };
    EXPECT_EQ(files(true), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(files(false), std::vector<std::string>{"a"});
    ::umount2(inner.c_str(), MNT_DETACH);
    ::umount2(proc.c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace vigia::scan
