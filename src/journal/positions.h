// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace vigia::journal {

// How far each sink has come within the epoch. Thread-safe; the writer makes it durable.
class Positions {
public:
    // What the database does not know yet; no number: the sink has been forgotten.
    using Changes = std::vector<std::pair<std::string, std::optional<std::uint64_t>>>;

    // ESTALE when `epoch` is given and not the current one.
    [[nodiscard]] Result<> acknowledge(const std::string& sink,
                                       std::uint64_t sequence,
                                       const std::string& epoch);
    void forget(const std::string& sink);

    [[nodiscard]] std::uint64_t of(const std::string& sink) const;

    // The smallest, nothing when no sink is known.
    [[nodiscard]] std::optional<std::uint64_t> slowest() const;

    // The journal has been opened with these.
    void load(const std::string& epoch, const std::map<std::string, std::uint64_t>& positions);

    [[nodiscard]] Changes take_changes();
    void put_back(const Changes& changes);  // they could not be written

private:
    mutable std::mutex mutex_;  // guards everything below
    std::string epoch_;
    std::map<std::string, std::uint64_t> positions_;
    std::set<std::string> changed_;
};

}  // namespace vigia::journal
