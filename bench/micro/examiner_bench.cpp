// SPDX-License-Identifier: GPL-2.0-or-later
// links: vigia_scan PkgConfig::CRYPTO
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "scan/examiner.h"
#include "scan/file_state.h"
#include "scan/in_process_services.h"
#include "scan/scan_queue.h"
#include "scan/verdict_cache.h"
#include "scan/walk.h"

// What one file costs where no engine is asked: queue, caches, warm examination. The hasher is in
// this process: add one exchange with vigia-hash for what is hashed.
namespace vigia::scan {
namespace {

using namespace std::chrono_literals;

ObjectId object(std::int64_t number) {
    return {.fs = {.word0 = 1, .word1 = 2},
            .handle = {.type = 1, .bytes = "12345678" + std::to_string(number)}};
}

Sha256 digest(std::int64_t number) {
    Sha256 made;
    std::memcpy(made.bytes.data(), &number, sizeof number);
    return made;
}

void queue_push_pop_done(benchmark::State& state) {
    ScanQueue queue({});
    const auto push = [&](std::int64_t number) {
        return queue.push({.object = object(number),
                           .changes = static_cast<FileChanges>(FileChange::ClosedAfterWrite),
                           .path_hint = "/srv/some/folder/file"},
                          Priority::Bulk,
                          BootClock::now());
    };
    std::int64_t number = 0;
    while (number < state.range(0)) {
        benchmark::DoNotOptimize(push(number++));
    }
    for ([[maybe_unused]] auto _ : state) {
        benchmark::DoNotOptimize(push(number++));
        const auto popped = queue.pop(0ms);
        queue.done(popped->activity.object);
    }
}

BENCHMARK(queue_push_pop_done)->Arg(0)->Arg(1'000)->Arg(190'000);

void queue_merge(benchmark::State& state) {
    ScanQueue queue({});
    for ([[maybe_unused]] auto _ : state) {
        benchmark::DoNotOptimize(
            queue.push({.object = object(1),
                        .changes = static_cast<FileChanges>(FileChange::ClosedAfterWrite),
                        .path_hint = "/srv/some/folder/file"},
                       Priority::Bulk,
                       BootClock::now()));
    }
}

BENCHMARK(queue_merge);

void cache_find(benchmark::State& state) {
    const auto cache = *VerdictCache::open({});
    cache->set_generation("g");
    const auto identity = [](std::int64_t number) {
        return FileIdentity{.object = object(number), .size = 1, .ctime_ns = number};
    };
    for (std::int64_t i = 0; i < state.range(0); ++i) {
        cache->remember(identity(i), {.kind = VerdictKind::Clean, .sha256 = digest(i)}, false);
    }
    std::int64_t number = 0;
    for ([[maybe_unused]] auto _ : state) {
        number = (number + 7919) % state.range(0);
        benchmark::DoNotOptimize(cache->find(identity(number)));
    }
}

BENCHMARK(cache_find)->Arg(1'000)->Arg(500'000);

// One full cache of both kinds on disk, read at the start of the daemon.
void cache_open(benchmark::State& state) {
    std::string pattern = "/tmp/vigia-bench-XXXXXX";
    const std::filesystem::path folder = ::mkdtemp(pattern.data());
    const VerdictCache::Options options{.file = folder / "cache.db"};
    {
        const auto cache = *VerdictCache::open(options);
        cache->set_generation("g");
        for (std::int64_t i = 0; i < state.range(0); ++i) {
            const Verdict verdict{.kind = VerdictKind::Clean, .sha256 = digest(i), .size = 1};
            cache->remember({.object = object(i), .size = 1, .ctime_ns = i}, verdict, true);
            cache->remember(digest(i), verdict);
        }
        const auto start = std::chrono::steady_clock::now();
        (void)cache->flush();
        state.counters["flush_ms"] =
            std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
                .count();
        state.counters["MiB"] =
            static_cast<double>(std::filesystem::file_size(options.file)) / 1048576;
    }
    for ([[maybe_unused]] auto _ : state) {
        benchmark::DoNotOptimize(VerdictCache::open(options));
    }
    std::filesystem::remove_all(folder);
}

BENCHMARK(cache_open)->Arg(10'000)->Arg(500'000)->Unit(benchmark::kMillisecond)->Iterations(3);

// Files of one folder of /tmp, opened once; with an identity where the file system allows it.
class Files {
public:
    Files(std::size_t count, std::size_t size) {
        std::string pattern = "/tmp/vigia-bench-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
        for (std::size_t i = 0; i < count; ++i) {
            const auto path = folder_ / std::to_string(i);
            std::ofstream(path) << i << std::string(size, 'x');
        }
        std::this_thread::sleep_for(50ms);  // until their ctime is old enough to be believed
        for (std::size_t i = 0; i < count; ++i) {
            const auto path = (folder_ / std::to_string(i)).native();
            Subject made{.file = UniqueFd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)},
                         .truthful_identity = true,
                         .path_hint = path};
            made.object = in_process::object_of(made.file.get());
            subjects.push_back(std::move(made));
        }
    }

