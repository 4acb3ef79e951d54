// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/address_feeds.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>
#include <set>

#include "base/files.h"

namespace vigia::daemon {
namespace {

constexpr std::size_t kMostBytes = std::size_t{64} << 20U;

// Another file, or the same with other content.
std::string version_of(const std::string& path) {
    struct stat found{};
    if (::stat(path.c_str(), &found) != 0) {
        return path + "|-";
    }
    return fmt::format("{}|{}.{}.{}.{}.{}",
                       path,
                       found.st_dev,
                       found.st_ino,
                       found.st_size,
                       found.st_mtim.tv_sec,
                       found.st_mtim.tv_nsec);
}

std::string joined(const std::vector<std::string>& texts) {
    std::string all;
    for (const auto& text : texts) {
        all += text + '\n';
    }
    return all;
}

}  // namespace

std::vector<std::string> AddressFeeds::folders(const Policy::Network& network) {
    std::set<std::string> folders;
    for (const auto* files : {&network.block_files, &network.allow_files}) {
        for (const auto& file : *files) {
            folders.insert(std::filesystem::path(file).parent_path().native());
        }
    }
    return {folders.begin(), folders.end()};
}

void AddressFeeds::read(const std::string& path, bool blocks, WallTime now) {
    File file{.path = path, .blocks = blocks};
    if (const auto text = read_file(path, kMostBytes)) {
        auto feed = policy::parse_address_feed(*text, now);
        file.prefixes = feed.prefixes.size();
        file.expired = feed.expired;
        file.bad = feed.bad;
        file.bad_lines = std::move(feed.bad_lines);
        if (feed.next_expiry) {
            next_expiry_ = std::min(next_expiry_.value_or(*feed.next_expiry), *feed.next_expiry);
        }
        auto& list = blocks ? lists_.block : lists_.allow;
        list.insert(list.end(), feed.prefixes.begin(), feed.prefixes.end());
    } else {
        file.error = text.error().code.message();
    }
    files_.push_back(std::move(file));
}

bool AddressFeeds::refresh(const Policy::Network& network, WallTime now) {
    auto seen = joined(network.block) + "allow\n" + joined(network.allow) + "files\n";
    for (const auto* files : {&network.block_files, &network.allow_files}) {
        for (const auto& file : *files) {
            seen += version_of(file) + '\n';
        }
        seen += "allow\n";
    }
    const bool ended = next_expiry_ && *next_expiry_ <= now;
    if (seen == seen_ && !ended) {
        return false;
    }
    seen_ = std::move(seen);
    lists_ = {};
    files_.clear();
    next_expiry_.reset();
    const auto add = [](const std::vector<std::string>& texts, std::vector<IpPrefix>& into) {
        for (const auto& text : texts) {
            if (const auto prefix = parse_prefix(text)) {
                into.push_back(*prefix);
            }
        }
    };
    add(network.block, lists_.block);
    add(network.allow, lists_.allow);
    for (const auto& file : network.block_files) {
        read(file, true, now);
    }
    for (const auto& file : network.allow_files) {
        read(file, false, now);
    }
    return true;
}

}  // namespace vigia::daemon
