// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

#include "base/files.h"
#include "support/told_faults.h"
#include "support/watched_disk.h"

namespace vigia::test {

// An instance whose state lies on a small disk of its own that is filled, damaged and taken away;
// what it watches lies on another one.
class FaultStorage : public WatchedDisk {
protected:
    static constexpr int kStorageFault = 104;
    static constexpr int kUserFault = 5;

    FaultStorage() : store_(ground_.loop("store", "ext4", 64)) {}

    // Its state on the small disk, what it watches on the other one.
    [[nodiscard]] Instance::Options on_small_disk() const {
        return {.prefix = store_,
                .watch = {watched_.native()},
                .more = quiet_policy("overrides = [{ id = 104, window = \"3s\", "
                                     "clear_after = \"0ms\" }]")};
    }

    // Takes all room that is left, to the last block.
    void fill() const {
        const auto filler =
            open_at(AT_FDCWD, (store_ / "filler").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        ASSERT_TRUE(filler.has_value());
        for (std::size_t size = std::size_t{1} << 20U; size >= 512; size /= 2) {
            const std::string block(size, 'f');
            while (::write(filler->get(), block.data(), size) > 0) {
            }
        }
    }

    void make_room() const { std::filesystem::remove(store_ / "filler"); }

    static void remount(const std::filesystem::path& point, unsigned long flags) {
        ASSERT_EQ(::mount(nullptr, point.c_str(), nullptr, MS_REMOUNT | flags, nullptr), 0)
            << std::system_category().message(errno);
    }

    // Another infected file, so that something has to be written down.
    std::filesystem::path infect() {
        auto file = watched_ / fmt::format("bad-{}", ++infected_);
        write_file(file, eicar_);
        return file;
    }

    [[nodiscard]] std::size_t infected_left() const {
        std::size_t left = 0;
        for (const auto& entry : std::filesystem::directory_iterator(watched_)) {
            left += entry.path().filename().native().starts_with("bad-") ? 1U : 0U;
        }
        return left;
    }

    // Each episode of the fault was told once and ended once, in the file and in the journal.
    void expect_told_once(const Instance& instance, std::size_t episodes) const {
        ASSERT_TRUE(eventually([&] {
            return told_faults(lines_of(instance.path("var/log/vigia/events.jsonl"))) ==
                   told_faults(instance.events("fault"));
        })) << "the file has what the journal has";
        std::size_t found = 0;
        const auto episodes_told = told_faults(instance.events("fault"));
        for (const auto& [uid, told] : episodes_told) {
            found += told.id == kStorageFault ? 1U : 0U;
            EXPECT_EQ(told.raised, 1) << told.id << " " << uid;
            EXPECT_EQ(told.recovered, 0) << told.id << " " << uid;
            EXPECT_EQ(told.cleared, 1) << told.id << " " << uid;
        }
        EXPECT_EQ(found, episodes);
        const auto history = instance.json({"faults", "history"});
        for (const auto& episode : history.at("episodes")) {
            EXPECT_EQ(episode.at("cleared_because"), "condition-gone") << episode.dump();
        }
        expect_no_gap_and_nothing_twice(lines_of(instance.path("var/log/vigia/events.jsonl")));
    }

    // A fault of another kind that stays.
    void loosen_a_folder(const Instance& instance) const {
        ASSERT_EQ(::chmod(instance.path("var/lib/vigia").c_str(), 0777), 0);
        ASSERT_TRUE(
            eventually([&] { return raised_cause(instance, kUserFault) == "perm-changed"; }));
    }

    void tighten_it(const Instance& instance) const {
        ASSERT_EQ(::chmod(instance.path("var/lib/vigia").c_str(), 0755), 0);
        ASSERT_TRUE(eventually([&] { return raised_fault(instance, kUserFault).is_null(); }));
    }

    std::filesystem::path store_;
    int infected_ = 0;
};

}  // namespace vigia::test
