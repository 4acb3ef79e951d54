// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/selftest.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/files.h"
#include "base/text.h"
#include "base/uuid.h"
#include "definitions/builtin.h"
#include "host/file_handle.h"

namespace vigia::daemon {
namespace {

constexpr std::array<const char*, kStages> kStageNames{"event", "queue", "verdict", "journal"};
constexpr std::array<const char*, kStages> kNotReached{
    "the kernel told of no change: is the mark still there?",
    "the event was read, but no lane took it up",
    "no verdict: is the scan service alive?",
    "a verdict was given, but no detection came into the journal"};

double milliseconds(BootTime::duration duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
}

// The canary while it lies there. Reading descriptor: keeps an unnamed file alive until judged.
struct Canary {
    UniqueFd writer = {};
    UniqueFd reader = {};
    UniqueFd folder = {};
    std::string name = {};  // empty: unnamed

    Canary() = default;
    Canary(Canary&&) = default;
    Canary& operator=(Canary&&) = default;
    Canary(const Canary&) = delete;
    Canary& operator=(const Canary&) = delete;

    ~Canary() {
        if (!name.empty() && folder) {
            ::unlinkat(folder.get(), name.c_str(), 0);
        }
    }
};

Result<Canary> lay(const std::string& place) {
    Canary canary;
    canary.folder = TRY(open_at(AT_FDCWD, place.c_str(), O_RDONLY | O_DIRECTORY));
    constexpr mode_t kMode = 0600;
    auto unnamed = open_at(canary.folder.get(), ".", O_WRONLY | O_TMPFILE, kMode);
    if (unnamed) {
        canary.writer = std::move(*unnamed);
    } else {
        canary.name = ".vigia-canary-" + Uuid::random().text;
        canary.writer = TRY(open_at(canary.folder.get(),
                                    canary.name.c_str(),
                                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
                                    kMode));
    }
    canary.reader = TRY(reopen(canary.writer.get(), O_RDONLY));
    return canary;
}

}  // namespace

SelfTestReport SelfTest::run() {
    const std::scoped_lock one_at_a_time(running_);
    const auto places = parts_.places();
    SelfTestReport report;
    if (places.empty()) {
        report.at = parts_.now();
        report.stages.push_back(
            {.name = "write", .detail = "no watched file system can be written to"});
    } else {
        std::size_t turn = 0;
        {
            const std::scoped_lock lock(mutex_);
            turn = turn_++;
        }
        report = run_at(places[turn % places.size()]);
    }
    const std::scoped_lock lock(mutex_);
    last_ = report;
    return report;
}

SelfTestReport SelfTest::run_at(const std::string& place) {
    SelfTestReport report{.at = parts_.now(), .place = place};
    const auto begun = BootClock::now();
    // Each canary is unlike the last, so that no cache can answer for the engine.
    const auto content = definitions::canary_content() + Uuid::random().text + "\n";
    const auto write = [&]() -> Result<Canary> {
        auto canary = TRY(lay(place));
        TRY(write_all(canary.writer.get(), content));
        parts_.trace.follow(TRY(host::object_of(canary.writer.get())));
        canary.writer.reset();
        return canary;
    };
    const auto canary = write();
    const auto written = BootClock::now();
    report.stages.push_back({.name = "write",
                             .ok = canary.has_value(),
                             .milliseconds = milliseconds(written - begun),
                             .detail = canary ? "" : printable(canary.error().message())});
    if (!canary) {
        return report;
    }
    const auto times = parts_.trace.wait(parts_.deadline);
    auto before = written;
    bool answering = true;
    for (std::size_t i = 0; i < kStages; ++i) {
        const auto& time = times.at(i);
        SelfTestStage stage{.name = kStageNames.at(i), .ok = time.has_value()};
        if (time) {
            // The event can be there before close() has returned to us.
            stage.milliseconds = std::max(0.0, milliseconds(*time - before));
            before = *time;
        } else if (answering) {
            stage.detail = kNotReached.at(i);
            answering = false;
        }
        report.stages.push_back(std::move(stage));
    }
    report.ok = answering;
    return report;
}

std::optional<SelfTestReport> SelfTest::last() const {
    const std::scoped_lock lock(mutex_);
    return last_;
}

}  // namespace vigia::daemon
