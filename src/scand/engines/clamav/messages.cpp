// SPDX-License-Identifier: GPL-2.0-or-later
#include "scand/engines/clamav/messages.h"

#include <clamav.h>

#include <utility>

namespace vigia::scand {
namespace {

constexpr std::size_t kMaxLines = 16;
constexpr std::size_t kMaxLine = 400;
constexpr std::string_view kCannotLoad = "Can't load ";
constexpr std::string_view kEcho = "cli_loaddbdir: error loading database ";

// libclamav's callback takes no object.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): as said above
thread_local MessageCapture* current_capture = nullptr;

void on_message(cl_msg severity, const char* /*full*/, const char* text, void* /*context*/) {
    if (current_capture != nullptr && severity >= CL_MSG_WARN && text != nullptr) {
        current_capture->add(text);
    }
}

// "/definitions/0/daily.ndb: Malformed database" → "daily.ndb"
std::string file_name(std::string_view text) {
    const auto end = text.rfind(": ");
    const auto path = text.substr(0, end);
    const auto slash = path.rfind('/');
    return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

// Folders are those of the sandbox: to the reader only the file's name says something.
std::string without_folder(std::string_view line) {
    const auto slash = line.rfind('/');
    const auto begin = slash == std::string_view::npos ? slash : line.rfind(' ', slash);
    if (begin == std::string_view::npos) {
        return std::string(line);
    }
    return std::string(line.substr(0, begin + 1)) + std::string(line.substr(slash + 1));
}

}  // namespace

MessageCapture::MessageCapture() : outer_(std::exchange(current_capture, this)) {}

MessageCapture::~MessageCapture() {
    current_capture = outer_;
}

void MessageCapture::add(std::string_view line) {
    while (line.ends_with('\n') || line.ends_with(' ')) {
        line.remove_suffix(1);
    }
    if (lines_.size() < kMaxLines && !line.empty()) {
        lines_.emplace_back(line.substr(0, kMaxLine));
    }
}

std::string MessageCapture::file() const {
    for (const auto& line : lines_) {
        if (const auto at = line.find(kCannotLoad); at != std::string::npos) {
            return file_name(std::string_view(line).substr(at + kCannotLoad.size()));
        }
        if (const auto at = line.find(kEcho); at != std::string::npos) {
            return file_name(std::string_view(line).substr(at + kEcho.size()));
        }
    }
    return {};
}

std::string MessageCapture::words() const {
    std::string words;
    for (const auto& line : lines_) {
        if (line.contains(kEcho)) {
            continue;
        }
        words += (words.empty() ? "" : "; ") + without_folder(line);
    }
    return words;
}

void take_messages_of_libclamav() {
    ::cl_set_clcb_msg(on_message);
}

}  // namespace vigia::scand
