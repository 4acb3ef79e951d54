// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "model/flow.h"

namespace vigia::sensors {

struct AddressLists {
    std::vector<IpPrefix> allow = {};
    std::vector<IpPrefix> block = {};
};

struct ListEntry {
    IpPrefix prefix;
    bool blocked = false;

    auto operator<=>(const ListEntry&) const = default;
};

// One list in which the longest prefix decides, with the meaning "blocked and not allowed": what an
// allowed prefix covers is taken out of the blocked ones. Sorted, without duplicates. Pure.
[[nodiscard]] std::vector<ListEntry> merge(AddressLists lists);

// The same search in user space, for where the kernel cannot do it. Immutable; thread-safe.
class AddressTable {
public:
    AddressTable() = default;
    explicit AddressTable(AddressLists lists);

    [[nodiscard]] bool is_blocked(const IpAddress& address) const;

private:
    std::vector<std::uint8_t> lengths_;  // longest first, of IPv4 and IPv6 apart
    std::vector<ListEntry> entries_;     // sorted
};

// The kernel's lists. Not thread-safe.
class KernelLists {
public:
    struct Size {
        std::size_t prefixes4 = 0;
        std::size_t prefixes6 = 0;
        std::uint64_t kernel_bytes = 0;  // as the kernel itself states it
    };

    // Descriptors of the two slots (maps of maps); their owner outlives this.
    KernelLists(int slot4, int slot6) : slot4_(slot4), slot6_(slot6) {}

    // New lists are filled, then put into the slots: each packet meets the old or the new one,
    // whole. At an error the old ones stay. E2BIG: more than kMostPrefixes.
    [[nodiscard]] Result<> set(AddressLists lists);

    [[nodiscard]] const Size& size() const noexcept { return size_; }

    static constexpr std::size_t kMostPrefixes = 2'000'000;

private:
    int slot4_;
    int slot6_;
    Size size_ = {};
};

}  // namespace vigia::sensors
