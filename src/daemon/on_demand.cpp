// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/on_demand.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <condition_variable>
#include <thread>

#include "base/bounded_queue.h"
#include "base/files.h"
#include "host/file_handle.h"
#include "scan/walk.h"

namespace vigia::daemon {
namespace {

constexpr std::size_t kMaxRunning = 8;
constexpr std::size_t kMaxEnded = 32;
constexpr std::size_t kMaxListed = 10'000;  // of each list in a job; the totals go on
constexpr std::size_t kFilesAhead = 64;     // opened by the walk and not examined yet
constexpr std::chrono::milliseconds kPoll{200};

void add(std::vector<ScanJob::Problem>& list, std::uint64_t& total, ScanJob::Problem problem) {
    ++total;
    if (list.size() < kMaxListed) {
        list.push_back(std::move(problem));
    }
}

}  // namespace

struct OnDemand::Job {
    struct File {
        std::string path;
        UniqueFd file;
    };

    mutable std::mutex mutex;  // guards values, and changes of ended
    mutable std::condition_variable over;
    ScanJob values;
    std::atomic<bool> cancelled = false;
    std::atomic<bool> paused = false;
    std::atomic<bool> ended = false;
    BoundedQueue<File> files{kFilesAhead};
    std::jthread thread;

    void wait_while_paused() const {
        while (paused && !cancelled) {
            std::this_thread::sleep_for(kPoll);
        }
    }

    void problem(std::string path, std::string reason) {
        const std::scoped_lock lock(mutex);
        add(values.errors, values.errors_total, {std::move(path), std::move(reason)});
    }

