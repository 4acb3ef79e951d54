// SPDX-License-Identifier: GPL-2.0-or-later
#include "heal/repairs.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/subprocess.h"
#include "base/text.h"
#include "host/accounts.h"
#include "host/root.h"

namespace vigia::heal {
namespace {

constexpr const char* kUser = "vigia-scan";
constexpr std::chrono::seconds kPatience{20};

Result<> mend(int root, const PathDeviation& wrong) {
    const auto& expected = wrong.expected;
    const auto path = printable(wrong.path);
    const auto inside = wrong.path.substr(wrong.path.find_first_not_of('/'));
    if (wrong.what == PathDeviation::What::WrongKind) {
        return fail(std::errc::not_a_directory,
                    path + " is a " + wrong.found_kind + "; look at it and take it away");
    }
    if (wrong.what == PathDeviation::What::Missing &&
        ::mkdirat(root, inside.c_str(), expected.mode) < 0 && errno != EEXIST) {
        return fail_errno("make " + path);
    }
    const auto found = TRY(open_beneath(
        root, inside.c_str(), O_PATH | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS));
    // O_PATH cannot be given to fchmod; the kernel's name for it leads to the same inode.
    const auto self = "/proc/self/fd/" + std::to_string(found.get());
    if (::fchownat(found.get(), "", expected.uid, expected.gid, AT_EMPTY_PATH) < 0) {
        return fail_errno("chown " + path);
    }
    if (::chmod(self.c_str(), expected.mode) < 0) {
        return fail_errno("chmod " + path);
    }
    return {};
}

Result<> run(const char* program, std::vector<std::string> arguments) {
    auto child = TRY(Subprocess::start({.program = program,
                                        .arguments = std::move(arguments),
                                        .descriptors = {{1, 1}, {2, 2}}}),
                     program);
    const auto status = child.wait(kPatience);
    if (!status) {
        return fail(std::errc::timed_out, program);
    }
    return *status == 0
               ? Result<>{}
               : Result<>{fail(std::errc::operation_not_permitted,
                               std::string(program) + ": " + describe_wait_status(*status))};
}

std::string first_of(const std::array<const char*, 2>& programs) {
    return ::access(programs[0], X_OK) == 0 ? programs[0] : programs[1];
}

}  // namespace

Result<> restore_access(const std::filesystem::path& prefix) {
    const auto folder = prefix.empty() ? std::filesystem::path("/") : prefix;
    const auto root = TRY(host::Root::open(folder), "open the root");
    const auto top = TRY(open_at(AT_FDCWD, folder.c_str(), O_PATH | O_DIRECTORY), "open the root");
    auto table = host::installed_paths();
    if (!prefix.empty()) {
        std::erase_if(table,
                      [](const ExpectedPath& path) { return path.path.starts_with("usr/"); });
    }
    const auto machine = TRY(host::Root::open("/"), "open the root");
    Result<> first{};
    for (const auto& wrong : host::own_paths(root, table, &machine).wrong) {
        const auto mended = mend(top.get(), wrong);
        if (!mended && first) {
            first = mended;
        }
    }
    return first;
}

Result<> create_scan_user() {
    const auto root = TRY(host::Root::open("/"), "open the root");
    const auto facts = host::scan_user(root, kUser);
    if (!facts.users.is_known() || !facts.groups.is_known()) {
        return fail(std::errc::io_error, "the accounts cannot be read: " + facts.users.why_unknown);
    }
    if (facts.groups->empty()) {
        const auto program = first_of({"/usr/sbin/groupadd", "/sbin/groupadd"});
        TRY(run(program.c_str(), {"--system", kUser}));
    }
    if (facts.users->empty()) {
        const auto program = first_of({"/usr/sbin/useradd", "/sbin/useradd"});
        TRY(run(program.c_str(),
                {"--system",
                 "--gid",
                 kUser,
                 "--no-create-home",
                 "--home-dir",
                 "/nonexistent",
                 "--shell",
                 "/usr/sbin/nologin",
                 kUser}));
    }
    return {};
}

}  // namespace vigia::heal
