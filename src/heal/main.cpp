// SPDX-License-Identifier: GPL-2.0-or-later
// vigia-heal VERB [--prefix DIR]: one repair of a closed table, then ends (hard-parts 13). It takes
// no paths and no names from whoever asks: what is to be done stands in the table and in what is
// installed. Exit status 0: done; 1: not, and one line says why; 2: usage.
#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "heal/repairs.h"

namespace {

constexpr int kUsage = 2;

struct OfTheHost {
    std::string_view name;
    vigia::Result<> (*repair)();
};

constexpr std::array kOfTheHost{
    OfTheHost{"create-scan-user", vigia::heal::create_scan_user},
    OfTheHost{"install-headers", vigia::heal::install_headers},
    OfTheHost{"install-selinux-module", vigia::heal::install_selinux_module}};

int end(const vigia::Result<>& result) {
    if (!result) {
        fmt::print(stderr, "{}\n", vigia::printable(result.error().message()));
    }
    return result ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
    const std::vector<std::string_view> words(arguments + 1, arguments + std::max(count, 1));
    const bool has_prefix = words.size() == 3 && words[1] == "--prefix";
    if (words.size() == 1 || has_prefix) {
        const std::filesystem::path prefix = has_prefix ? words[2] : std::string_view{};
        if (words[0] == "restore-access") {
            return end(vigia::heal::restore_access(prefix));
        }
        for (const auto& [name, repair] : kOfTheHost) {
            if (words[0] == name && !has_prefix) {
                return end(repair());
            }
        }
    }
    fmt::print(stderr,
               "usage: vigia-heal restore-access [--prefix DIR] | create-scan-user | "
               "install-headers | install-selinux-module\n");
    return kUsage;
}
