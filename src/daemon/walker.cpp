// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/walker.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/files.h"
#include "host/file_handle.h"
#include "scan/walk.h"

namespace vigia::daemon {
namespace {

constexpr std::size_t kMaxFolders = 1000;
constexpr std::chrono::milliseconds kFullWait{50};
// Nearly done is not done: what was walked last time is a guess for this time.
constexpr double kMostGuessed = 0.99;

std::int64_t nanoseconds(const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// A folder whose own inode changed after its last entry did was renamed (or its mode changed): its
// content may be new here although no ctime below it says so.
bool may_have_moved(const std::string& folder, std::int64_t since_ns) {
    struct stat info{};
    return ::lstat(folder.c_str(), &info) == 0 && nanoseconds(info.st_ctim) >= since_ns &&
           nanoseconds(info.st_ctim) != nanoseconds(info.st_mtim);
}

// One file of the walk as if an event had told of it.
Result<FileActivity> as_activity(const scan::WalkEntry& entry) {
    FileActivity activity{.object = {},
                          .changes = static_cast<FileChanges>(FileChange::Created),
                          .path_hint = entry.path,
                          .pid = 0,
                          .read_at = BootClock::now()};
    auto handle = host::handle_at(entry.folder, entry.name);
    if (handle) {
        // Of the entry, not of its folder: a bind mount can lie on a single file.
        const auto file = TRY(open_at(entry.folder, entry.name, O_PATH | O_NOFOLLOW));
        activity.object = {.fs = TRY(host::file_system_of(file.get())),
                           .handle = std::move(*handle)};
    } else {
        activity.file = TRY(open_at(entry.folder, entry.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    }
    return activity;
}

// The last in line for processor and disk: what it looks for has waited already.
void step_back() {
    constexpr int kIdleNice = 19;
    // ioprio_set(2); linux/ioprio.h of 6.18 is no C++.
    constexpr int kOfThread = 1;         // IOPRIO_WHO_PROCESS
    constexpr int kIdleDisk = 3 << 13U;  // IOPRIO_CLASS_IDLE
    (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kIdleNice);
    (void)::syscall(SYS_ioprio_set, kOfThread, 0, kIdleDisk);
}

}  // namespace

Walker::Walker(Hooks hooks) : hooks_(std::move(hooks)) {}

Walker::~Walker() = default;

void Walker::start() {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void Walker::stop() {
    thread_ = {};
}

void Walker::walk_folder(std::string path) {
    {
        const std::scoped_lock lock(mutex_);
        if (folders_.size() >= kMaxFolders) {
            folders_.clear();
            routine_since_ = WallTime{};
        } else {
            folders_.push_back(std::move(path));
        }
    }
    wake_.notify_all();
}

void Walker::catch_up(WallTime since) {
    {
        const std::scoped_lock lock(mutex_);
        routine_since_ = routine_since_ ? std::min(*routine_since_, since) : since;
    }
    wake_.notify_all();
}

// The lock, so that it does not fall between the walker's look and its sleep.
void Walker::make_up(WallTime since) {
    {
        const std::scoped_lock lock(mutex_);
        deferred_.taint(since);
    }
    wake_.notify_all();
}

void Walker::defer(FileActivity&& activity, WallTime since) {
    {
        const std::scoped_lock lock(mutex_);
        deferred_.defer(std::move(activity), since);
    }
    wake_.notify_all();
}

void Walker::defer_unnamed(FileSystemId fs, WallTime since) {
    {
        const std::scoped_lock lock(mutex_);
        deferred_.defer_unnamed(fs, since);
    }
    wake_.notify_all();
}

Walker::State Walker::state() const {
    const std::scoped_lock lock(mutex_);
    const auto waiting = deferred_.state();
    State state{.catching_up = current_ || routine_since_ || !waiting.empty(),
                .walking = current_.has_value(),
                .owes = !waiting.empty() || (current_ && current_->owed),
                .since = waiting.since,
                .started = started_,
                .tainted_since = waiting.tainted_since,
                .deferred = waiting.files,
                .found = found_,
                .folders = folders_seen_,
                .recovered = recovered_,
                .folders_walked = folders_walked_,
                .problems = problems_,
                .without_ctime = without_ctime_};
    if (routine_since_) {
        state.since = state.since ? std::min(*state.since, *routine_since_) : *routine_since_;
    }
    if (!current_) {
        return state;
    }
    state.since = state.since ? std::min(*state.since, current_->since) : current_->since;
    state.deferred += current_->work.deferred;
    if (current_->owed && current_->work.walk_all) {
        const auto since = *current_->work.walk_all;
        state.tainted_since = state.tainted_since ? std::min(*state.tainted_since, since) : since;
    }
    const auto expected = static_cast<double>(to_offer_ + (walks_ ? folders_last_ : 0));
    const double done = static_cast<double>(std::min<std::uint64_t>(found_, to_offer_)) +
                        static_cast<double>(walks_ ? folders_seen_.load() : 0);
    if (expected > 0 && (!walks_ || folders_last_ > 0)) {
        state.share = std::min(kMostGuessed, done / expected);
    }
    return state;
}

void Walker::run(const std::stop_token& stop) {
    step_back();
    while (!stop.stop_requested()) {
        auto job = next_job(stop);
        if (!job) {
            continue;
        }
        if (job->folder) {
            walk_one({.path = *job->folder, .type = {}}, WallTime{}, stop);
            ++folders_walked_;
        } else {
            catch_up_now(*std::move(job), stop);
        }
    }
}

std::optional<Walker::Job> Walker::next_job(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, stop, [this] {
        return !folders_.empty() || routine_since_ || !deferred_.state().empty();
    });
    if (stop.stop_requested()) {
        return std::nullopt;
    }
    if (!folders_.empty()) {
        Job job{.folder = std::move(folders_.front())};
        folders_.pop_front();
        return job;
    }
    // While the storm lasts a catch-up would only add to it; what comes meanwhile is caught up with
    // the rest.
    if (hooks_.is_busy() || !hooks_.has_room()) {
        wake_.wait_for(lock, stop, kFullWait, [] { return false; });
        return std::nullopt;
    }
    return begin_catch_up();
}

Walker::Job Walker::begin_catch_up() {
    Job job{.folder = std::nullopt};
    const auto state = deferred_.state();
    const auto routine = std::exchange(routine_since_, std::nullopt);
    job.work = deferred_.take();
    job.owed = !state.empty();
    job.since = std::min(state.since.value_or(WallTime::max()), routine.value_or(WallTime::max()));
    current_ = Job{.folder = std::nullopt,
                   .work = {.walk_all = job.work.walk_all, .deferred = job.work.deferred},
                   .since = job.since,
                   .owed = job.owed};
    if (routine) {
        job.work.walk_all = std::min(*routine, job.work.walk_all.value_or(*routine));
    }
    to_offer_ = job.work.files.size();
    walks_ = job.work.walk_all || !job.work.walk.empty();
    started_ = hooks_.now();
    without_ctime_.clear();
    found_ = 0;
    folders_seen_ = 0;
    return job;
}

void Walker::catch_up_now(Job job, const std::stop_token& stop) {
    catches_up_ = true;
    // Known one by one first: quickly done, and with who did it.
    offer_deferred(std::exchange(job.work.files, {}), stop);
    if (job.work.walk_all || !job.work.walk.empty()) {
        walk_all(job, stop);
    }
    catches_up_ = false;
    await_verdicts(stop);
    if (stop.stop_requested()) {
        return;  // the watermark has not moved: the next start catches up
    }
    recovered_ += found_;
    std::unique_lock lock(mutex_);
    if (job.work.walk_all) {
        folders_last_ = folders_seen_;
    }
    const Report report{.found = found_,
                        .since = job.since,
                        .owed = job.owed,
                        .lost = current_->work.walk_all && job.owed,
                        .without_ctime = without_ctime_};
    lock.unlock();
    // Told before it counts as done: who ends now has both or neither.
    hooks_.on_caught_up(report);
    lock.lock();
    current_.reset();
    started_.reset();
}

void Walker::offer_deferred(std::vector<FileActivity> files, const std::stop_token& stop) {
    for (auto& activity : files) {
        if (stop.stop_requested()) {
            return;
        }
        ++found_;
        offer(std::move(activity), stop);
    }
}

// For each of them: what changed since then is to be walked; nothing: need not be. All of them, if
// one of the file systems in question cannot be told among them (the lower part of an overlay, a
// mount of others).
std::vector<std::optional<WallTime>> Walker::begin_of_walks(const Job& job,
                                                            const std::vector<WalkRoot>& roots) {
    std::vector<std::optional<WallTime>> since(roots.size(), job.work.walk_all);
    std::set<FileSystemId> met;
    for (std::size_t at = 0; at < roots.size(); ++at) {
        const auto folder = open_at(AT_FDCWD, roots[at].path.c_str(), O_PATH);
        const auto fs = folder ? host::file_system_of(folder->get()) : Result<FileSystemId>{};
        const auto wanted = folder && fs ? job.work.walk.find(*fs) : job.work.walk.end();
        if (wanted != job.work.walk.end()) {
            met.insert(*fs);
            since[at] = std::min(wanted->second, since[at].value_or(wanted->second));
        }
    }
    if (met.size() != job.work.walk.size()) {
        for (auto& one : since) {
            one = one.value_or(job.since);
        }
    }
    return since;
}

void Walker::walk_all(const Job& job, const std::stop_token& stop) {
    const auto roots = plan_walk(hooks_.watched_folders(), hooks_.mounts());
    const auto since = begin_of_walks(job, roots);
    for (std::size_t at = 0; at < roots.size() && !stop.stop_requested(); ++at) {
        const auto& root = roots[at];
        auto from = since[at];
        const auto folders = hooks_.watched_folders();
        const bool watched =
            std::ranges::find(folders, root.path) != folders.end() || hooks_.is_watched(root.path);
        if (!from || !watched) {
            continue;
        }
        if (!root.type.empty() && !has_usable_ctime(root.type)) {
            const std::scoped_lock lock(mutex_);
            without_ctime_.push_back(root.path);
            from = hooks_.full_walk() ? WallTime{} : *from;
        }
        walk_one(root, *from, stop);
    }
}

void Walker::walk_one(const WalkRoot& root, WallTime since, const std::stop_token& stop) {
    const std::int64_t since_ns = since.time_since_epoch().count();
    // Folders that moved in; what lies below them counts whatever its age.
    std::set<std::string> moved;
    bool everything = since_ns <= 0;  // too many have moved to tell them apart
    const auto below_moved = [&](const std::string& path) {
        return std::ranges::any_of(moved, [&](const std::string& folder) {
            return path.starts_with(folder) && path.size() > folder.size() &&
                   path[folder.size()] == '/';
        });
    };
    const scan::WalkOptions options{.cross_mounts = root.type.empty(),
                                    .enter =
                                        [&](const std::string& folder) {
                                            if (!hooks_.is_watched(folder)) {
                                                return false;
                                            }
                                            ++folders_seen_;
                                            constexpr std::size_t kMaxMoved = 1000;
                                            if (!everything && may_have_moved(folder, since_ns)) {
                                                moved.insert(folder);
                                                everything = moved.size() > kMaxMoved;
                                            }
                                            return true;
                                        },
                                    .stop = [&] { return stop.stop_requested(); }};
    const auto on_file = [&](const scan::WalkEntry& entry) {
        // No upper limit: what changed in the interval may have got another ctime since, by a
        // change of mode or name that nobody told.
        if (!everything && entry.ctime_ns < since_ns && !below_moved(entry.path)) {
            return;
        }
        auto activity = as_activity(entry);
        if (!activity) {
            ++problems_;
            return;
        }
        ++found_;
        offer(std::move(*activity), stop);
    };
    const auto walked = scan::walk(
        root.path, options, on_file, [&](const scan::WalkProblem& /*problem*/) { ++problems_; });
    if (!walked) {
        ++problems_;
    }
}

// What moves in while a catch-up waits does not wait with it.
void Walker::walk_moved_in(const std::stop_token& stop) {
    std::optional<std::string> folder;
    {
        const std::scoped_lock lock(mutex_);
        if (!folders_.empty()) {
            folder = std::move(folders_.front());
            folders_.pop_front();
        }
    }
    if (folder) {
        catches_up_ = false;
        walk_one({.path = *folder, .type = {}}, WallTime{}, stop);
        ++folders_walked_;
        catches_up_ = true;
    }
}

void Walker::pause(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    std::condition_variable_any never;
    never.wait_for(lock, stop, kFullWait, [] { return false; });
}

void Walker::offer(FileActivity&& activity, const std::stop_token& stop) {
    while (!stop.stop_requested() && (!hooks_.has_room() || (catches_up_ && hooks_.is_busy()))) {
        pause(stop);
        if (catches_up_) {
            walk_moved_in(stop);
        }
    }
    if (!stop.stop_requested()) {
        hooks_.offer(std::move(activity));
    }
}

// Found is not judged.
void Walker::await_verdicts(const std::stop_token& stop) {
    const auto until = BootClock::now();
    while (!stop.stop_requested()) {
        const auto oldest = hooks_.oldest();
        if (!oldest || *oldest > until) {
            return;
        }
        pause(stop);
    }
}

}  // namespace vigia::daemon
