// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/file_handle.h"

#include <fcntl.h>
#include <sys/vfs.h>

#include <array>
#include <cstring>

namespace vigia::host {

Result<FileSystemId> file_system_of(int fd) {
    struct statfs info{};
    if (::fstatfs(fd, &info) < 0) {
        return fail_errno("statfs");
    }
    std::array<std::uint32_t, 2> words{};
    static_assert(sizeof words == sizeof info.f_fsid);
    std::memcpy(words.data(), &info.f_fsid, sizeof words);
    return FileSystemId{.word0 = words[0], .word1 = words[1]};
}

Result<FileHandle> handle_at(int folder, const char* name) {
    struct Buffer {
        alignas(file_handle) std::array<char, sizeof(file_handle) + MAX_HANDLE_SZ> bytes{};
    } buffer;

    auto* handle = reinterpret_cast<file_handle*>(buffer.bytes.data());
    handle->handle_bytes = MAX_HANDLE_SZ;
    int mount = 0;
    const int flags = *name == '\0' ? AT_EMPTY_PATH : 0;
    if (::name_to_handle_at(folder, name, handle, &mount, flags) < 0) {
        return fail_errno("name_to_handle_at");
    }
    return FileHandle{.type = handle->handle_type,
                      .bytes = std::string(buffer.bytes.data() + offsetof(file_handle, f_handle),
                                           handle->handle_bytes)};
}

Result<ObjectId> object_of(int fd) {
    return ObjectId{.fs = TRY(file_system_of(fd)), .handle = TRY(handle_at(fd, ""))};
}

}  // namespace vigia::host
