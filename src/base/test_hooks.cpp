// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/test_hooks.h"

#ifdef VIGIA_TEST_HOOKS
#include <unistd.h>

#include <cstdlib>
#endif

namespace vigia {

#ifdef VIGIA_TEST_HOOKS
bool test_switch(const char* variable) {
    const char* const file =
        std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): nobody sets it
    return file != nullptr && ::access(file, F_OK) == 0;
}
#else
bool test_switch(const char* /*variable*/) {
    return false;
}
#endif

}  // namespace vigia
