// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vigia {

// Whose names packages have; what a remedy must know. Oracle and Amazon are of the Red Hat kind but
// name their kernels differently.
enum class DistributionFamily : std::uint8_t { Debian, Redhat, Oracle, Amazon, Suse, Arch, Other };

// os-release(5). A field that is not there is empty; ID is "linux" then, as the manual says.
struct Distribution {
    std::string id = "linux";
    std::vector<std::string> id_like = {};
    std::string version_id = {};
    std::string pretty_name = {};
    DistributionFamily family = DistributionFamily::Other;

    // The number before the first dot of VERSION_ID, 0 where there is none.
    unsigned major_version = 0;

    bool operator==(const Distribution&) const = default;
};

enum class PackageManager : std::uint8_t { AptGet, Dnf, Yum, Zypper, Pacman };

}  // namespace vigia
