// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/quarantine.h"

// How the journal keeps a quarantine item: lossless, every byte string as base64 (names and
// extended attributes may hold anything). Not for people; the control API has its own form.
// Thread-safe.
namespace vigia::wire {

[[nodiscard]] std::string to_record(const QuarantineItem& item);

// EILSEQ when it is not such a record. Keys that are missing keep their default, so that an older
// record can be read; keys that are unknown are ignored.
[[nodiscard]] Result<QuarantineItem> parse_quarantine_record(std::string_view record);

}  // namespace vigia::wire
