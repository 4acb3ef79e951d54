// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "model/language.h"

namespace vigia::cli {

// What `journalctl -x` shows beneath an entry about a fault: a message catalogue of the systemd
// journal, one entry for each fault, found by its MESSAGE_ID (model/message_id.h). Pure.
[[nodiscard]] std::string journal_catalog(Language language);

}  // namespace vigia::cli
