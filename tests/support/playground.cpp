// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/playground.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "support/process.h"

namespace vigia::test {
namespace {

// Ours alone from now on; what others mount goes on appearing here, nothing of ours appears there.
bool enter_namespace() {
    static const bool entered = ::unshare(CLONE_NEWNS) == 0 &&
                                ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    return entered;
}

}  // namespace

Playground::Playground() {
    std::string pattern = "/tmp/vigia-test-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
    if (!enter_namespace()) {
        ADD_FAILURE() << "system tests need root: unshare(CLONE_NEWNS) refused";
    }
}

Playground::~Playground() {
    while (!mounts_.empty()) {
        unmount(mounts_.back());
    }
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
}

std::filesystem::path Playground::tmpfs(const std::string& name, const std::string& options) {
    auto point = root_ / name;
    std::filesystem::create_directories(point);
    EXPECT_EQ(::mount("vigia-test", point.c_str(), "tmpfs", 0, options.c_str()), 0);
    mounts_.push_back(point);
    return point;
}

std::filesystem::path Playground::loop(const std::string& name,
                                       const std::string& type,
                                       unsigned mebibytes) {
    const auto image = root_ / (name + ".img");
    auto point = root_ / name;
    std::filesystem::create_directories(point);
    std::ofstream(image).flush();
    std::filesystem::resize_file(image, std::uintmax_t{mebibytes} << 20U);
    const auto made = run("/bin/sh", {"-c", "exec mkfs." + type + " -q " + image.native()});
    EXPECT_EQ(made.exit, 0) << made.err;
    const auto mounted =
        run("/bin/mount", {"-t", type, "-o", "loop", image.native(), point.native()});
    EXPECT_EQ(mounted.exit, 0) << mounted.err;
    mounts_.push_back(point);
    return point;
}

void Playground::unmount(const std::filesystem::path& point) {
    ::umount2(point.c_str(), MNT_DETACH);
    std::erase(mounts_, point);
}

void write_file(const std::filesystem::path& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
}

std::string read_text(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

}  // namespace vigia::test