    Files(const Files&) = delete;
    Files& operator=(const Files&) = delete;

    ~Files() { std::filesystem::remove_all(folder_); }

    [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

    std::vector<Subject> subjects;

private:
    std::filesystem::path folder_;
};

struct Parts {
    in_process::Engine engine;
    in_process::Hasher hasher;
    std::unique_ptr<VerdictCache> cache = *VerdictCache::open({});
    Examiner examiner{engine, hasher, *cache};
    Policy policy;

    Parts() { cache->set_generation("g"); }
};

void examine(benchmark::State& state, bool must_rehash, std::size_t size) {
    constexpr std::size_t kFiles = 500;
    Parts parts;
    Files files(kFiles, size);
    for (auto& subject : files.subjects) {
        benchmark::DoNotOptimize(parts.examiner.examine(subject, parts.policy));
        subject.must_rehash = must_rehash;
    }
    const unsigned scanned = parts.engine.calls;
    std::size_t next = 0;
    for ([[maybe_unused]] auto _ : state) {
        benchmark::DoNotOptimize(
            parts.examiner.examine(files.subjects[next++ % kFiles], parts.policy));
    }
    if (parts.engine.calls != scanned) {
        state.SkipWithError("the engine was asked: not warm");
    }
}

BENCHMARK_CAPTURE(examine, known_identity, false, 4096);
BENCHMARK_CAPTURE(examine, known_content_4k, true, 4096);
BENCHMARK_CAPTURE(examine, known_content_64k, true, 65536);
BENCHMARK_CAPTURE(examine, known_content_1m, true, 1'000'000);

void probe_for_writers(benchmark::State& state) {
    const Files files(1, 1);
    for ([[maybe_unused]] auto _ : state) {
        benchmark::DoNotOptimize(has_no_writer(files.subjects[0].file.get()));
    }
}

BENCHMARK(probe_for_writers);

// Walk, open and examine, as `vigia scan` of a folder that is known does on one lane.
void warm_folder(benchmark::State& state) {
    constexpr std::size_t kFiles = 2000;
    Parts parts;
    const Files files(kFiles, 1000);
    std::size_t seen = 0;
    const auto scan = [&] {
        return walk(
            files.folder().native(),
            {},
            [&](const WalkEntry& entry) {
                Subject subject{
                    .file = UniqueFd{::openat(
                        entry.folder, entry.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)},
                    .truthful_identity = true,
                    .path_hint = entry.path};
                subject.object = in_process::object_of(subject.file.get());
                benchmark::DoNotOptimize(parts.examiner.examine(subject, parts.policy));
                ++seen;
            },
            [](const WalkProblem&) {});
    };
    benchmark::DoNotOptimize(scan());
    seen = 0;
    for ([[maybe_unused]] auto _ : state) {
        benchmark::DoNotOptimize(scan());
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(seen));
}

BENCHMARK(warm_folder)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace vigia::scan
