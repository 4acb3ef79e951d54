// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

#include "base/files.h"
#include "sensors/ebpf/cgroup_root.h"

namespace vigia::test {

// A v2 cgroup of the test's own, so that what it refuses is refused to nobody else.
class TestCgroup {
public:
    explicit TestCgroup(const std::string& name) {
        const auto root = sensors::find_cgroup_root(
            read_file("/proc/self/mountinfo", 16U << 20U).value_or(std::string{}));
        if (root) {
            path_ = *root + "/vigia-test-" + name + '-' + std::to_string(::getpid());
            std::error_code error;
            std::filesystem::create_directory(path_, error);
            if (error) {
                path_.clear();
            }
        }
    }

    TestCgroup(const TestCgroup&) = delete;
    TestCgroup& operator=(const TestCgroup&) = delete;

    // Its processes must have ended.
    ~TestCgroup() {
        if (!path_.empty()) {
            (void)::rmdir(path_.c_str());
        }
    }

    // Empty: there is no v2 hierarchy, or it may not be changed.
    [[nodiscard]] const std::string& path() const { return path_; }

    [[nodiscard]] bool take(pid_t pid) const {
        const auto file = open_at(AT_FDCWD, (path_ + "/cgroup.procs").c_str(), O_WRONLY);
        return file && write_all(file->get(), std::to_string(pid)).has_value();
    }

private:
    std::string path_;
};

}  // namespace vigia::test
