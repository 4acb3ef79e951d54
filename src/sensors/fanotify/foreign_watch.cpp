// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/fanotify/foreign_watch.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <system_error>
#include <thread>
#include <utility>

#include "sensors/fanotify/groups.h"
#include "sensors/fanotify/marks.h"
#include "sensors/fanotify/reader.h"

namespace vigia::sensors {
namespace {

constexpr auto kPatience = std::chrono::milliseconds{90};

}  // namespace

struct ForeignWatch::State {
    State(std::unique_ptr<Reader> its_reader, int group)
        : reader(std::move(its_reader)), marks(group, kDescriptorMask) {}

    // On the thread.
    void make_marks();

    std::unique_ptr<Reader> reader;
    Marks marks;  // the thread's
    std::stop_source stop;

    mutable std::mutex mutex;  // guards all below
    std::condition_variable ended;
    bool has_ended = false;
    std::optional<Devices> wanted;
    std::map<dev_t, int> results;
};

void ForeignWatch::State::make_marks() {
    std::optional<Devices> devices;
    {
        const std::scoped_lock lock(mutex);
        devices = std::exchange(wanted, std::nullopt);
    }
    if (!devices) {
        return;
    }
    std::set<dev_t> kept;
    for (const auto& [number, device] : *devices) {
        if (device.kind != Kind::Remote || !device.is_wanted() || stop.stop_requested()) {
            continue;
        }
        const int error = marks.add(device);
        kept.insert(number);
        const std::scoped_lock lock(mutex);
        results.insert_or_assign(number, error);
    }
    marks.keep_only(kept, *devices);
}

Result<std::unique_ptr<ForeignWatch>> ForeignWatch::create(const std::shared_ptr<Shared>& shared) {
    std::vector<Reader::Source> sources;
    sources.push_back({.group = TRY(open_descriptor_group()), .mode = Reader::Mode::Descriptor});
    const int group = sources.front().group.get();
    auto state = std::make_shared<State>(
        TRY(Reader::create("network and FUSE", shared, std::move(sources))), group);
    state->reader->set_task([raw = state.get()] { raw->make_marks(); });
    try {
        // The thread's own reference keeps all it uses alive, however long it hangs.
        std::thread([state] {
            state->reader->run(state->stop.get_token());
            const std::scoped_lock lock(state->mutex);
            state->has_ended = true;
            state->ended.notify_all();
        }).detach();
    } catch (const std::system_error& error) {
        return std::unexpected(Error{.code = error.code(), .context = "start a thread"});
    }
    return std::unique_ptr<ForeignWatch>(new ForeignWatch(std::move(state)));
}

ForeignWatch::~ForeignWatch() {
    state_->stop.request_stop();
    std::unique_lock lock(state_->mutex);
    state_->ended.wait_for(lock, kPatience, [this] { return state_->has_ended; });
}

void ForeignWatch::apply(const Devices& devices) {
    {
        const std::scoped_lock lock(state_->mutex);
        state_->wanted = devices;
        state_->results.clear();
    }
    state_->reader->wake();
}

std::map<dev_t, int> ForeignWatch::results() const {
    const std::scoped_lock lock(state_->mutex);
    return state_->results;
}

}  // namespace vigia::sensors
