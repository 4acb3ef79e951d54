// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <cstddef>
#include <utility>

#include "host/accounts.h"

namespace vigia::host {
namespace {

constexpr std::size_t kMaxTable = 1024;
constexpr std::size_t kMaxGroupFile = std::size_t{16} * 1024 * 1024;

const char* kind_name(mode_t mode) {
    switch (mode & S_IFMT) {
        case S_IFDIR:
            return "folder";
        case S_IFREG:
            return "file";
        case S_IFLNK:
            return "symbolic link";
        case S_IFSOCK:
            return "socket";
        case S_IFIFO:
            return "FIFO";
        default:
            return "device";
    }
}

mode_t type_bits(PathKind kind) {
    switch (kind) {
        case PathKind::Folder:
            return S_IFDIR;
        case PathKind::File:
            return S_IFREG;
        case PathKind::Socket:
            return S_IFSOCK;
    }
    return 0;
}

gid_t gid_of(const std::vector<AccountGroup>& groups, std::string_view name) {
    const auto found = std::ranges::find(groups, name, &AccountGroup::name);
    return found == groups.end() ? 0 : found->gid;
}

void check(const Root& root, const ExpectedPath& row, const ModeAndOwner& expected, OwnPaths& out) {
    const auto status = root.status(row.path, false);
    PathDeviation deviation{.path = "/" + row.path, .expected = expected};
    if (!status && is_missing(status.error())) {
        if (row.required) {
            out.wrong.push_back(std::move(deviation));
        }
        return;
    }
    if (!status) {
        out.unknown.push_back(deviation.path + ": " + status.error().message());
        return;
    }
    const ModeAndOwner found{
        .mode = status->st_mode & 07777U, .uid = status->st_uid, .gid = status->st_gid};
    deviation.found = found;
    if ((status->st_mode & S_IFMT) != type_bits(row.kind)) {
        deviation.what = PathDeviation::What::WrongKind;
        deviation.found_kind = kind_name(status->st_mode);
        out.wrong.push_back(std::move(deviation));
    } else if (found != expected) {
        deviation.what = PathDeviation::What::WrongModeOrOwner;
        out.wrong.push_back(std::move(deviation));
    }
}

}  // namespace

OwnPaths own_paths(const Root& root, const std::vector<ExpectedPath>& table, const Root* accounts) {
    OwnPaths out;
    const auto groups = (accounts == nullptr ? root : *accounts).read("etc/group", kMaxGroupFile);
    const auto known = groups ? parse_group(*groups) : std::vector<AccountGroup>{};
    for (const auto& row : table) {
        if (out.checked == kMaxTable) {
            out.unknown.emplace_back("the table is longer than what is checked");
            break;
        }
        ++out.checked;
        check(root, row, {.mode = row.mode, .uid = row.uid, .gid = gid_of(known, row.group)}, out);
    }
    return out;
}

std::vector<ExpectedPath> installed_paths() {
    std::vector<ExpectedPath> table;
    for (const char* folder : {"usr/lib/vigia",
                               "etc/vigia",
                               "var/lib/vigia",
                               "var/lib/vigia/definitions",
                               "var/lib/vigia/definitions/incoming",
                               "var/lib/vigia/definitions/generations",
                               "var/lib/vigia/definitions/rejected",
                               "var/lib/vigia/canary"}) {
        table.push_back({.path = folder});
    }
    table.push_back({.path = "usr/share/vigia", .required = false});
    table.push_back({.path = "run/vigia", .required = false});  // a tmpfs: there while it runs
    table.push_back({.path = "var/lib/vigia/quarantine", .mode = 0700});
    table.push_back({.path = "var/log/vigia", .mode = 0750, .group = "adm"});
    for (const char* program : {"usr/sbin/vigiad",
                                "usr/bin/vigia",
                                "usr/lib/vigia/vigia-scand",
                                "usr/lib/vigia/vigia-hash",
                                "usr/lib/vigia/vigia-heal"}) {
        table.push_back({.path = program, .kind = PathKind::File});
    }
    table.push_back(
        {.path = "etc/vigia/policy.toml", .kind = PathKind::File, .mode = 0644, .required = false});
    table.push_back({.path = "var/lib/vigia/journal.db",
                     .kind = PathKind::File,
                     .mode = 0600,
                     .required = false});
    table.push_back({.path = "var/lib/vigia/policy.last-good.toml",
                     .kind = PathKind::File,
                     .mode = 0600,
                     .required = false});
    table.push_back({.path = "run/vigia/status.sock",
                     .kind = PathKind::Socket,
                     .mode = 0666,
                     .required = false});
    table.push_back({.path = "run/vigia/control.sock",
                     .kind = PathKind::Socket,
                     .mode = 0600,
                     .required = false});
    return table;
}

}  // namespace vigia::host
