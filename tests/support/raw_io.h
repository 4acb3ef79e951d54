// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace vigia::test {

// Ways of writing that libraries hide: by system calls alone. Each returns "" if all bytes were
// written at offset 0, else what the kernel refused.
[[nodiscard]] std::string write_by_aio(int fd, std::string_view content);
[[nodiscard]] std::string write_by_io_uring(int fd, std::string_view content);

}  // namespace vigia::test
