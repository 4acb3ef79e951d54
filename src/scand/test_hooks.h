// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/unique_fd.h"
#include "scand/confinement.h"
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

// A definition file named `vigia-test-no-file-walls.hdb` takes Landlock and the empty root away,
// `vigia-test-no-call-walls.hdb` the system-call filter.
[[nodiscard]] Walls walls_of_test(std::span<const UniqueFd> definition_folders);
#else
[[nodiscard]] inline std::optional<wire::ScanDone> run_test_hook(const HookTarget& /*target*/) {
    return std::nullopt;
}

[[nodiscard]] inline Walls walls_of_test(std::span<const UniqueFd> /*definition_folders*/) {
    return {};
}
#endif

}  // namespace vigia::scand
