// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/files.h"
#include "response/crypto.h"
#include "response/object.h"
#include "response/quarantine.h"
#include "support/playground.h"

namespace vigia::test {

// A vault, a watched and an unwatched folder on a file system of the test's own. The hooks play the
// daemon: names below watch/ may be removed, watch/excluded/ not; records are kept in memory.
class VaultFixture : public ::testing::Test {
protected:
    void SetUp() override { prepare(playground_.tmpfs("disk", "size=64m")); }

    // Moves all of it to another file system.
    void prepare(const std::filesystem::path& disk) {
        disk_ = disk;
        for (const auto& folder : {watch(), watch() / "excluded", outside()}) {
            std::filesystem::create_directories(folder);
        }
        vault_folder_ = playground_.root() / "vault";
        hooks_.may_remove = [this](const std::string& path) {
            return path.starts_with(watch().native() + "/") &&
                   !path.starts_with((watch() / "excluded").native());
        };
        hooks_.search_folders = [this] { return std::vector<std::string>{watch().native()}; };
        hooks_.record = [this](const QuarantineItem& item) -> Result<> {
            const std::scoped_lock lock(mutex_);
            records_.push_back(item);
            return {};
        };
        hooks_.on_restored = [this](const FileIdentity& identity, const Sha256& sha256) {
            restored_.emplace_back(identity, sha256);
        };
    }

    void open() {
        options_.folder = vault_folder_;
        auto vault = response::Quarantine::open(options_, hooks_);
        ASSERT_TRUE(vault) << vault.error().message();
        vault_ = *std::move(vault);
    }

    [[nodiscard]] std::filesystem::path watch() const { return disk_ / "watch"; }

    [[nodiscard]] std::filesystem::path outside() const { return disk_ / "outside"; }

    [[nodiscard]] static UniqueFd open_file(const std::filesystem::path& path) {
        auto file = open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_NONBLOCK);
        EXPECT_TRUE(file) << file.error().message();
        return file ? *std::move(file) : UniqueFd();
    }

    // As if a scan had just judged what is there now.
    [[nodiscard]] static response::Target judge(int file, const std::string& path) {
        response::Target target;
        target.file = file;
        target.path_hint = path;
        target.threat = "Test.Threat";
        target.detection_uid = "detection";
        if (auto identity = response::identity_of(file)) {
            target.has_identity = !identity->object.handle.bytes.empty();
            target.identity = *std::move(identity);
        }
        target.sha256 = response::content_digest(file, target.identity.size).value_or(Sha256{});
        return target;
    }

    [[nodiscard]] response::Report put_away(const std::filesystem::path& path) {
        const auto file = open_file(path);
        return vault_->put_away(judge(file.get(), path), now());
    }

    [[nodiscard]] static WallTime now() { return Clock().wall(); }

    [[nodiscard]] std::vector<std::string> vault_files() const { return names_in(vault_folder_); }

    [[nodiscard]] static std::vector<std::string> names_in(const std::filesystem::path& folder) {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(folder)) {
            names.push_back(entry.path().filename().native());
        }
        return names;
    }

    // What the vault has of an item, by way of restore() to a place of its own.
    [[nodiscard]] std::string stored_content(const QuarantineItem& item) {
        const auto place = playground_.root() / ("restored-" + item.id);
        const auto restored = vault_->restore(item, place);
        EXPECT_TRUE(restored) << restored.error().message();
        auto content = read_text(place);
        std::filesystem::remove(place);
        return content;
    }

    [[nodiscard]] std::vector<QuarantineState> recorded_states() const {
        std::vector<QuarantineState> states;
        std::ranges::transform(records_, std::back_inserter(states), &QuarantineItem::state);
        return states;
    }

    // Nothing taken, nothing kept, and the journal knows that it is over.
    void expect_untouched(const std::filesystem::path& path, const std::string& content) {
        EXPECT_EQ(read_text(path), content);
        EXPECT_TRUE(vault_files().empty());
        EXPECT_EQ(vault_->used_bytes(), 0U);
        EXPECT_TRUE(records_.empty() || records_.back().state == QuarantineState::Deleted);
        expect_no_leftovers();
    }

    void expect_no_leftovers() const {
        for (const auto& entry : std::filesystem::recursive_directory_iterator(disk_)) {
            EXPECT_FALSE(entry.path().filename().native().starts_with(".vigia-")) << entry.path();
        }
    }

    Playground playground_;
    std::filesystem::path disk_;
    std::filesystem::path vault_folder_;
    response::Quarantine::Options options_;
    response::Quarantine::Hooks hooks_;
    std::mutex mutex_;  // guards records_ while threads work
    std::vector<QuarantineItem> records_;
    std::vector<std::pair<FileIdentity, Sha256>> restored_;
    std::unique_ptr<response::Quarantine> vault_;
};

}  // namespace vigia::test
