// SPDX-License-Identifier: GPL-2.0-or-later
#include "sinks/jsonl_tail.h"

#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

namespace vigia::sinks {
namespace {

constexpr std::uint64_t kFirstWindow = std::uint64_t{256} << 10U;  // bytes; lines have about 1 KiB
constexpr std::uint64_t kLastWindow = std::uint64_t{16} << 20U;

Result<std::string> read_window(int file, std::uint64_t from, std::uint64_t size) {
    std::string bytes(size, '\0');
    std::size_t got = 0;
    while (got < bytes.size()) {
        const auto more =
            ::pread(file, bytes.data() + got, bytes.size() - got, static_cast<off_t>(from + got));
        if (more < 0 && errno == EINTR) {
            continue;
        }
        if (more < 0) {
            return fail_errno("read event log");
        }
        if (more == 0) {
            break;  // it has become shorter meanwhile
        }
        got += static_cast<std::size_t>(more);
    }
    bytes.resize(got);
    return bytes;
}

bool parse_event(std::string_view line, JsonlTail& tail) {
    using Json = nlohmann::json;
    const auto json = Json::parse(line, nullptr, false);
    const Json::json_pointer sequence("/metadata/sequence");
    const Json::json_pointer epoch("/vigia/journal_epoch");
    if (!json.is_object() || !json.contains(sequence) || !json.contains(epoch) ||
        !json[sequence].is_number_unsigned() || !json[epoch].is_string()) {
        return false;
    }
    tail.sequence = json[sequence].get<std::uint64_t>();
    tail.epoch = json[epoch].get<std::string>();
    return true;
}

// Line by line from the end. False: the beginning of the window was reached without an event.
bool search(std::string_view window, std::uint64_t from, JsonlTail& tail) {
    auto end = window.rfind('\n');
    tail.has_newline = tail.has_newline || end != std::string_view::npos;
    while (end != std::string_view::npos) {
        const auto before = end == 0 ? std::string_view::npos : window.rfind('\n', end - 1);
        const bool cut_in = before == std::string_view::npos && from > 0;
        const auto begin = before == std::string_view::npos ? 0 : before + 1;
        if (!cut_in && parse_event(window.substr(begin, end - begin), tail)) {
            tail.found = true;
            tail.end = from + end + 1;
            return true;
        }
        end = before;
    }
    return false;
}

}  // namespace

Result<JsonlTail> read_jsonl_tail(int file) {
    struct stat status{};
    if (::fstat(file, &status) < 0) {
        return fail_errno("look at event log");
    }
    JsonlTail tail;
    tail.size = static_cast<std::uint64_t>(status.st_size);
    const auto furthest = std::min(tail.size, kLastWindow);
    for (auto size = std::min(furthest, kFirstWindow); size > 0;
         size = std::min(furthest, size * 4)) {
        const auto from = tail.size - size;
        const auto window = TRY(read_window(file, from, size));
        if (search(window, from, tail) || size == furthest) {
            break;
        }
    }
    return tail;
}

}  // namespace vigia::sinks
