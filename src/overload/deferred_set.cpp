// SPDX-License-Identifier: GPL-2.0-or-later
#include "overload/deferred_set.h"

#include <algorithm>
#include <utility>

namespace vigia::overload {
namespace {

void earlier(std::optional<WallTime>& time, WallTime candidate) {
    time = time ? std::min(*time, candidate) : candidate;
}

void merge(FileActivity& into, FileActivity&& event) {
    into.changes |= event.changes;
    if (!event.path_hint.empty()) {
        into.path_hint = std::move(event.path_hint);
    }
    into.pid = event.pid != 0 ? event.pid : into.pid;
}

}  // namespace

void DeferredSet::defer(FileActivity&& activity, WallTime since) {
    const std::scoped_lock lock(mutex_);
    if (activity.object.handle.bytes.empty()) {
        ++nameless_;
        earlier(tainted_since_, since);
        return;
    }
    const auto fs = activity.object.fs;
    auto& one = file_systems_.try_emplace(fs, FileSystem{.id = fs, .since = since}).first->second;
    one.since = std::min(one.since, since);
    if (!one.known) {
        ++one.files;
        return;
    }
    if (const auto held = files_.find(activity.object); held != files_.end()) {
        merge(held->second, std::move(activity));
        return;
    }
    ++one.files;
    if (files_.size() < options_.most_files) {
        auto object = activity.object;
        files_.emplace(std::move(object), std::move(activity));
        return;
    }
    forget_names(one);
}

// A walk will find those of this file system; the room is for the others.
void DeferredSet::forget_names(FileSystem& one) {
    one.known = false;
    std::erase_if(files_, [&](const auto& held) { return held.first.fs == one.id; });
}

void DeferredSet::defer_unnamed(FileSystemId fs, WallTime since) {
    const std::scoped_lock lock(mutex_);
    auto& one = file_systems_.try_emplace(fs, FileSystem{.id = fs, .since = since}).first->second;
    one.since = std::min(one.since, since);
    ++one.files;
    forget_names(one);
}

void DeferredSet::taint(WallTime since) {
    const std::scoped_lock lock(mutex_);
    earlier(tainted_since_, since);
}

DeferredSet::Work DeferredSet::take() {
    const std::scoped_lock lock(mutex_);
    Work work{.walk_all = std::exchange(tainted_since_, std::nullopt),
              .deferred = std::exchange(nameless_, 0)};
    for (const auto& [fs, one] : file_systems_) {
        work.deferred += one.files;
        if (!one.known) {
            work.walk.emplace(fs, one.since);
        }
    }
    work.files.reserve(files_.size());
    for (auto& [object, activity] : files_) {
        work.files.push_back(std::move(activity));
    }
    files_.clear();
    file_systems_.clear();
    return work;
}

DeferredSet::State DeferredSet::state() const {
    const std::scoped_lock lock(mutex_);
    State state{.tainted_since = tainted_since_, .since = tainted_since_, .files = nameless_};
    for (const auto& [fs, one] : file_systems_) {
        state.file_systems.push_back(one);
        state.files += one.files;
        earlier(state.since, one.since);
    }
    return state;
}

}  // namespace vigia::overload
