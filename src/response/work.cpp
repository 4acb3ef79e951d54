// SPDX-License-Identifier: GPL-2.0-or-later
#include "response/work.h"

#include "response/object.h"
#include "response/removal.h"
#include "response/steps.h"

namespace vigia::response {
namespace {

// The walk through /proc only informs: it must not hold up the next file.
constexpr std::chrono::milliseconds kHolderSearch{50};

void append(std::string& detail, const std::string& more) {
    detail += (detail.empty() ? "" : "; ") + more;
}

}  // namespace

void Work::step(int number) const {
    if (options.step) {
        options.step(number);
    }
}

Report undo(const Work& work, Report report, std::string word) {
    auto& item = report.item;
    // If the copy cannot be removed it is an orphan: it takes space and hurts nobody.
    if (auto removed = work.vault.remove(item.id); !removed) {
        append(report.detail, removed.error().message());
    }
    item.state = QuarantineState::Deleted;
    item.outcome = std::move(word);
    if (auto recorded = work.hooks.record(item); !recorded) {
        append(report.detail, recorded.error().message());
    }
    return report;
}

Report finish(const Work& work, Report report, int object, const ContentGuard& guard) {
    auto& item = report.item;
    Removal removal({.object = object,
                     .item = &item,
                     .hooks = &work.hooks,
                     .link_search = work.options.link_search,
                     .step = [&work](int number) { work.step(number); }},
                    guard);
    const auto ending = removal.run();
    report.outcome = ending.outcome;
    append(report.detail, ending.detail);
    if (ending.nothing_taken) {
        return undo(work, std::move(report), to_string(ending.outcome));
    }
    if (auto holder = held_open_by(object, kHolderSearch)) {
        report.open_elsewhere = true;
        append(report.detail, *holder);
    }
    item.state = QuarantineState::Quarantined;
    item.outcome = to_string(ending.outcome);
    item.taking.clear();
    if (auto recorded = work.hooks.record(item); !recorded) {
        append(report.detail, "done, but not in the journal: " + recorded.error().message());
    }
    work.step(kStepDoneRecorded);
    return report;
}

}  // namespace vigia::response
