// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/file_identity.h"
#include "model/sha256.h"
#include "model/verdict.h"

namespace vigia::scan {

// What of a verdict is worth keeping. Only Clean, Infected, and Unscannable `kills-workers`.
struct KeptVerdict {
    VerdictKind kind = VerdictKind::Clean;
    bool limit_hit = false;
    std::uint64_t size = 0;
    std::optional<Sha256> sha256 = {};
    std::string text = {};  // the threat; the detail of what is unscannable

    // Nothing if the verdict is not one to keep.
    [[nodiscard]] static std::optional<KeptVerdict> of(const Verdict& verdict);
    [[nodiscard]] Verdict as_verdict(VerdictSource source) const;
};

// The verdicts of one generation in an SQLite file. One that is foreign or plainly damaged is set
// aside and begun anew; damage found later is an error (see is_damage in sqlite_file.h). Not
// thread-safe. Every write stands between begin() and commit(); after a failure the caller calls
// rollback().
class VerdictStore {
public:
    [[nodiscard]] static Result<std::unique_ptr<VerdictStore>> open(
        const std::filesystem::path& file);
    VerdictStore(const VerdictStore&) = delete;
    VerdictStore& operator=(const VerdictStore&) = delete;
    ~VerdictStore();

    [[nodiscard]] const std::string& generation() const;

    struct Limits {
        std::size_t identities = 0;
        std::size_t contents = 0;
    };

    struct Reader {
        std::function<void(const FileIdentity&, KeptVerdict)> identity;
        std::function<void(const Sha256&, KeptVerdict)> content;
    };

    // Newest first; what lies beyond the limits is deleted from the file.
    [[nodiscard]] Result<> load(const Limits& limits, const Reader& reader);

    [[nodiscard]] Result<> begin();
    [[nodiscard]] Result<> wipe(std::string_view new_generation);
    [[nodiscard]] Result<> put(const FileIdentity& identity, const KeptVerdict& verdict);
    [[nodiscard]] Result<> put(const Sha256& content, const KeptVerdict& verdict);
    [[nodiscard]] Result<> drop(const ObjectId& object);
    [[nodiscard]] Result<> drop(const Sha256& content);
    [[nodiscard]] Result<> drop(FileSystemId fs);
    [[nodiscard]] Result<> commit();
    void rollback();

private:
    struct Impl;
    explicit VerdictStore(std::unique_ptr<Impl> impl);

    std::unique_ptr<Impl> impl_;
};

}  // namespace vigia::scan
