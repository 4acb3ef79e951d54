// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/subprocess.h"

// Storms, made by processes of their own: the test program starts itself again with arguments that
// run_storm_or_tests(), which is its main(), knows.
namespace vigia::test {

// Processes that write `files` small files between them, one in `every` of them infected ("bad…"),
// into folders w0, w1, … of `folder`. All have the names of data that nothing runs.
[[nodiscard]] std::vector<Subprocess> start_file_storm(const std::filesystem::path& folder,
                                                       int writers,
                                                       int files,
                                                       int every);

// One process that connects to itself over loopback, or starts /bin/true, again and again for so
// many milliseconds. With `pause` it works every other so many milliseconds.
[[nodiscard]] Subprocess start_connect_storm(int milliseconds, int pause = 0);
[[nodiscard]] Subprocess start_exec_storm(int milliseconds);

// The storm that these arguments ask for, or the tests. Returns the exit status.
[[nodiscard]] int run_storm_or_tests(int argc, char** argv);

// Files below `folder` whose names begin so.
[[nodiscard]] int count_files(const std::filesystem::path& folder, const std::string& prefix);

// A sysctl set anew, and back again at the end.
class Sysctl {
public:
    Sysctl(std::filesystem::path file, const std::string& value);
    Sysctl(const Sysctl&) = delete;
    Sysctl& operator=(const Sysctl&) = delete;
    ~Sysctl();

private:
    std::filesystem::path file_;
    std::string before_;
};

}  // namespace vigia::test
