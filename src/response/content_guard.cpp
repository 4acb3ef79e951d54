// SPDX-License-Identifier: GPL-2.0-or-later
#include "response/content_guard.h"

#include "response/object.h"

namespace vigia::response {
namespace {

constexpr off_t kCheapToRead = off_t{1} << 20U;

bool has_same_times(const struct stat& one, const struct stat& other) {
    return nanoseconds(one.st_mtim) == nanoseconds(other.st_mtim) &&
           nanoseconds(one.st_ctim) == nanoseconds(other.st_ctim);
}

}  // namespace

Result<ContentGuard> ContentGuard::create(int file, const Sha256& judged) {
    return ContentGuard(file, judged, TRY(stat_of(file)));
}

ContentGuard::State ContentGuard::look() const {
    const auto now = stat_of(file_);
    if (!now || now->st_size != known_.st_size) {
        return State::Changed;
    }
    const bool same = has_same_times(*now, known_) && writers_of(file_) != Holders::Some;
    return same ? State::Same : State::Doubtful;
}

Result<bool> ContentGuard::has_judged_content() {
    const auto before = TRY(stat_of(file_));
    const auto digest = TRY(content_digest(file_, static_cast<std::uint64_t>(before.st_size)));
    if (digest != judged_) {
        return false;
    }
    known_ = before;
    return true;
}

void ContentGuard::accept_own_change() {
    const auto now = stat_of(file_);
    // Only what a rename touches: another size or modification time is not ours.
    if (now && now->st_size == known_.st_size &&
        nanoseconds(now->st_mtim) == nanoseconds(known_.st_mtim)) {
        known_ = *now;
    }
}

bool ContentGuard::is_cheap() const noexcept {
    return known_.st_size <= kCheapToRead;
}

}  // namespace vigia::response
