// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/walker.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/files.h"
#include "host/file_handle.h"
#include "scan/walk.h"

namespace vigia::daemon {
namespace {

constexpr std::size_t kMaxFolders = 1000;
constexpr std::chrono::milliseconds kFullWait{50};

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

}  // namespace

Walker::Walker(Hooks hooks) : hooks_(std::move(hooks)) {}

Walker::~Walker() = default;

void Walker::start() {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void Walker::walk_folder(std::string path) {
    {
        const std::scoped_lock lock(mutex_);
        if (folders_.size() >= kMaxFolders) {
            folders_.clear();
            catch_up_since_ = WallTime{};
        } else {
            folders_.push_back(std::move(path));
        }
    }
    wake_.notify_all();
}

void Walker::catch_up(WallTime since) {
    {
        const std::scoped_lock lock(mutex_);
        catch_up_since_ = catch_up_since_ ? std::min(*catch_up_since_, since) : since;
    }
    wake_.notify_all();
}

Walker::State Walker::state() const {
    const std::scoped_lock lock(mutex_);
    return {.catching_up = catching_up_ || catch_up_since_.has_value(),
            .recovered = recovered_,
            .folders_walked = folders_walked_,
            .problems = problems_};
}

void Walker::run(const std::stop_token& stop) {
    constexpr int kIdleNice = 19;
    (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kIdleNice);
    while (!stop.stop_requested()) {
        if (const auto job = next_job(stop)) {
            do_job(*job, stop);
        }
    }
}

std::optional<Walker::Job> Walker::next_job(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, stop, [this] { return !folders_.empty() || catch_up_since_.has_value(); });
    if (stop.stop_requested()) {
        return std::nullopt;
    }
    if (!folders_.empty()) {
        Job job{.folder = std::move(folders_.front())};
        folders_.pop_front();
        return job;
    }
    // While the storm lasts a catch-up would only wait for room; what it misses meanwhile comes
    // with the next one anyway.
    if (!hooks_.has_room()) {
        wake_.wait_for(lock, stop, kFullWait, [] { return false; });
        return std::nullopt;
    }
    Job job{.folder = std::nullopt, .since = *catch_up_since_};
    catch_up_since_.reset();
    catching_up_ = true;
    return job;
}

void Walker::do_job(const Job& job, const std::stop_token& stop) {
    if (job.folder) {
        walk_one(*job.folder, WallTime{}, stop);
        ++folders_walked_;
        return;
    }
    std::uint64_t found = 0;
    for (const auto& folder : hooks_.watched_folders()) {
        found += walk_one(folder, job.since, stop);
    }
    if (stop.stop_requested()) {
        return;  // the watermark has not moved: the next start catches up
    }
    recovered_ += found;
    hooks_.on_caught_up(found, job.since);
    const std::scoped_lock lock(mutex_);
    catching_up_ = false;
}

std::uint64_t Walker::walk_one(const std::string& root,
                               WallTime since,
                               const std::stop_token& stop) {
    const std::int64_t since_ns = since.time_since_epoch().count();
    std::uint64_t found = 0;
    // Folders that moved in; what lies below them counts whatever its age.
    std::set<std::string> moved;
    const auto below_moved = [&](const std::string& path) {
        return std::ranges::any_of(moved, [&](const std::string& folder) {
            return path.starts_with(folder) && path.size() > folder.size() &&
                   path[folder.size()] == '/';
        });
    };
    const scan::WalkOptions options{
        .enter =
            [&](const std::string& folder) {
                if (!hooks_.is_watched(folder)) {
                    return false;
                }
                constexpr std::size_t kMaxMoved = 1000;
                if (moved.size() < kMaxMoved && since_ns > 0 && may_have_moved(folder, since_ns)) {
                    moved.insert(folder);
                }
                return true;
            },
        .stop = [&] { return stop.stop_requested(); }};
    const auto on_file = [&](const scan::WalkEntry& entry) {
        if (entry.ctime_ns < since_ns && !below_moved(entry.path)) {
            return;
        }
        auto activity = as_activity(entry);
        if (!activity) {
            ++problems_;
            return;
        }
        ++found;
        while (!stop.stop_requested() && !hooks_.has_room()) {
            std::unique_lock lock(mutex_);
            wake_.wait_for(lock, stop, kFullWait, [] { return false; });
        }
        if (!stop.stop_requested()) {
            hooks_.offer(std::move(*activity));
        }
    };
    const auto walked = scan::walk(
        root, options, on_file, [&](const scan::WalkProblem& /*problem*/) { ++problems_; });
    if (!walked) {
        ++problems_;
    }
    return found;
}

}  // namespace vigia::daemon
