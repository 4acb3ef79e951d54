// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "host/parse.h"
#include "host/root.h"
#include "model/facts.h"
#include "model/host_facts.h"
#include "model/sha256.h"

namespace vigia::host {

// Where a package says what it installed: lines as sha256sum(1) writes and checks them, with
// absolute paths.
inline constexpr std::string_view kManifestName = "manifest.sha256";
inline constexpr std::string_view kInstalledPrograms = "usr/lib/vigia";

struct ManifestLine {
    Sha256 sha256;
    std::string path;  // without the first slash, as Root takes it

    bool operator==(const ManifestLine&) const = default;
};

// At least one line; a path of "..", a relative one or one named twice is an error.
[[nodiscard]] Parsed<std::vector<ManifestLine>> parse_manifest(std::string_view text);

// Compares what is installed with what the package brought. A file whose inode, size and times are
// those of the last look is not read again, until `kReadAgain` has passed. One thread at a time;
// reads files, so not the loop's.
class Installation {
public:
    static constexpr std::chrono::hours kReadAgain{1};

    // `folder`: that of the manifest, below the root, without the first slash.
    explicit Installation(std::string folder) : folder_(std::move(folder)) {}

    [[nodiscard]] Facts::Installation look(const Root& root, BootTime now);

private:
    // As of the last time that the content was read.
    struct Seen {
        struct timespec changed{};
        struct timespec modified{};
        ino_t inode = 0;
        off_t size = -1;
        BootTime at{};
        Sha256 sha256;
    };

    [[nodiscard]] std::optional<Facts::Installation::Difference> compare(const Root& root,
                                                                         const ManifestLine& line,
                                                                         BootTime now);
    [[nodiscard]] Result<Sha256> digest_of(const Root& root, const std::string& path, BootTime now);

    const std::string folder_;
    std::map<std::string, Seen> seen_;
};

// The command that puts the package in again, for this host.
void describe_installation(const HostFacts& host, Facts& facts);

}  // namespace vigia::host
