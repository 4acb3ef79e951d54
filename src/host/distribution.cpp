// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/distribution.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <vector>

namespace vigia::host {
namespace {

constexpr std::size_t kMaxFile = 65'536;
constexpr std::size_t kMaxLike = 32;

// The value of an assignment as a shell would have it: 'a', "a\"b" or a\ b.
std::string unquote(std::string_view text) {
    std::string value;
    char quote = '\0';
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '\\' && quote != '\'' && at + 1 < text.size()) {
            value += text[++at];
        } else if (quote == '\0' && (c == '"' || c == '\'')) {
            quote = c;
        } else if (quote != '\0' && c == quote) {
            quote = '\0';
        } else {
            value += c;
        }
    }
    return value;
}

bool is_name(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    });
}

struct FamilyOfId {
    std::string_view id;
    DistributionFamily family;
};

// IDs as the distributions write them into os-release.
constexpr std::array kFamilies{
    FamilyOfId{"debian", DistributionFamily::Debian},
    FamilyOfId{"ubuntu", DistributionFamily::Debian},
    FamilyOfId{"linuxmint", DistributionFamily::Debian},
    FamilyOfId{"kali", DistributionFamily::Debian},
    FamilyOfId{"raspbian", DistributionFamily::Debian},
    FamilyOfId{"ol", DistributionFamily::Oracle},
    FamilyOfId{"amzn", DistributionFamily::Amazon},
    FamilyOfId{"rhel", DistributionFamily::Redhat},
    FamilyOfId{"centos", DistributionFamily::Redhat},
    FamilyOfId{"fedora", DistributionFamily::Redhat},
    FamilyOfId{"rocky", DistributionFamily::Redhat},
    FamilyOfId{"almalinux", DistributionFamily::Redhat},
    FamilyOfId{"suse", DistributionFamily::Suse},
    FamilyOfId{"sles", DistributionFamily::Suse},
    FamilyOfId{"sled", DistributionFamily::Suse},
    FamilyOfId{"opensuse", DistributionFamily::Suse},
    FamilyOfId{"opensuse-leap", DistributionFamily::Suse},
    FamilyOfId{"opensuse-tumbleweed", DistributionFamily::Suse},
    FamilyOfId{"arch", DistributionFamily::Arch},
    FamilyOfId{"manjaro", DistributionFamily::Arch},
};

DistributionFamily family_of(std::string_view id, const std::vector<std::string>& like) {
    std::vector<std::string_view> names{id};
    names.insert(names.end(), like.begin(), like.end());
    for (const auto name : names) {
        const auto* const found = std::ranges::find(kFamilies, name, &FamilyOfId::id);
        if (found != kFamilies.end()) {
            return found->family;
        }
    }
    return DistributionFamily::Other;
}

unsigned leading_number(std::string_view version) {
    unsigned number = 0;
    return parse_number(version.substr(0, version.find('.')), number) ? number : 0;
}

struct ManagerProgram {
    PackageManager manager;
    std::string_view program;
};

// yum stands behind dnf: where there is dnf, yum is a link to it.
constexpr std::array kManagers{
    ManagerProgram{PackageManager::Dnf, "dnf"},
    ManagerProgram{PackageManager::Yum, "yum"},
    ManagerProgram{PackageManager::AptGet, "apt-get"},
    ManagerProgram{PackageManager::Zypper, "zypper"},
    ManagerProgram{PackageManager::Pacman, "pacman"},
};

bool belongs_to(PackageManager manager, DistributionFamily family) {
    switch (manager) {
        case PackageManager::Dnf:
        case PackageManager::Yum:
            return family == DistributionFamily::Redhat || family == DistributionFamily::Oracle ||
                   family == DistributionFamily::Amazon;
        case PackageManager::AptGet:
            return family == DistributionFamily::Debian;
        case PackageManager::Zypper:
            return family == DistributionFamily::Suse;
        case PackageManager::Pacman:
            return family == DistributionFamily::Arch;
    }
    return false;
}

