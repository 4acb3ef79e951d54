// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vigia::scand {

// What libclamav says in warnings and errors. Its callback takes no object, so there is one list
// per process, the innermost capture's; messages outside of one are dropped: a hostile file must
// not write our log.
class MessageCapture {
public:
    MessageCapture();
    MessageCapture(const MessageCapture&) = delete;
    MessageCapture& operator=(const MessageCapture&) = delete;
    MessageCapture(MessageCapture&&) = delete;
    MessageCapture& operator=(MessageCapture&&) = delete;
    ~MessageCapture();

    // At most the first 16, each without libclamav's prefix and at most 400 bytes.
    [[nodiscard]] const std::vector<std::string>& lines() const noexcept { return lines_; }

    // The file that libclamav says it cannot load, without its folder; empty if it names none.
    [[nodiscard]] std::string file() const;

    // The words for people: what led to the failure, not libclamav's echo of it on the way out.
    [[nodiscard]] std::string words() const;

    void add(std::string_view line);

private:
    MessageCapture* outer_;
    std::vector<std::string> lines_;
};

// To be called once, before anything is loaded or scanned.
void take_messages_of_libclamav();

}  // namespace vigia::scand
