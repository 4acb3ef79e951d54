// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/installation.h"

#include <set>

#include "host/remedy_facts.h"
#include "wire/digest.h"

namespace vigia::host {
namespace {

constexpr std::size_t kMaxManifest = std::size_t{256} << 10U;
constexpr std::size_t kMaxFiles = 1024;
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{256} << 20U;

bool is_same(const struct timespec& left, const struct timespec& right) {
    return left.tv_sec == right.tv_sec && left.tv_nsec == right.tv_nsec;
}

// "HEX  /path" and "HEX */path".
std::optional<ManifestLine> parse_line(std::string_view line) {
    constexpr std::size_t kHexDigits = 64;
    if (line.size() < kHexDigits + 4 || line[kHexDigits] != ' ' || line[kHexDigits + 2] != '/') {
        return std::nullopt;
    }
    const auto digest = Sha256::parse(line.substr(0, kHexDigits));
    const auto path = line.substr(kHexDigits + 3);
    if (!digest || ("/" + std::string(path) + "/").find("/../") != std::string::npos) {
        return std::nullopt;
    }
    return ManifestLine{.sha256 = *digest, .path = std::string(path)};
}

}  // namespace

Parsed<std::vector<ManifestLine>> parse_manifest(std::string_view text) {
    std::vector<ManifestLine> lines;
    std::set<std::string, std::less<>> paths;
    while (!text.empty()) {
        auto line = parse_line(take_line(text));
        const auto number = std::to_string(lines.size() + 1);
        if (!line) {
            return std::unexpected("line " + number + " is not a SHA-256 and an absolute path");
        }
        if (!paths.insert(line->path).second) {
            return std::unexpected("line " + number + " names a file a second time");
        }
        if (lines.size() == kMaxFiles) {
            return std::unexpected("it names more than " + std::to_string(kMaxFiles) + " files");
        }
        lines.push_back(*std::move(line));
    }
    if (lines.empty()) {
        return std::unexpected("it is empty");
    }
    return lines;
}

Result<Sha256> Installation::digest_of(const Root& root, const std::string& path, BootTime now) {
    const auto status = TRY(root.status(path));
    auto& seen = seen_[path];
    const bool same = seen.inode == status.st_ino && seen.size == status.st_size &&
                      is_same(seen.changed, status.st_ctim) &&
                      is_same(seen.modified, status.st_mtim);
    if (!same || now - seen.at >= kReadAgain) {
        seen = {};
        const auto file = TRY(root.open_file(path));
        const auto digest = TRY(wire::sha256_of_file(file.get(), kMaxFileBytes));
        seen = {.changed = status.st_ctim,
                .modified = status.st_mtim,
                .inode = status.st_ino,
                .size = status.st_size,
                .at = now,
                .sha256 = digest};
    }
    return seen.sha256;
}

std::optional<Facts::Installation::Difference> Installation::compare(const Root& root,
                                                                     const ManifestLine& line,
                                                                     BootTime now) {
    const auto found = digest_of(root, line.path, now);
    if (found && *found == line.sha256) {
        return std::nullopt;
    }
    Facts::Installation::Difference difference{.path = "/" + line.path, .expected = line.sha256};
    if (found) {
        difference.found = *found;
    } else {
        difference.error = is_missing(found.error()) ? "missing" : found.error().message();
    }
    return difference;
}

Facts::Installation Installation::look(const Root& root, BootTime now) {
    Facts::Installation out{.known = true};
    const std::string path = folder_ + "/" + std::string(kManifestName);
    const auto text = root.read(path, kMaxManifest);
    const bool installed =
        folder_ == kInstalledPrograms && root.exists(folder_ + "/vigia-scand").value_or(false);
    if (!text && is_missing(text.error()) && !installed) {
        return out;  // built here, not installed
    }
    out.manifest = "/" + path;
    if (!text) {
        out.manifest_error = is_missing(text.error()) ? "missing" : text.error().message();
        return out;
    }
    const auto lines = parse_manifest(*text);
    if (!lines) {
        out.manifest_error = lines.error();
        return out;
    }
    std::erase_if(seen_, [&](const auto& entry) {
        return std::ranges::none_of(
            *lines, [&](const ManifestLine& line) { return line.path == entry.first; });
    });
    out.files = lines->size();
    for (const auto& line : *lines) {
        if (auto difference = compare(root, line, now)) {
            out.differences.push_back(*std::move(difference));
        }
    }
    return out;
}

void describe_installation(const HostFacts& host, Facts& facts) {
    facts.installation.reinstall_command = reinstall_command(host, "vigia").value_or("");
}

}  // namespace vigia::host
