// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "host/parse.h"
#include "host/root.h"
#include "model/host/security.h"

namespace vigia::host {

// "lockdown,capability,landlock,selinux"
[[nodiscard]] Parsed<std::vector<std::string>> parse_security_modules(std::string_view text);

// "none [integrity] confidentiality": what stands in brackets holds.
[[nodiscard]] Parsed<Lockdown> parse_lockdown(std::string_view text);

// An efivar: four bytes of attributes, then one of value.
[[nodiscard]] Parsed<SecureBoot> parse_secure_boot(std::string_view bytes);

// The sets of proc/self/status.
[[nodiscard]] Parsed<CapabilitySets> parse_capabilities(std::string_view status);

[[nodiscard]] Fact<std::vector<std::string>> security_modules(const Root& root);
[[nodiscard]] Fact<Lockdown> lockdown(const Root& root);
[[nodiscard]] Fact<SecureBoot> secure_boot(const Root& root);

// Of this process; known for a live root only, since it says nothing about another machine.
[[nodiscard]] Fact<CapabilitySets> capabilities(const Root& root);

// "CAP_SYS_ADMIN" of 21. A number without a name is "CAP_63".
[[nodiscard]] std::string capability_name(unsigned number);

// The names of those that are not in the set. CAP_BPF and CAP_PERFMON are not missed where
// CAP_SYS_ADMIN, which contains them, is there.
[[nodiscard]] std::vector<std::string> missing_capabilities(std::uint64_t set,
                                                            std::initializer_list<unsigned> wanted);

}  // namespace vigia::host
