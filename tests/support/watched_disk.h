// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "definitions/builtin.h"
#include "support/instance.h"
#include "support/playground.h"

namespace vigia::test {

// An ext4 of the test's own with a watched folder and one beside it.
class WatchedDisk : public testing::Test {
protected:
    explicit WatchedDisk(unsigned mebibytes = 256)
        : disk_(ground_.loop("disk", "ext4", mebibytes)) {
        std::filesystem::create_directories(watched_);
        std::filesystem::create_directories(outside_);
    }

    Instance::Options options(const std::string& more = "") const {
        return {.prefix = ground_.root() / "p", .watch = {watched_.native()}, .more = more};
    }

    // What the vault says was put away from under the watch.
    static std::size_t in_vault(const Instance& instance) {
        return instance.json({"quarantine", "list"}).at("items").size();
    }

    Playground ground_;
    std::filesystem::path disk_;
    std::filesystem::path watched_ = disk_ / "watched";
    std::filesystem::path outside_ = disk_ / "outside";
    const std::string eicar_ = definitions::eicar_content();
};

}  // namespace vigia::test
