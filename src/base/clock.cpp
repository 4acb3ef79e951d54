// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/clock.h"

#include <fmt/format.h>

#include <ctime>

#ifdef VIGIA_TEST_HOOKS
#include <cstdlib>
#include <fstream>
#endif

namespace vigia {
namespace {

#ifdef VIGIA_TEST_HOOKS
// The machine's clock is never set. A test moves ours alone, by the seconds that
// stand in the file named by this variable. Not in what users get.
std::chrono::seconds test_offset() {
    static const char* const kFile =
        std::getenv("VIGIA_TEST_CLOCK_OFFSET");  // NOLINT(concurrency-mt-unsafe): nobody sets it
    std::int64_t seconds = 0;
    if (kFile != nullptr) {
        std::ifstream(kFile) >> seconds;
    }
    return std::chrono::seconds{seconds};
}
#else
constexpr std::chrono::seconds test_offset() {
    return std::chrono::seconds{0};
}
#endif

}  // namespace

BootTime BootClock::now() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return BootTime{std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec}};
}

WallTime Clock::wall() const {
    return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now() +
                                                                  test_offset());
}

std::string to_iso8601(WallTime time) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(time - seconds);
    const std::time_t since_epoch = seconds.time_since_epoch().count();
    std::tm utc{};
    ::gmtime_r(&since_epoch, &utc);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
                       utc.tm_year + 1900,
                       utc.tm_mon + 1,
                       utc.tm_mday,
                       utc.tm_hour,
                       utc.tm_min,
                       utc.tm_sec,
                       millis.count());
}

std::string to_text(std::chrono::nanoseconds duration) {
    using namespace std::chrono_literals;
    if (duration < 1s) {
        return fmt::format("{} ms", duration / 1ms);
    }
    if (duration < 1min) {
        return fmt::format("{} s", duration / 1s);
    }
    if (duration < 1h) {
        return fmt::format("{} min {} s", duration / 1min, duration % 1min / 1s);
    }
    if (duration < 24h) {
        return fmt::format("{} h {} min", duration / 1h, duration % 1h / 1min);
    }
    return fmt::format("{} d {} h", duration / 24h, duration % 24h / 1h);
}

}  // namespace vigia