    // Opens the entry as long as its name is still the one that was walked over, and hands it on.
    void take(const scan::WalkEntry& entry) {
        wait_while_paused();
        auto file = open_at(entry.folder, entry.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        if (!file) {
            problem(entry.path, file.error().code.message());
            return;
        }
        {
            const std::scoped_lock lock(mutex);
            ++values.found;
        }
        File item{.path = entry.path, .file = std::move(*file)};
        // NOLINTNEXTLINE(bugprone-use-after-move): untouched when there is no room
        while (!cancelled && !files.push(std::move(item), kPoll)) {
        }
    }
};

OnDemand::OnDemand(Parts parts) : parts_(parts) {}

OnDemand::~OnDemand() {
    const std::scoped_lock lock(mutex_);
    for (const auto& job : jobs_) {
        job->cancelled = true;
    }
    jobs_.clear();
}

Result<ScanJob> OnDemand::start(std::vector<std::string> paths) {
    auto job = std::make_shared<Job>();
    job->values = {
        .id = Uuid::random().text, .targets = std::move(paths), .started = parts_.reporter.now()};
    auto values = job->values;
    {
        const std::scoped_lock lock(mutex_);
        forget_old();
        const auto running =
            std::ranges::count_if(jobs_, [](const auto& other) { return !other->ended; });
        if (std::cmp_greater_equal(running, kMaxRunning)) {
            return fail(std::errc::device_or_resource_busy,
                        fmt::format("{} scans are running already; wait or cancel one "
                                    "(vigia scan --list)",
                                    running));
        }
        jobs_.push_back(job);
    }
    journal::Change change;
    change.events.push_back(
        {.message = fmt::format("on-demand scan of {} started",
                                values.targets.size() == 1
                                    ? "1 path"
                                    : fmt::format("{} paths", values.targets.size())),
         .body = ScanBody{
             .phase = ScanPhase::Started, .scan_id = values.id, .targets = values.targets}});
    parts_.reporter.commit(std::move(change));
    // The thread keeps only a plain pointer: the job joins it when it goes.
    job->thread = std::jthread([this, raw = job.get()] { run(*raw); });
    return values;
}

void OnDemand::run(Job& job) {
    std::vector<std::jthread> readers;
    readers.reserve(parts_.threads);
    for (unsigned i = 0; i < parts_.threads; ++i) {
        readers.emplace_back([this, &job] {
            while (true) {
                auto file = job.files.pop(kPoll);
                if (file && !job.cancelled) {
                    job.wait_while_paused();
                    examine(job, file->path, std::move(file->file));
                } else if (!file && job.files.closed()) {
                    return;
                }
            }
        });
    }
    for (const auto& target : job.values.targets) {
        const auto walked = scan::walk(
            target,
            {.stop = [&] { return job.cancelled.load(); }},
            [&](const scan::WalkEntry& entry) { job.take(entry); },
            [&](const scan::WalkProblem& problem) { job.problem(problem.path, problem.reason); });
        if (!walked) {
            job.problem(target, walked.error().code.message());
        }
    }
    {
        const std::scoped_lock lock(job.mutex);
        job.values.walk_done = true;
    }
    job.files.close();
    readers.clear();
    finish(job);
}

void OnDemand::examine(Job& job, const std::string& path, UniqueFd file) {
    const auto policy = parts_.policies.current();
    if (policy->exclusions.match_path(path, parts_.reporter.now()).excluded) {
        return;
    }
    struct stat info{};
    if (::fstat(file.get(), &info) < 0 || !S_ISREG(info.st_mode)) {
        return;
    }
    const auto sensor = parts_.monitor.sensor();
    const auto object = host::object_of(file.get());
    const auto traits =
        sensor && object ? sensor->traits(object->fs) : sensors::FileSensor::FileSystemTraits{};
    const int judged_file = file.get();
    const scan::Subject subject{.file = UniqueFd{::fcntl(file.get(), F_DUPFD_CLOEXEC, 0)},
                                .object = object ? *object : ObjectId{},
                                .truthful_identity = traits.truthful_identity,
                                .persistent_identity = traits.persistent_identity,
                                .path_hint = path};
    const auto examination = parts_.examiner.examine(subject, *policy->policy);
    const auto& verdict = examination.verdict;
    const bool removable = sensor && sensor->is_watched(path);
    const auto answer = parts_.responder.handle({.examination = examination,
                                                 .file = judged_file,
                                                 .path = path,
                                                 .removable = removable,
                                                 .on_demand = true});
    ++files_scanned_;
    const std::scoped_lock lock(job.mutex);
    ++job.values.files;
    job.values.bytes += verdict.size;
    switch (verdict.kind) {
        case VerdictKind::Clean:
            break;
        case VerdictKind::Infected:
            ++job.values.detections_total;
            if (job.values.detections.size() < kMaxListed) {
                job.values.detections.push_back({.path = path,
                                                 .threat = verdict.threat,
                                                 .action = answer.action,
                                                 .sha256 = verdict.sha256});
            }
            break;
        case VerdictKind::Unscannable:
            add(job.values.unscannable, job.values.unscannable_total, {path, verdict.reason});
            break;
        case VerdictKind::Failed:
            add(job.values.errors,
                job.values.errors_total,
                {path,
                 verdict.detail.empty() ? verdict.reason : verdict.reason + ": " + verdict.detail});
            break;
    }
}

void OnDemand::finish(Job& job) {
    ScanJob values;
    {
        const std::scoped_lock lock(job.mutex);
        job.values.ended = parts_.reporter.now();
        job.values.state = job.cancelled ? "cancelled" : "completed";
        values = job.values;
    }
    journal::Change change;
    change.events.push_back(
        {.severity = values.detections_total > 0 ? Severity::Major : Severity::Informational,
         .message =
             fmt::format("on-demand scan {}: {} files, {} detections, {} errors, {} unscannable",
                         values.state,
                         values.files,
                         values.detections_total,
                         values.errors_total,
                         values.unscannable_total),
         .body = ScanBody{.phase = ScanPhase::Completed,
                          .scan_id = values.id,
                          .targets = values.targets,
                          .files = values.files,
                          .bytes = values.bytes,
                          .detections = values.detections_total,
                          .errors = values.errors_total,
                          .reason = values.state}});
    parts_.reporter.commit(std::move(change));
    {
        const std::scoped_lock lock(job.mutex);
        job.ended = true;
    }
    job.over.notify_all();
}

OnDemand::JobPtr OnDemand::find_running(const std::string& id) const {
    const std::scoped_lock lock(mutex_);
    const auto found = std::ranges::find_if(
        jobs_, [&](const auto& job) { return job->values.id == id && !job->ended; });
    return found == jobs_.end() ? nullptr : *found;
}

std::optional<ScanJob> OnDemand::find(const std::string& id) const {
    for (auto& job : list()) {
        if (job.id == id) {
            return std::move(job);
        }
    }
    return std::nullopt;
}

void OnDemand::wait_ended(const std::string& id, std::chrono::milliseconds timeout) const {
    if (const auto job = find_running(id)) {
        std::unique_lock lock(job->mutex);
        job->over.wait_for(lock, timeout, [&] { return job->ended.load(); });
    }
}

std::vector<ScanJob> OnDemand::list() const {
    std::vector<ScanJob> all;
    const std::scoped_lock lock(mutex_);
    for (const auto& job : jobs_) {
        const std::scoped_lock job_lock(job->mutex);
        all.push_back(job->values);
        if (job->paused && !job->ended) {
            all.back().state = "paused";
        }
    }
    std::ranges::reverse(all);
    return all;
}

bool OnDemand::pause(const std::string& id) {
    const auto job = find_running(id);
    if (job) {
        job->paused = true;
    }
    return job != nullptr;
}

bool OnDemand::resume(const std::string& id) {
    const auto job = find_running(id);
    if (job) {
        job->paused = false;
    }
    return job != nullptr;
}

bool OnDemand::cancel(const std::string& id) {
    const auto job = find_running(id);
    if (job) {
        job->cancelled = true;
    }
    return job != nullptr;
}

void OnDemand::forget_old() {
    auto ended = std::ranges::count_if(jobs_, [](const auto& job) { return job->ended.load(); });
    std::erase_if(jobs_, [&](const auto& job) {
        const bool old = job->ended && std::cmp_greater(ended, kMaxEnded);
        ended -= old ? 1 : 0;
        return old;
    });
}

}  // namespace vigia::daemon
