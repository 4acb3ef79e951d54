// SPDX-License-Identifier: GPL-2.0-or-later
#include "sinks/jsonl_sink.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/files.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "sinks/jsonl_tail.h"

namespace vigia::sinks {
namespace {

constexpr std::size_t kPiece = std::size_t{4} << 20U;  // bytes of one write
constexpr mode_t kMode = 0640;

std::string stamp_now() {
    std::string stamp = to_iso8601(Clock{}.wall());
    std::erase_if(stamp, [](char c) { return c == ':' || c == '-'; });
    return stamp;
}

class FileJsonlSink final : public JsonlSink {
public:
    explicit FileJsonlSink(Options options)
        : options_(std::move(options)), name_(options_.file.filename().native()) {}

    Result<> start() {
        TRY(open_current());
        const auto tail = TRY(recover());
        resume_ = {
            .epoch = tail.epoch, .sequence = tail.sequence, .torn_bytes = tail.size - tail.end};
        if (size_ == 0) {
            TRY(resume_from_rotated());
        }
        last_ = {.epoch = resume_.epoch, .sequence = resume_.sequence};
        return {};
    }

    [[nodiscard]] const Resume& resume() const override { return resume_; }

    [[nodiscard]] std::uint64_t renewals() const override { return renewals_; }

    Result<std::uint64_t> deliver(std::span<const StoredEvent> events) override {
        const auto doing = "write " + printable(options_.file.native());
        if (events.empty()) {
            return last_.sequence;
        }
        if (events.front().epoch == last_.epoch) {
            const auto news = std::ranges::find_if(
                events, [&](const auto& event) { return event.sequence > last_.sequence; });
            events = {news, events.end()};
        }
        TRY(ensure_current(), doing);
        bool some = false;
        while (!events.empty()) {
            if (auto written = deliver_piece(events); !written) {
                // After some the caller comes again with the rest, and gets the error then.
                return some ? Result<std::uint64_t>{last_.sequence}
                            : std::unexpected(std::move(written).error().within(doing));
            }
            some = true;
        }
        return last_.sequence;
    }

private:
    struct Position {
        std::string epoch;
        std::uint64_t sequence = 0;
    };

    [[nodiscard]] std::string rotated(unsigned number) const {
        return fmt::format("{}.{}", name_, number);
    }

    [[nodiscard]] int rename_in_folder(const std::string& from, const std::string& to) const {
        return ::renameat(folder_.get(), from.c_str(), folder_.get(), to.c_str());
    }

    // Takes from `events` what has been written.
    Result<> deliver_piece(std::span<const StoredEvent>& events) {
        if (size_ > 0 && size_ + events.front().json.size() + 1 > options_.rotate_bytes) {
            TRY(rotate(), "rotate");
        }
        std::string piece;
        std::size_t count = 0;
        for (const auto& event : events) {
            const auto grown = piece.size() + event.json.size() + 1;
            if (count > 0 && (grown > kPiece || size_ + grown > options_.rotate_bytes)) {
                break;
            }
            piece += event.json;
            piece += '\n';
            ++count;
        }
        TRY(append(piece));
        last_ = {.epoch = events[count - 1].epoch, .sequence = events[count - 1].sequence};
        events = events.subspan(count);
        return {};
    }

    Result<> append(std::string_view piece) {
        const auto write = [&]() -> Result<> {
            const auto written = ::write(file_.get(), piece.data(), piece.size());
            if (written < 0) {
                return fail_errno("write");
            }
            if (static_cast<std::size_t>(written) < piece.size()) {
                return fail(std::errc::no_space_on_device, "short write");
            }
            return ::fdatasync(file_.get()) < 0 ? Result<>{fail_errno("fdatasync")} : Result<>{};
        };
        auto result = write();
        if (result) {
            size_ += piece.size();
        } else {
            half_written_ = ::ftruncate(file_.get(), static_cast<off_t>(size_)) < 0;
        }
        return result;
    }

