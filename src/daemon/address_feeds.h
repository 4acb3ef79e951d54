// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/flow.h"
#include "model/policy.h"
#include "policy/address_feed.h"
#include "sensors/ebpf/address_lists.h"

namespace vigia::daemon {

// The lists of addresses as policy and its feed files say them now. Not thread-safe.
class AddressFeeds {
public:
    struct File {
        std::string path;
        bool blocks = true;  // else it allows
        std::string error = {};
        std::size_t prefixes = 0;
        std::size_t expired = 0;
        std::size_t bad = 0;
        std::vector<policy::AddressFeed::BadLine> bad_lines = {};
    };

    // Reads whatever changed. True: the lists are other ones than after the call before.
    bool refresh(const Policy::Network& network, WallTime now);

    // Of the newest refresh; moved out, because they may be large.
    [[nodiscard]] sensors::AddressLists take() { return std::move(lists_); }

    [[nodiscard]] const std::vector<File>& files() const { return files_; }

    // When a line ends that is in force now.
    [[nodiscard]] std::optional<WallTime> next_expiry() const { return next_expiry_; }

    // Folders to watch: those that the files are in.
    [[nodiscard]] static std::vector<std::string> folders(const Policy::Network& network);

private:
    void read(const std::string& path, bool blocks, WallTime now);

    std::string seen_;  // what the lists were made from
    sensors::AddressLists lists_;
    std::vector<File> files_;
    std::optional<WallTime> next_expiry_;
};

}  // namespace vigia::daemon
