// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// The walls around a child that handles foreign bytes, one function each, to be built in this
// order. All act on the calling process, which must have one thread only. None can be taken down
// again. What a kernel cannot do is an error here; the caller says what is missing (hard-parts 11).
namespace vigia::sandbox {

struct User {
    uid_t uid = 0;
    gid_t gid = 0;
};

// Nothing: there is no such user (fault 5). Also loads what NSS loads late.
[[nodiscard]] Result<std::optional<User>> find_user(const std::string& name);

// No core dumps; no debugger, not even of the same user. Again after drop_privileges(), because a
// change of user turns it back.
[[nodiscard]] Result<> forbid_inspection();

struct ReadOnlyFolder {
    int descriptor = -1;  // O_DIRECTORY of the host; its path need not be reachable for the child
    std::string place;    // in the new root, relative: "definitions/0"
};

struct PrivateFolder {
    std::string place;
    std::uint64_t bytes = 0;  // its tmpfs holds no more
};

struct EmptyRoot {
    std::vector<ReadOnlyFolder> read_only = {};
    std::vector<PrivateFolder> writable = {};  // mode 0700, owned by `owner`
    User owner = {};
};

// Private mount, network, IPC and UTS namespaces, and a root that holds nothing but these folders
// (nosuid, nodev, noexec). The old root is gone; the working folder is the new one. EPERM where the
// process has no right to it: nothing has changed then. Needs Linux 5.12.
[[nodiscard]] Result<> enter_empty_root(const EmptyRoot& root);

// Becomes the user for good (only root can; anybody else stays who they are), or stays uid 0 if
// there is none; in each case without any capability in any set and without a way to new ones.
// Verified.
[[nodiscard]] Result<> drop_privileges(const std::optional<User>& user);

// SIGKILL when the parent ends; an error if it already has. `parent`: getppid() at the start. To be
// called after drop_privileges(), because a change of user takes it back.
[[nodiscard]] Result<> die_with(pid_t parent);

struct FileRight {
    int descriptor = -1;  // a folder; O_PATH will do
    bool writable = false;
};

// Landlock, with all rights handled that the kernel and we know (up to ABI 7): files only below
// these folders, never executed; no TCP; no signals and no abstract sockets beyond the sandbox.
// Layers add up. Gives the ABI in force, 0 where the kernel has no Landlock.
[[nodiscard]] Result<int> restrict_files(std::span<const FileRight> rights);

// (argument `index` & mask) == value
struct Condition {
    unsigned index = 0;
    std::uint64_t mask = 0;
    std::uint64_t value = 0;
};

inline constexpr std::uint64_t kWholeInt = 0xffffffff;  // the kernel looks at 32 bits of an int

// One allowed call; a name that this architecture does not have is passed over. The same name may
// come more than once: any of its entries lets the call through.
struct SystemCall {
    std::string_view name;
    std::vector<Condition> conditions = {};
};

// What every child of ours does: messages, memory that is never executable, files within Landlock,
// time, its own end. Nothing in it names another process.
[[nodiscard]] std::vector<SystemCall> common_system_calls();

// seccomp: everything else is EPERM. An errno rather than a kill, because libraries probe for calls
// they can do without, and because a proof from the inside must live to tell (issue 2, case 6).
// Calls of a foreign architecture kill. Layers add up.
[[nodiscard]] Result<> restrict_system_calls(std::span<const SystemCall> allowed);

}  // namespace vigia::sandbox