    Result<> open_current() {
        // By path each time: the folder itself may have been replaced.
        folder_ =
            TRY(open_at(AT_FDCWD, options_.file.parent_path().c_str(), O_RDONLY | O_DIRECTORY));
        file_ = TRY(open_at(folder_.get(),
                            name_.c_str(),
                            O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK,
                            kMode));
        half_written_ = false;
        struct stat status{};
        struct stat folder{};
        if (::fstat(file_.get(), &status) < 0 || ::fstat(folder_.get(), &folder) < 0) {
            return fail_errno("look at " + printable(name_));
        }
        if (!S_ISREG(status.st_mode)) {
            file_.reset();
            return fail(std::errc::invalid_argument, printable(name_) + " is not a regular file");
        }
        size_ = static_cast<std::uint64_t>(status.st_size);
        if (size_ == 0) {
            // The umask is not ours to rely on, nor is the group of a root process.
            const bool grouped =
                ::fchown(file_.get(), static_cast<uid_t>(-1), folder.st_gid) == 0 || errno == EPERM;
            if (!grouped || ::fchmod(file_.get(), kMode) < 0 || ::fsync(folder_.get()) < 0) {
                return fail_errno("make " + printable(name_));
            }
        }
        return {};
    }

    // Cuts what is not a complete event off the end of the current file. Returns what was there.
    Result<JsonlTail> recover() {
        auto tail = TRY(read_jsonl_tail(file_.get()));
        if (!tail.found && tail.has_newline) {
            const auto aside = name_ + ".damaged-" + stamp_now();
            if (rename_in_folder(name_, aside) < 0) {
                return fail_errno("set aside " + printable(name_));
            }
            TRY(open_current());
            return JsonlTail{};
        }
        if (tail.end < tail.size && ::ftruncate(file_.get(), static_cast<off_t>(tail.end)) < 0) {
            return fail_errno("cut torn line of " + printable(name_));
        }
        size_ = tail.end;
        return tail;
    }

    Result<> resume_from_rotated() {
        for (unsigned number = 1; number <= options_.keep; ++number) {
            const auto file =
                open_at(folder_.get(), rotated(number).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
            if (!file) {
                continue;
            }
            const auto tail = TRY(read_jsonl_tail(file->get()));
            if (tail.found) {
                resume_.epoch = tail.epoch;
                resume_.sequence = tail.sequence;
                return {};
            }
        }
        return {};
    }

    // Deleted, replaced, rotated or changed by somebody else since the last time?
    Result<> ensure_current() {
        struct stat named{};
        struct stat ours{};
        const bool there =
            folder_ && ::fstatat(folder_.get(), name_.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0;
        if (!there || !file_ || ::fstat(file_.get(), &ours) < 0 || named.st_ino != ours.st_ino ||
            named.st_dev != ours.st_dev) {
            renewals_ += file_ ? 1U : 0U;
            TRY(open_current());
            TRY(recover());
            return {};
        }
        if (half_written_) {
            if (::ftruncate(file_.get(), static_cast<off_t>(size_)) < 0) {
                return fail_errno("cut half a write");
            }
            half_written_ = false;
            return {};
        }
        if (static_cast<std::uint64_t>(ours.st_size) != size_) {
            TRY(recover());
        }
        return {};
    }

    Result<> rotate() {
        for (unsigned number = options_.keep; number > 1; --number) {
            if (rename_in_folder(rotated(number - 1), rotated(number)) < 0 && errno != ENOENT) {
                return fail_errno("rename " + printable(rotated(number - 1)));
            }
        }
        const int done = options_.keep == 0 ? ::unlinkat(folder_.get(), name_.c_str(), 0)
                                            : rename_in_folder(name_, rotated(1));
        if (done < 0) {
            return fail_errno("rename " + printable(name_));
        }
        file_.reset();
        return open_current();
    }

    const Options options_;
    const std::string name_;
    UniqueFd folder_;
    UniqueFd file_;
    std::uint64_t size_ = 0;     // bytes of the current file that are complete events
    bool half_written_ = false;  // more than that is in it: truncating back has failed
    std::uint64_t renewals_ = 0;
    Resume resume_;
    Position last_;  // the last event that is in the file, or was before it was deleted
};

}  // namespace

Result<std::unique_ptr<JsonlSink>> JsonlSink::open(Options options) {
    const auto doing = "open " + printable(options.file.native());
    auto sink = std::make_unique<FileJsonlSink>(std::move(options));
    TRY(sink->start(), doing);
    return sink;
}

}  // namespace vigia::sinks
