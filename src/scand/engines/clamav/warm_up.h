// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <iconv.h>

#include <vector>

namespace vigia::scand {

// libclamav and what lies under it open some things at first use: character-set modules, OpenSSL's
// configuration, the time zone. In the sandbox they could not be had any more, and the verdicts
// would differ (hard-parts 12). So they are used once before; to be kept for as long as files are
// scanned, because glibc unloads a module nobody holds.
class WarmUp {
public:
    // After cl_init().
    WarmUp();
    WarmUp(const WarmUp&) = delete;
    WarmUp& operator=(const WarmUp&) = delete;
    WarmUp(WarmUp&&) = delete;
    WarmUp& operator=(WarmUp&&) = delete;
    ~WarmUp();

private:
    std::vector<iconv_t> converters_;
};

}  // namespace vigia::scand
