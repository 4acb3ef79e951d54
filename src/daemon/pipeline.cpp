// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/pipeline.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/files.h"
#include "base/log.h"
#include "base/text.h"
#include "overload/admission.h"

namespace vigia::daemon {
namespace {

constexpr std::uint32_t kAttempts = 3;
constexpr std::chrono::seconds kRetryDelay{1};
// ctime is as coarse as a tick, and in a storm an event may be read long after its cause.
constexpr std::chrono::seconds kIntervalMargin{30};
// What a catch-up may put into the queue: enough that nobody who judges waits.
constexpr std::size_t kRoom = 2000;
// Lanes wait for children most of the time; foreground work goes first.
constexpr int kLaneNice = 10;

// What can run, or is likely to be run by something, is judged before bulk data.
scan::Priority priority_of(const FileActivity& activity) {
    constexpr std::array<std::string_view, 16> kRunnable{"",
                                                         ".sh",
                                                         ".py",
                                                         ".pl",
                                                         ".rb",
                                                         ".js",
                                                         ".php",
                                                         ".so",
                                                         ".ko",
                                                         ".exe",
                                                         ".dll",
                                                         ".elf",
                                                         ".jar",
                                                         ".ps1",
                                                         ".bat",
                                                         ".bin"};
    const auto slash = activity.path_hint.rfind('/');
    const auto name = std::string_view(activity.path_hint).substr(slash + 1);
    const auto dot = name.rfind('.');
    const auto extension = dot == std::string_view::npos ? std::string_view{} : name.substr(dot);
    return std::ranges::find(kRunnable, extension) != kRunnable.end() ? scan::Priority::Executable
                                                                      : scan::Priority::Bulk;
}

scan::Haste haste_of(scan::Priority priority) {
    switch (priority) {
        case scan::Priority::ExecPermission:
        case scan::Priority::OnDemand:
            return scan::Haste::Asked;
        case scan::Priority::Executable:
            return scan::Haste::Prompt;
        case scan::Priority::Bulk:
            break;
    }
    return scan::Haste::Background;
}

}  // namespace

std::string best_path(int file, const std::string& hint) {
    struct stat object{};
    struct stat named{};
    const bool known = ::fstat(file, &object) == 0;
    if (known && !hint.empty() && ::lstat(hint.c_str(), &named) == 0 &&
        named.st_ino == object.st_ino && named.st_dev == object.st_dev) {
        return hint;
    }
    auto now = path_of(file);
    const bool leads = known && now && ::lstat(now->c_str(), &named) == 0 &&
                       named.st_ino == object.st_ino && named.st_dev == object.st_dev;
    return leads || (now && hint.empty()) ? *now : hint;
}

Pipeline::Pipeline(Parts parts, scan::ScanQueue::Options queue, unsigned lanes)
    : parts_(parts), capacity_(queue.capacity), lane_count_(lanes), queue_(queue) {}

Pipeline::~Pipeline() {
    for (auto& lane : lanes_) {
        lane.request_stop();
    }
    queue_.close();
    lanes_.clear();
}

void Pipeline::start() {
    for (unsigned i = 0; i < lane_count_; ++i) {
        lanes_.emplace_back([this](const std::stop_token& stop) { run_lane(stop); });
    }
}

void Pipeline::offer(FileActivity&& activity) {
    ++offered_;
    parts_.trace.mark(activity.object, Stage::Event);
    parts_.costs.on_file(activity.pid, activity.read_at, activity.path_hint);
    if (is_of_excluded_program(activity)) {
        ++excluded_;
        skip("excluded-process");
        return;
    }
    const auto policy = parts_.policies.current();
    const auto priority = priority_of(activity);
    if (policy->exclusions.excludes_path(activity.path_hint, parts_.reporter.now())) {
        // Only counted: whether the name is the object's is found out when it is opened.
        ++excluded_;
        push(std::move(activity), priority);
        return;
    }
    const overload::Arrival arrival{
        .bulk = priority == scan::Priority::Bulk,
        .still_written = activity.changes == static_cast<FileChanges>(FileChange::Modified),
        .folder = has(activity.changes, FileChange::FolderMovedIn),
        .fill = fill()};
    if (overload::can_wait(level_, arrival)) {
        ++deferred_;
        parts_.walker.defer(std::move(activity), parts_.reporter.now() - kIntervalMargin);
        return;
    }
    push(std::move(activity), priority);
}

void Pipeline::offer_found(FileActivity&& activity) {
    const auto priority = priority_of(activity);
    push(std::move(activity), priority);
}

void Pipeline::push(FileActivity&& activity, scan::Priority priority) {
    const auto fs = activity.object.fs;
    switch (queue_.push(std::move(activity), priority, BootClock::now())) {
        case scan::ScanQueue::Pushed::Added:
            break;
        case scan::ScanQueue::Pushed::Merged:
            ++merged_;
            break;
        case scan::ScanQueue::Pushed::Full:
            put_off(fs);
            break;
    }
}

void Pipeline::put_off(FileSystemId fs) {
    ++deferred_;
    parts_.walker.defer_unnamed(fs, parts_.reporter.now() - kIntervalMargin);
}

void Pipeline::on_overflow() {
    // How long the lost events had been waiting in the kernel's queue is not known; at most as
    // long as the oldest entry of ours, and a margin.
    const auto oldest = queue_.oldest();
    const auto waited = oldest ? BootClock::now() - *oldest : BootTime::duration::zero();
    parts_.walker.make_up(parts_.reporter.now() - kIntervalMargin - waited);
}

bool Pipeline::has_room() const {
    return queue_.pending() < std::min(kRoom, capacity_ / 2);
}

double Pipeline::fill() const {
    return static_cast<double>(queue_.pending()) / static_cast<double>(capacity_);
}

bool Pipeline::idle() const {
    return queue_.pending() == 0 && queue_.in_flight() == 0;
}

std::chrono::nanoseconds Pipeline::stalled_for() const {
    if (queue_.in_flight() == 0) {
        return {};
    }
    return BootClock::now().time_since_epoch() - std::chrono::nanoseconds{last_progress_ns_};
}

Pipeline::Counters Pipeline::counters() const {
    const std::scoped_lock lock(mutex_);
    return {.offered = offered_,
            .merged = merged_,
            .judged = judged_,
            .deferred = deferred_,
            .excluded = excluded_,
            .failed = failed_,
            .unscannable = unscannable_,
            .skipped = skipped_,
            .last_scan = last_scan_};
}

void Pipeline::run_lane(const std::stop_token& stop) {
    // Nothing depends on its end: the queue wakes whoever waits.
    constexpr std::chrono::seconds kWait{60};
    (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kLaneNice);
    while (!stop.stop_requested()) {
        auto pending = queue_.pop(kWait);
        if (!pending) {
            continue;
        }
        last_progress_ns_ = BootClock::now().time_since_epoch().count();
        const auto object = pending->activity.object;
        process(*pending);
        queue_.done(object);
        last_progress_ns_ = BootClock::now().time_since_epoch().count();
    }
}

void Pipeline::process(scan::Pending& pending) {
    auto& activity = pending.activity;
    parts_.trace.mark(activity.object, Stage::Queue);
    if (has(activity.changes, FileChange::FolderMovedIn)) {
        const auto sensor = parts_.monitor.sensor();
        auto folder = sensor ? sensor->open_object(activity.object)
                             : Result<UniqueFd>{fail(std::errc::no_such_device, "no sensor")};
        const auto path =
            folder ? path_of(folder->get()) : fail(std::errc::no_such_file_or_directory, "");
        if (path && sensor->is_watched(*path)) {
            parts_.walker.walk_folder(*path);
        } else {
            skip("vanished");
        }
        return;
    }
    const auto opened = open_object(activity);
    if (!opened.skip.empty()) {
        skip(opened.skip);
        return;
    }
    judge(pending, opened);
}

Opened Pipeline::open_object(FileActivity& activity) const {
    UniqueFd location;
    if (activity.file) {
        location = std::move(activity.file);
    } else {
        const auto sensor = parts_.monitor.sensor();
        if (!sensor) {
            return {.skip = "monitor-off"};
        }
        auto found = sensor->open_object(activity.object);
        if (!found) {
            const bool gone = found.error().code == std::errc::no_such_file_or_directory ||
                              found.error().code.value() == ESTALE;
            return {.skip = gone ? "vanished" : "unreachable"};
        }
        location = std::move(*found);
    }
    struct stat info{};
    if (::fstat(location.get(), &info) < 0 || !S_ISREG(info.st_mode)) {
        return {.skip = "not-regular"};
    }
    auto path = best_path(location.get(), activity.path_hint);
    if (has_left(path, activity.path_hint)) {
        return {.skip = "moved-out"};
    }
    const auto policy = parts_.policies.current();
    const auto match = policy->exclusions.match_path(path, parts_.reporter.now());
    if (match.excluded) {
        parts_.effects.count(match);
        return {.skip = "excluded"};
    }
    // No access time is left behind where the file system allows us to ask for that.
    auto file = reopen(location.get(), O_RDONLY | O_NONBLOCK | O_NOATIME);
    if (!file) {
        file = reopen(location.get(), O_RDONLY | O_NONBLOCK);
    }
    if (!file) {
        return {.skip = "unreadable"};
    }
    return {.file = std::move(*file), .path = std::move(path)};
}

// The name of the event is gone, and the object goes on under one that is not watched: what is left
// of an object whose watched names were taken away, or one that was moved out.
bool Pipeline::has_left(const std::string& path, const std::string& hint) const {
    struct stat info{};
    const auto sensor = parts_.monitor.sensor();
    return path != hint && sensor && !sensor->is_watched(path) &&
           ::lstat(hint.c_str(), &info) < 0 && errno == ENOENT;
}

void Pipeline::judge(scan::Pending& pending, const Opened& opened) {
    const auto& activity = pending.activity;
    const auto sensor = parts_.monitor.sensor();
    const auto traits = sensor && !activity.object.handle.bytes.empty()
                            ? sensor->traits(activity.object.fs)
                            : sensors::FileSensor::FileSystemTraits{};
    const auto policy = parts_.policies.current();
    const bool still_written = activity.changes == static_cast<FileChanges>(FileChange::Modified);
    const scan::Subject subject{.file = UniqueFd{::fcntl(opened.file.get(), F_DUPFD_CLOEXEC, 0)},
                                .object = activity.object,
                                .truthful_identity = traits.truthful_identity,
                                .persistent_identity = traits.persistent_identity,
                                .must_rehash = has(activity.changes, FileChange::ClosedAfterWrite),
                                .still_written = still_written,
                                .urgent = pending.priority != scan::Priority::Bulk,
                                .haste = haste_of(pending.priority),
                                .path_hint = opened.path};
    const auto examination = parts_.examiner.examine(subject, *policy->policy);
    parts_.trace.mark(activity.object, Stage::Verdict);
    if (examination.engine_time.count() > 0) {
        parts_.costs.on_scan(activity.pid, activity.read_at, examination.engine_time);
    }
    const auto& verdict = examination.verdict;
    if (verdict.kind == VerdictKind::Failed) {
        try_again(pending, opened.path, verdict);
        return;
    }
    ++judged_;
    unscannable_ += verdict.kind == VerdictKind::Unscannable ? 1 : 0;
    {
        const std::scoped_lock lock(mutex_);
        last_scan_ = parts_.reporter.now();
    }
    const auto answer = parts_.responder.handle({.examination = examination,
                                                 .file = opened.file.get(),
                                                 .path = opened.path,
                                                 .pid = activity.pid,
                                                 .at = activity.read_at});
    if (answer.handled == Handled::ScanAgain) {
        try_again(pending, opened.path, verdict);
    }
}

void Pipeline::try_again(scan::Pending& pending, const std::string& path, const Verdict& verdict) {
    // Descriptor-mode entries have given theirs away.
    const bool can = !pending.activity.object.handle.bytes.empty();
    // Without a scan service it is not the file's fault: it waits for as long as that takes.
    const bool service_down = verdict.reason.starts_with("service-");
    pending.attempts += service_down ? 0 : 1;
    if (can && pending.attempts < kAttempts) {
        const auto fs = pending.activity.object.fs;
        if (queue_.retry(std::move(pending), kRetryDelay) == scan::ScanQueue::Pushed::Full) {
            put_off(fs);
        }
        return;
    }
    ++failed_;
    Event event{.severity = Severity::Minor,
                .message = fmt::format("{} got no verdict: {}{}{}",
                                       printable(path),
                                       verdict.reason,
                                       verdict.detail.empty() ? "" : ": ",
                                       verdict.detail),
                .body = ScanBody{
                    .phase = ScanPhase::Failed,
                    .file = FileFacts{.path = path, .sha256 = verdict.sha256, .size = verdict.size},
                    .reason = verdict.reason}};
    log::warning(event.message);
    journal::Change change;
    change.events.push_back(std::move(event));
    parts_.reporter.commit(std::move(change));
}

// Before it is merged with what others did to the same file. A folder that came is walked whoever
// moved it: what lies in it was written by others.
bool Pipeline::is_of_excluded_program(const FileActivity& activity) {
    if (has(activity.changes, FileChange::FolderMovedIn)) {
        return false;
    }
    const auto match =
        parts_.writers.excluded(activity, parts_.policies.current(), parts_.reporter.now());
    if (match.excluded) {
        parts_.effects.count(match);
    }
    return match.excluded;
}

void Pipeline::skip(const std::string& reason) {
    const std::scoped_lock lock(mutex_);
    ++skipped_[reason];
}

}  // namespace vigia::daemon
