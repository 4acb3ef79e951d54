// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string_view>

#include "wire/scan_protocol.h"

namespace vigia::scand {

struct HookTarget {
    int file = -1;
    int socket = -1;
    std::string_view own_folder;
};

#ifdef VIGIA_TEST_HOOKS
// Files whose first 4096 bytes hold a marker are not scanned: `VIGIA-TEST-` and then CRASH: the
// worker dies of SIGSEGV; HANG: it never answers; ESCAPE: it answers what base/escape_proof.h
// found, as the text of an error. Markers are assembled at run time, so that no program or source
// file is one.
[[nodiscard]] std::optional<wire::ScanDone> run_test_hook(const HookTarget& target);
#else
[[nodiscard]] inline std::optional<wire::ScanDone> run_test_hook(const HookTarget& /*target*/) {
    return std::nullopt;
}
#endif

}  // namespace vigia::scand
