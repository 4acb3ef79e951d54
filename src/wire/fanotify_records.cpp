// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/fanotify_records.h"

#include <fcntl.h>
#include <sys/fanotify.h>

#include <cstring>
#include <string>
#include <utility>

namespace vigia::wire {
namespace {

using Bytes = std::span<const std::byte>;

// The kernel writes these structs unpadded one behind the other: nothing in them is aligned.
template <typename Struct>
std::optional<Struct> take(Bytes& bytes) {
    if (bytes.size() < sizeof(Struct)) {
        return std::nullopt;
    }
    Struct value;
    std::memcpy(&value, bytes.data(), sizeof value);
    bytes = bytes.subspan(sizeof value);
    return value;
}

std::string_view as_text(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// struct file_handle without its flexible array.
struct HandleHeader {
    std::uint32_t size;
    std::int32_t type;
};

static_assert(sizeof(HandleHeader) == sizeof(file_handle));

// The body of a FID, DFID or DFID_NAME record: fsid, handle, and for the last the name with its
// NUL.
std::optional<FolderEntry> parse_fid(Bytes body) {
    const auto fs = take<FileSystemId>(body);
    const auto header = take<HandleHeader>(body);
    if (!fs || !header || header->size > MAX_HANDLE_SZ || header->size > body.size()) {
        return std::nullopt;
    }
    FolderEntry entry;
    entry.folder.fs = *fs;
    entry.folder.handle.type = header->type;
    entry.folder.handle.bytes = as_text(body.first(header->size));
    const auto name = as_text(body.subspan(header->size));
    entry.name = name.substr(0, name.find('\0'));
    return entry;
}

// False: the record does not parse. A kind we do not know is skipped; kernels may add some.
bool take_information(FanotifyRecord& record, std::uint8_t kind, Bytes body) {
    std::optional<FolderEntry>* place = nullptr;
    switch (kind) {
        case FAN_EVENT_INFO_TYPE_FID:
            if (auto found = parse_fid(body)) {
                record.object = std::move(found->folder);
                return true;
            }
            return false;
        case FAN_EVENT_INFO_TYPE_DFID:
        case FAN_EVENT_INFO_TYPE_DFID_NAME:
            place = &record.entry;
            break;
        case FAN_EVENT_INFO_TYPE_OLD_DFID_NAME:
            place = &record.moved_from;
            break;
        case FAN_EVENT_INFO_TYPE_NEW_DFID_NAME:
            place = &record.moved_to;
            break;
        default:
            return true;
    }
    *place = parse_fid(body);
    if (place->has_value() && kind == FAN_EVENT_INFO_TYPE_DFID) {
        (*place)->name = {};  // a DFID has none; what follows is padding
    }
    return place->has_value();
}

bool take_all_information(FanotifyRecord& record, Bytes information) {
    while (!information.empty()) {
        auto body = information;
        const auto header = take<fanotify_event_info_header>(body);
        if (!header || header->len < sizeof *header || header->len > information.size()) {
            return false;
        }
        if (!take_information(
                record, header->info_type, body.first(header->len - sizeof *header))) {
            return false;
        }
        information = information.subspan(header->len);
    }
    return true;
}

}  // namespace

std::optional<FanotifyRecord> take_fanotify_record(std::span<const std::byte>& rest) {
    if (rest.empty()) {
        return std::nullopt;
    }
    FanotifyRecord record;
    auto body = rest;
    const auto head = take<fanotify_event_metadata>(body);
    const bool length_fits = head && head->event_len <= rest.size() &&
                             head->metadata_len >= sizeof *head &&
                             head->metadata_len <= head->event_len;
    if (!length_fits || head->vers != FANOTIFY_METADATA_VERSION) {
        rest = {};
        record.malformed = true;
        return record;
    }
    record.mask = head->mask;
    record.pid = head->pid;
    record.file = head->fd >= 0 ? head->fd : -1;
    record.malformed =
        !take_all_information(record, rest.first(head->event_len).subspan(head->metadata_len));
    rest = rest.subspan(head->event_len);
    return record;
}

}  // namespace vigia::wire
