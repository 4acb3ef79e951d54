// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "base/result.h"
#include "model/file_identity.h"

namespace vigia::host {

// statfs f_fsid of the file system that an open descriptor lies on.
[[nodiscard]] Result<FileSystemId> file_system_of(int fd);

// The handle of a name in a folder (symbolic links not followed), or of the descriptor itself when
// `name` is empty. EOPNOTSUPP where the file system cannot encode handles (plain overlay).
[[nodiscard]] Result<FileHandle> handle_at(int folder, const char* name);

// Both, for an open descriptor (O_PATH will do).
[[nodiscard]] Result<ObjectId> object_of(int fd);

}  // namespace vigia::host
