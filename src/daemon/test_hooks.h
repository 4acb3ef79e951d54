// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>

#ifdef VIGIA_TEST_HOOKS
#include <cstdlib>
#endif

namespace vigia::daemon {

// How many events the journal holds while it cannot write. VIGIA_TEST_JOURNAL_HELD of the test
// build makes it few, so that a test need not fill the memory first.
[[nodiscard]] inline std::size_t most_events_held(std::size_t usual) {
#ifdef VIGIA_TEST_HOOKS
    const char* const few =
        std::getenv("VIGIA_TEST_JOURNAL_HELD");  // NOLINT(concurrency-mt-unsafe): nobody sets it
    return few == nullptr ? usual : std::strtoull(few, nullptr, 10);
#else
    return usual;
#endif
}

}  // namespace vigia::daemon
