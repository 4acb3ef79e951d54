// SPDX-License-Identifier: GPL-2.0-or-later
#include "scand/test_hooks.h"

#ifdef VIGIA_TEST_HOOKS

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/escape_proof.h"

namespace vigia::scand {
namespace {

constexpr std::size_t kLookedAt = 4096;
constexpr std::uint32_t kError = 2;

std::string marker(std::string_view what) {
    return std::string("VIGIA-") + "TEST-" + std::string(what);
}

// By the kernel's hand, as a real one would be: signals may not be sent in here.
void crash() {
    void* forbidden = ::mmap(nullptr, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *static_cast<volatile char*>(forbidden) = 'x';
}

[[noreturn]] void hang() {
    while (true) {
        ::poll(nullptr, 0, -1);
    }
}

}  // namespace

std::optional<wire::ScanDone> run_test_hook(const HookTarget& target) {
    std::array<char, kLookedAt> bytes{};
    const ssize_t got = ::pread(target.file, bytes.data(), bytes.size(), 0);
    const std::string_view content(bytes.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    if (content.contains(marker("CRASH"))) {
        crash();
    }
    if (content.contains(marker("HANG"))) {
        hang();
    }
    if (!content.contains(marker("ESCAPE"))) {
        return std::nullopt;
    }
    return wire::ScanDone{
        .outcome = kError,
        .text = escape::prove(
            {.file = target.file, .socket = target.socket, .own_folder = target.own_folder})};
}

Walls walls_of_test(std::span<const UniqueFd> definition_folders) {
    const auto has = [&](const char* name) {
        return std::ranges::any_of(definition_folders, [&](const UniqueFd& folder) {
            return ::faccessat(folder.get(), name, F_OK, 0) == 0;
        });
    };
    return {.files = !has("vigia-test-no-file-walls.hdb"),
            .calls = !has("vigia-test-no-call-walls.hdb")};
}

}  // namespace vigia::scand

#endif
