// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace vigia::test {

// A root folder of a machine that does not exist, in a temporary folder: files by their ordinary
// paths, without the first slash. Removed with everything in it when it goes.
class RootFixture {
public:
    RootFixture() {
        std::string name = (std::filesystem::temp_directory_path() / "vigia-root-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) {
            throw std::runtime_error("mkdtemp");
        }
        folder_ = name;
    }

    RootFixture(const RootFixture&) = delete;
    RootFixture& operator=(const RootFixture&) = delete;

    ~RootFixture() {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    [[nodiscard]] const std::filesystem::path& path() const { return folder_; }

    RootFixture& file(std::string_view name, std::string_view content, mode_t mode = 0644) {
        const auto where = place(name);
        std::ofstream(where, std::ios::binary) << content;
        ::chmod(where.c_str(), mode);
        return *this;
    }

    RootFixture& program(std::string_view name) { return file(name, "#!\n", 0755); }

    RootFixture& folder(std::string_view name, mode_t mode = 0755) {
        const auto where = place(name);
        std::filesystem::create_directories(where);
        ::chmod(where.c_str(), mode);
        return *this;
    }

    RootFixture& link(std::string_view name, std::string_view target) {
        std::filesystem::create_symlink(std::filesystem::path(target), place(name));
        return *this;
    }

    RootFixture& remove(std::string_view name) {
        std::filesystem::remove_all(folder_ / name);
        return *this;
    }

    // A kernel as it lies on a disk: image, modules, configuration.
    RootFixture& kernel(const std::string& release, std::string_view config) {
        file("boot/vmlinuz-" + release, "image");
        folder("lib/modules/" + release + "/kernel");
        return file("boot/config-" + release, config);
    }

    // That kernel runs.
    RootFixture& running(const std::string& release) {
        return file("proc/sys/kernel/osrelease", release + "\n");
    }

    RootFixture& btf() {
        using std::string_view_literals::operator""sv;
        return file("sys/kernel/btf/vmlinux", "\x9f\xeb\x01\0\x18\0\0\0"sv);
    }

    // A tree as linux-headers or kernel-devel makes it, and the link that leads to it.
    RootFixture& headers(const std::string& release, const std::string& tree) {
        file(tree + "/include/generated/autoconf.h", "#define CONFIG_X86_64 1\n");
        file(tree + "/include/generated/utsrelease.h", "#define UTS_RELEASE \"" + release + "\"\n");
        file(tree + "/include/linux/sched.h", "struct task_struct;\n");
        file(tree + "/Makefile", "\n");
        return link("lib/modules/" + release + "/build", "/" + tree);
    }

private:
    [[nodiscard]] std::filesystem::path place(std::string_view name) const {
        auto where = folder_ / name;
        std::filesystem::create_directories(where.parent_path());
        return where;
    }

    std::filesystem::path folder_;
};

// What distributions build in today.
inline constexpr std::string_view kFullConfig =
    "CONFIG_BPF=y\nCONFIG_BPF_SYSCALL=y\nCONFIG_BPF_EVENTS=y\nCONFIG_CGROUPS=y\n"
    "CONFIG_CGROUP_BPF=y\nCONFIG_DEBUG_INFO_BTF=y\nCONFIG_FANOTIFY=y\n"
    "CONFIG_FANOTIFY_ACCESS_PERMISSIONS=y\nCONFIG_TRACEPOINTS=y\nCONFIG_PERF_EVENTS=y\n";

}  // namespace vigia::test