constexpr std::array kProgramFolders{"usr/bin/", "usr/sbin/", "bin/", "sbin/", "usr/local/bin/"};

}  // namespace

Parsed<Distribution> parse_os_release(std::string_view text) {
    std::map<std::string, std::string, std::less<>> fields;
    while (!text.empty()) {
        auto line = trim(take_line(text));
        if (line.empty() || line.front() == '#') {
            continue;
        }
        const auto name = trim(take_until(line, '='));
        if (is_name(name)) {
            fields[std::string(name)] = unquote(trim(line));
        }
    }
    if (!fields.contains("ID") && !fields.contains("NAME") && !fields.contains("PRETTY_NAME")) {
        return std::unexpected("it names no distribution (no ID=, NAME= or PRETTY_NAME=)");
    }
    Distribution found;
    if (const auto& id = fields["ID"]; !id.empty()) {
        found.id = id;
    }
    std::string_view like = fields["ID_LIKE"];
    while (!trim(like).empty() && found.id_like.size() < kMaxLike) {
        found.id_like.emplace_back(take_word(like));
    }
    found.version_id = fields["VERSION_ID"];
    found.pretty_name = fields["PRETTY_NAME"].empty() ? fields["NAME"] : fields["PRETTY_NAME"];
    found.family = family_of(found.id, found.id_like);
    found.major_version = leading_number(found.version_id);
    return found;
}

Fact<Distribution> distribution(const Root& root) {
    auto found = fact_from<Distribution>(root, "etc/os-release", kMaxFile, parse_os_release);
    if (found.is_known()) {
        return found;
    }
    auto second = fact_from<Distribution>(root, "usr/lib/os-release", kMaxFile, parse_os_release);
    return second.is_known() ? second : found;
}

Fact<bool> has_program(const Root& root, std::string_view name) {
    std::string problem;
    for (const std::string_view folder : kProgramFolders) {
        const std::string path = std::string(folder) + std::string(name);
        const auto status = root.status(path);
        if (status && S_ISREG(status->st_mode) && (status->st_mode & 0111U) != 0) {
            return Fact<bool>::known(true, "/" + path);
        }
        if (!status && !is_missing(status.error())) {
            problem = status.error().message();
        }
    }
    return problem.empty() ? Fact<bool>::known(false, "folders of programs")
                           : Fact<bool>::unknown(problem);
}

Fact<PackageManager> package_manager(const Root& root, const Fact<Distribution>& distribution) {
    const ManagerProgram* found = nullptr;
    for (const auto& row : kManagers) {
        const auto there = has_program(root, row.program);
        if (!there.is_known() || !*there) {
            continue;
        }
        const bool own = distribution.is_known() && belongs_to(row.manager, distribution->family);
        if (own) {
            return Fact<PackageManager>::known(row.manager, there.source);
        }
        found = found == nullptr ? &row : found;
    }
    if (found == nullptr) {
        return Fact<PackageManager>::unknown("no program of a package manager that we know");
    }
    return Fact<PackageManager>::known(found->manager, std::string(found->program));
}

Fact<bool> has_clang(const Root& root) {
    for (const std::string_view folder : {"usr/bin", "usr/local/bin"}) {
        const auto names = root.list(folder, 65'536);
        if (!names && !is_missing(names.error())) {
            return Fact<bool>::unknown(names.error().message());
        }
        for (const auto& name : names.value_or(std::vector<std::string>{})) {
            unsigned version = 0;
            const bool fits = name == "clang" ||
                              (name.starts_with("clang-") && parse_number(name.substr(6), version));
            const auto path = std::string(folder) + "/" + name;
            // A link that leads nowhere is no compiler.
            const auto status =
                fits ? root.status(path) : fail(std::errc::no_such_file_or_directory, path);
            if (status && S_ISREG(status->st_mode)) {
                return Fact<bool>::known(true, "/" + path);
            }
        }
    }
    return Fact<bool>::known(false, "/usr/bin");
}

}  // namespace vigia::host
