// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "model/quarantine.h"
#include "model/scan_job.h"
#include "model/status.h"

// Values → the JSON of docs/API.md (contract: names are never dropped). Byte strings that are not
// UTF-8 appear replaced, with the exact bytes beside them as `…_base64`.
namespace vigia::wire {

[[nodiscard]] std::string to_json(const Status& status, const std::string& version);
[[nodiscard]] std::string to_json(const SelfTestReport& report);
[[nodiscard]] std::string to_json(const ScanJob& job);
[[nodiscard]] std::string to_json(const std::vector<ScanJob>& jobs);
[[nodiscard]] std::string to_json(const QuarantineItem& item);
[[nodiscard]] std::string to_json(const std::vector<QuarantineItem>& items);  // {"items":[…]}
[[nodiscard]] std::string to_json(const DefinitionsStatus& definitions);

}  // namespace vigia::wire
