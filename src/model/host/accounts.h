// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/fact.h"

namespace vigia {

struct Account {
    std::string name = {};
    uid_t uid = 0;
    gid_t gid = 0;
    std::string home = {};
    std::string shell = {};

    bool operator==(const Account&) const = default;
};

struct AccountGroup {
    std::string name = {};
    gid_t gid = 0;
    std::vector<std::string> members = {};

    bool operator==(const AccountGroup&) const = default;
};

enum class PasswordState : std::uint8_t { Locked, Empty, Set };

struct ScanUserFacts {
    std::string name = {};                                // the user and group asked about
    Fact<std::vector<Account>> users = {};                // none: missing; several: duplicates
    Fact<std::vector<AccountGroup>> groups = {};          // likewise
    Fact<std::vector<std::string>> uid_shared_with = {};  // other names of the same uid
    Fact<std::vector<std::string>> supplementary = {};    // groups that list him as a member
    Fact<PasswordState> password = {};
};

// login.defs(5); what is not set there is nothing.
struct LoginDefs {
    std::optional<bool> usergroups_enab = {};
    std::optional<std::uint32_t> uid_min = {};
    std::optional<std::uint32_t> sys_uid_min = {};
    std::optional<std::uint32_t> sys_uid_max = {};
    std::optional<std::uint32_t> sys_gid_min = {};
    std::optional<std::uint32_t> sys_gid_max = {};

    bool operator==(const LoginDefs&) const = default;
};

// --- owners and modes of our own files ---------------------------------------------------------
enum class PathKind : std::uint8_t { Folder, File, Socket };

struct ExpectedPath {
    std::string path = {};  // inside the root, without the first slash
    PathKind kind = PathKind::Folder;
    mode_t mode = 0755;  // permission bits
    uid_t uid = 0;
    std::string group = "root";  // by name; one that is not in etc/group is taken for gid 0
    bool required = true;        // absent is wrong; otherwise only what is there is judged
};

struct ModeAndOwner {
    mode_t mode = 0;
    uid_t uid = 0;
    gid_t gid = 0;

    bool operator==(const ModeAndOwner&) const = default;
};

struct PathDeviation {
    enum class What : std::uint8_t { Missing, WrongKind, WrongModeOrOwner };

    std::string path = {};
    What what = What::Missing;
    std::string found_kind = {};  // "symbolic link", "file", … when the kind is wrong
    std::optional<ModeAndOwner> found = {};
    ModeAndOwner expected = {};

    bool operator==(const PathDeviation&) const = default;
};

struct OwnPaths {
    std::vector<PathDeviation> wrong = {};
    std::vector<std::string> unknown = {};  // "path: why", where nobody can tell
    std::size_t checked = 0;
};

}  // namespace vigia
