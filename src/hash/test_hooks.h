// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>

#include "wire/scan_protocol.h"

namespace vigia::hash {

#ifdef VIGIA_TEST_HOOKS
// A file whose first 4096 bytes hold `VIGIA-TEST-ESCAPE` (assembled at run time) is not hashed: the
// answer is ECANCELED if base/escape_proof.h was held at every attempt, with their number as
// `size`, else ENOTRECOVERABLE; what escaped is logged.
[[nodiscard]] std::optional<wire::HashDone> run_test_hook(int file, int socket);
#else
[[nodiscard]] inline std::optional<wire::HashDone> run_test_hook(int /*file*/, int /*socket*/) {
    return std::nullopt;
}
#endif

}  // namespace vigia::hash
