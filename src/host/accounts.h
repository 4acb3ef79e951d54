// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/parse.h"
#include "host/root.h"
#include "model/host/accounts.h"

namespace vigia::host {

// etc/passwd, etc/group. Lines that are no entries (comments, NIS's "+") are left out.
[[nodiscard]] std::vector<Account> parse_passwd(std::string_view text);
[[nodiscard]] std::vector<AccountGroup> parse_group(std::string_view text);

// A user's entry in etc/shadow: whether one could log in with a password.
[[nodiscard]] Parsed<PasswordState> parse_shadow(std::string_view text, std::string_view user);

// login.defs(5). A value that is no number or no yes/no is as if it were not there.
[[nodiscard]] LoginDefs parse_login_defs(std::string_view text);

// The user and the group of that name. A missing etc/passwd or etc/group leaves them unknown: a
// root without it may get its accounts elsewhere.
[[nodiscard]] ScanUserFacts scan_user(const Root& root, const std::string& name);

[[nodiscard]] Fact<LoginDefs> login_defs(const Root& root);

// What is wrong with an existing scan user, in short stable words: "uid-0", "duplicate-user",
// "duplicate-group", "uid-shared", "login-shell", "other-primary-group", "supplementary-groups",
// "password". Empty: as it should be, as far as it is known.
[[nodiscard]] std::vector<std::string> misconfigurations(const ScanUserFacts& facts);

// Compares with what is found under the root; links are not followed, so one in the place of a
// folder is wrong. Groups are those of `accounts`, of the root itself where it is not given (an
// instance under a prefix has its own folders, but the accounts of the machine).
[[nodiscard]] OwnPaths own_paths(const Root& root,
                                 const std::vector<ExpectedPath>& table,
                                 const Root* accounts = nullptr);

// The places of a package as docs/API.md ("Programs and places") states them.
[[nodiscard]] std::vector<ExpectedPath> installed_paths();

}  // namespace vigia::host
