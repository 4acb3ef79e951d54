// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "model/quarantine.h"
#include "response/vault_file.h"

namespace vigia::response {

// The folder of the vault: one file per item, named by its id; `<id>.part` while it is being
// written. Opened once and never by its path again. Thread-safe.
class Vault {
public:
    // Made 0700 if missing. An existing folder must be ours and writable by nobody else.
    [[nodiscard]] static Result<std::unique_ptr<Vault>> open(const std::filesystem::path& folder,
                                                             std::uint64_t max_bytes);

    // What failed decides the outcome: the file on its way in, or the vault.
    struct StoreFailure {
        bool source = false;
        Error error;
    };

    // Encrypts `item.size` bytes of `file` into `<id>.part`, durable but not yet in place; gives
    // the SHA-256 of what was read (a file that has shrunk gives that of less). On failure nothing
    // is left behind. EDQUOT: more than max_bytes.
    [[nodiscard]] std::expected<Sha256, StoreFailure> write_part(int file,
                                                                 const QuarantineItem& item);

    // Gives the part its name, durably.
    [[nodiscard]] Result<> commit(const std::string& id);

    struct Opened {
        UniqueFd file;  // at the first chunk
        VaultHeader header;
    };

    [[nodiscard]] Result<Opened> open_id(const std::string& id) const;

    // EBADMSG when it is not this item's.
    [[nodiscard]] Result<Opened> open_item(const QuarantineItem& item) const;

    // Reads all of it: is the header this item's, and the content that of its SHA-256?
    [[nodiscard]] Result<> verify(const QuarantineItem& item) const;

    [[nodiscard]] bool holds(const std::string& id) const;

    // Part and file, durably; what is not there is fine.
    [[nodiscard]] Result<> remove(const std::string& id);

    // Names in the folder that have the form of an id.
    [[nodiscard]] std::vector<std::string> ids() const;

    [[nodiscard]] std::uint64_t used_bytes() const { return used_; }

    ~Vault() = default;
    Vault(const Vault&) = delete;
    Vault& operator=(const Vault&) = delete;

private:
    Vault(UniqueFd folder, std::uint64_t max_bytes)
        : folder_(std::move(folder)), max_bytes_(max_bytes) {}

    [[nodiscard]] bool take_space(std::uint64_t bytes);
    [[nodiscard]] Result<> sync_folder() const;

    UniqueFd folder_;
    std::uint64_t max_bytes_ = 0;
    std::atomic<std::uint64_t> used_ = 0;  // sizes of all files in the folder
};

// 36 characters, hexadecimal digits and dashes: what comes from a journal names a file of ours only
// in this form.
[[nodiscard]] bool is_item_id(std::string_view id) noexcept;

}  // namespace vigia::response
