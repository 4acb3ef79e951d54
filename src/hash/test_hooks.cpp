// SPDX-License-Identifier: GPL-2.0-or-later
#include "hash/test_hooks.h"

#ifdef VIGIA_TEST_HOOKS

#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string>
#include <string_view>

#include "base/escape_proof.h"
#include "base/log.h"

namespace vigia::hash {

std::optional<wire::HashDone> run_test_hook(int file, int socket) {
    constexpr std::size_t kLookedAt = 4096;
    std::array<char, kLookedAt> bytes{};
    const ssize_t got = ::pread(file, bytes.data(), bytes.size(), 0);
    const std::string_view content(bytes.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    if (!content.contains(std::string("VIGIA-") + "TEST-ESCAPE")) {
        return std::nullopt;
    }
    const auto found = escape::prove({.file = file, .socket = socket, .own_folder = {}});
    constexpr std::string_view kHeld = "HELD:";
    if (!found.starts_with(kHeld)) {
        log::error(found);
        return wire::HashDone{.error = ENOTRECOVERABLE, .sha256 = {}};
    }
    wire::HashDone done{.error = ECANCELED, .sha256 = {}};
    std::from_chars(found.data() + kHeld.size(), found.data() + found.size(), done.size);
    return done;
}

}  // namespace vigia::hash

#endif
