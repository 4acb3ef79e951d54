// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "model/policy.h"
#include "model/sha256.h"
#include "model/status.h"

namespace vigia::definitions {

// The canary's content, assembled at run time; carries its own signature (policy::kCanaryThreat).
[[nodiscard]] std::string canary_content();

// The EICAR test string, assembled at run time.
[[nodiscard]] std::string eicar_content();

// A set of definition files gathered for one load: our own folder with hard copies, so that nobody
// changes a file between our digest and the engine's read.
struct GatheredSet {
    std::string generation;             // first 16 hex digits of the digest over names and contents
    std::filesystem::path folder;       // definitions/generations/<generation>
    std::vector<UniqueFd> folders;      // for ScanService::DefinitionSet
    DefinitionsStatus status;           // sources, how many files of each
    std::vector<std::string> problems;  // a source that cannot be read, a file left out and why
};

// The built-in set (EICAR, canary) plus every `folder` source of the policy: its plain ClamAV files
// (.hdb .hsb .hdu .hsu .mdb .msb .ndb .ldb .ndu .ldu .fp .sfp .ign .ign2 .cdb .ftm .yar .yara .cvd
// .cld .cud .pdb .wdb .gdb .crb .imp .info …), symbolic links not followed outside. Written into
// state/generations/<generation> (0755, files 0644), `current` switched atomically, generations
// beyond `keep` removed (never the current one). What the engine has refused before, by rejected/
// or by `refused`, is left out.
[[nodiscard]] Result<GatheredSet> gather(const std::filesystem::path& state,
                                         const Policy::Definitions& policy,
                                         std::set<Sha256> refused = {});

}  // namespace vigia::definitions
