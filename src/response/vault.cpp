// SPDX-License-Identifier: GPL-2.0-or-later
#include "response/vault.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <span>

#include "base/files.h"
#include "base/text.h"
#include "response/object.h"

namespace vigia::response {
namespace {

constexpr std::string_view kPart = ".part";
constexpr std::size_t kIdLength = 36;

struct CloseDir {
    void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

std::vector<std::string> names_in(int folder) {
    auto copy = open_at(folder, ".", O_RDONLY | O_DIRECTORY);
    const std::unique_ptr<DIR, CloseDir> dir(copy ? ::fdopendir(copy->get()) : nullptr);
    std::vector<std::string> names;
    if (!dir) {
        return names;
    }
    std::ignore = copy->release();                        // the DIR closes it
    while (const dirent* entry = ::readdir(dir.get())) {  // NOLINT(concurrency-mt-unsafe): own DIR
        names.emplace_back(static_cast<const char*>(entry->d_name));
    }
    return names;
}

std::uint64_t size_of(int folder, const std::string& name) {
    struct stat info{};
    const bool known =
        ::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode);
    return known ? static_cast<std::uint64_t>(info.st_size) : 0;
}

Result<> check_id(const std::string& id) {
    if (!is_item_id(id)) {
        return fail(std::errc::invalid_argument, "id of a quarantine item: " + printable(id));
    }
    return {};
}

std::unexpected<Vault::StoreFailure> source_failure(Error error) {
    return std::unexpected(Vault::StoreFailure{.source = true, .error = std::move(error)});
}

std::unexpected<Vault::StoreFailure> vault_failure(Error error) {
    return std::unexpected(
        Vault::StoreFailure{.source = false, .error = std::move(error).within("write the vault")});
}

// As much of the chunk as the file has; less only at its end.
Result<std::size_t> read_chunk(int file, std::span<std::byte> into, std::uint64_t at) {
    std::size_t done = 0;
    while (done < into.size()) {
        const ssize_t got =
            ::pread(file, into.data() + done, into.size() - done, static_cast<off_t>(at + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return fail_errno("read the file");
        }
        if (got == 0) {
            break;
        }
        done += static_cast<std::size_t>(got);
    }
    return done;
}

std::expected<Sha256, Vault::StoreFailure> encrypt(int file,
                                                   const QuarantineItem& item,
                                                   const Writer& write) {
    auto secret = Secret::random();
    auto writer = secret ? ContentWriter::create(*secret) : std::unexpected(secret.error());
    if (!writer) {
        return vault_failure(std::move(writer).error());
    }
    if (auto written = write_header({.item = item, .secret = *secret}, write); !written) {
        return vault_failure(std::move(written).error());
    }
    std::vector<std::byte> buffer(kVaultChunk);
    for (std::uint64_t at = 0; at < item.size;) {
        const auto want = std::min<std::uint64_t>(buffer.size(), item.size - at);
        const auto got = read_chunk(file, std::span(buffer).first(want), at);
        if (!got) {
            return source_failure(got.error());
        }
        if (*got == 0) {
            break;
        }
        if (auto added = writer->add(std::span(buffer).first(*got), write); !added) {
            return vault_failure(std::move(added).error());
        }
        at += *got;
    }
    auto digest = writer->finish();
    if (!digest) {
        return vault_failure(std::move(digest).error());
    }
    return *digest;
}

}  // namespace

bool is_item_id(std::string_view id) noexcept {
    return id.size() == kIdLength && std::ranges::all_of(id, [](char c) {
               return c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

Result<std::unique_ptr<Vault>> Vault::open(const std::filesystem::path& folder,
                                           std::uint64_t max_bytes) {
    const std::string doing = "quarantine folder " + printable(folder.native());
    TRY(ensure_folder(folder, 0700, ::geteuid(), ::getegid()), doing);
    auto fd = TRY(open_at(AT_FDCWD, folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW), doing);
    const auto info = TRY(stat_of(fd.get()), doing);
    if (info.st_uid != ::geteuid() || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return fail(std::errc::operation_not_permitted,
                    doing +
                        " belongs to somebody else or can be written by others; make it "
                        "root's, mode 0700");
    }
    std::unique_ptr<Vault> vault(new Vault(std::move(fd), max_bytes));
    for (const auto& name : names_in(vault->folder_.get())) {
        vault->used_ += size_of(vault->folder_.get(), name);
    }
    return vault;
}

bool Vault::take_space(std::uint64_t bytes) {
    if (used_.fetch_add(bytes) + bytes <= max_bytes_) {
        return true;
    }
    used_ -= bytes;
    return false;
}

Result<> Vault::sync_folder() const {
    return ::fsync(folder_.get()) < 0 ? Result<>(fail_errno("make the vault's folder durable"))
                                      : Result<>();
}

std::expected<Sha256, Vault::StoreFailure> Vault::write_part(int file, const QuarantineItem& item) {
    if (auto valid = check_id(item.id); !valid) {
        return vault_failure(std::move(valid).error());
    }
    const auto name = item.id + std::string(kPart);
    const auto part =
        open_at(folder_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (!part) {
        return vault_failure(part.error());
    }
    std::uint64_t taken = 0;
    const Writer write = [&](std::string_view bytes) -> Result<> {
        if (!take_space(bytes.size())) {
            return std::unexpected(Error{.code = {EDQUOT, std::system_category()},
                                         .context = "the quarantine has reached its size limit"});
        }
        taken += bytes.size();
        return write_all(part->get(), bytes);
    };
    auto digest = encrypt(file, item, write);
    if (digest && ::fsync(part->get()) < 0) {
        digest = vault_failure(fail_errno("make durable").error());
    }
    if (!digest) {
        ::unlinkat(folder_.get(), name.c_str(), 0);
        used_ -= taken;
    }
    return digest;
}

Result<> Vault::commit(const std::string& id) {
    const auto part = id + std::string(kPart);
    if (::renameat2(folder_.get(), part.c_str(), folder_.get(), id.c_str(), RENAME_NOREPLACE) < 0) {
        return fail_errno("put the file into the vault");
    }
    return sync_folder();
}

Result<Vault::Opened> Vault::open_id(const std::string& id) const {
    TRY(check_id(id));
    auto file = TRY(open_at(folder_.get(), id.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK),
                    "the vault's copy");
    auto header = TRY(read_header(file.get()));
    return Opened{.file = std::move(file), .header = std::move(header)};
}

Result<Vault::Opened> Vault::open_item(const QuarantineItem& item) const {
    auto opened = TRY(open_id(item.id));
    if (opened.header.item.id != item.id || opened.header.item.sha256 != item.sha256) {
        return fail(std::errc::bad_message, "the vault's copy is that of another item");
    }
    return opened;
}

Result<> Vault::verify(const QuarantineItem& item) const {
    const auto opened = TRY(open_item(item));
    return read_content(
        opened.file.get(), opened.header, [](const Piece&) -> Result<> { return {}; });
}

bool Vault::holds(const std::string& id) const {
    struct stat info{};
    return is_item_id(id) && ::fstatat(folder_.get(), id.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
}

Result<> Vault::remove(const std::string& id) {
    TRY(check_id(id));
    for (const auto& name : {id, id + std::string(kPart)}) {
        const auto size = size_of(folder_.get(), name);
        if (::unlinkat(folder_.get(), name.c_str(), 0) == 0) {
            used_ -= size;
        } else if (errno != ENOENT) {
            return fail_errno("remove from the vault");
        }
    }
    return sync_folder();
}

std::vector<std::string> Vault::ids() const {
    auto names = names_in(folder_.get());
    std::erase_if(names, [](const std::string& name) { return !is_item_id(name); });
    return names;
}

}  // namespace vigia::response
