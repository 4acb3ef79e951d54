// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "model/quarantine.h"

namespace vigia::test {

// The journal of a process that is killed: a line per record, whatever was written before counts.
class FileJournal {
public:
    explicit FileJournal(std::filesystem::path path) : path_(std::move(path)) {}

    void append(const QuarantineItem& item) const {
        std::ostringstream line;
        line << item.id << ' ' << static_cast<int>(item.state) << ' ' << hex(item.path) << ' '
             << item.sha256.hex() << ' ' << item.size << ' ' << item.fs0 << ' ' << item.fs1 << ' '
             << item.object_handle_type << ' ' << hex(item.object_handle) << ' ' << item.inode
             << ' ' << item.links << ' ' << hex(item.taking) << ' ' << hex(item.outcome) << ' '
             << item.names_removed.size();
        for (const auto& name : item.names_removed) {
            line << ' ' << hex(name);
        }
        std::ofstream(path_, std::ios::app) << line.str() << '\n';
    }

    // The last line: there is but one item.
    [[nodiscard]] std::optional<QuarantineItem> last() const {
        std::ifstream lines(path_);
        std::string line;
        std::optional<QuarantineItem> item;
        while (std::getline(lines, line)) {
            item = parse(line);
        }
        return item;
    }

private:
    static std::string hex(const std::string& bytes) {
        return "x" + to_hex(std::as_bytes(std::span(bytes)));
    }

    static std::string unhex(std::istringstream& line) {
        std::string word;
        line >> word;
        std::string text;
        for (const auto byte : from_hex(word.substr(1)).value_or(std::vector<std::byte>{})) {
            text.push_back(static_cast<char>(byte));
        }
        return text;
    }

    static QuarantineItem parse(const std::string& text) {
        std::istringstream line(text);
        QuarantineItem item;
        int state = 0;
        std::string sha256;
        std::size_t removed = 0;
        line >> item.id >> state;
        item.state = static_cast<QuarantineState>(state);
        item.path = unhex(line);
        line >> sha256 >> item.size >> item.fs0 >> item.fs1 >> item.object_handle_type;
        item.sha256 = Sha256::parse(sha256).value_or(Sha256{});
        item.object_handle = unhex(line);
        line >> item.inode >> item.links;
        item.taking = unhex(line);
        item.outcome = unhex(line);
        line >> removed;
        while (removed-- > 0) {
            item.names_removed.push_back(unhex(line));
        }
        return item;
    }

    std::filesystem::path path_;
};

}  // namespace vigia::test
