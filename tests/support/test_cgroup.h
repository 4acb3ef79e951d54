// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
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
            const auto prefix = "vigia-test-" + name + '-';
            remove_leftovers(*root, prefix);
            path_ = *root + '/' + prefix + std::to_string(::getpid());
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
    // Of tests that were killed. One that is in use is not empty, and the kernel keeps it.
    static void remove_leftovers(const std::string& root, const std::string& prefix) {
        std::error_code error;
        for (const auto& entry : std::filesystem::directory_iterator(root, error)) {
            const auto name = entry.path().filename().native();
            if (!name.starts_with(prefix)) {
                continue;
            }
            pid_t pid = 0;
            const auto* end = name.data() + name.size();
            const auto parsed = std::from_chars(name.data() + prefix.size(), end, pid);
            if (parsed.ec == std::errc{} && parsed.ptr == end && pid > 0 && ::kill(pid, 0) != 0 &&
                errno == ESRCH) {
                (void)::rmdir(entry.path().c_str());
            }
        }
    }

    std::string path_;
};

}  // namespace vigia::test
