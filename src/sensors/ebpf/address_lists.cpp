// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/ebpf/address_lists.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <vigia_records.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>
#include <utility>

#include "base/files.h"

namespace vigia::sensors {
namespace {

constexpr unsigned kMappedBits = 96;
constexpr std::size_t kBatch = 65536;

void sort_unique(std::vector<IpPrefix>& prefixes) {
    std::ranges::sort(prefixes);
    const auto rest = std::ranges::unique(prefixes);
    prefixes.erase(rest.begin(), rest.end());
}

bool covers(const IpPrefix& outer, const IpPrefix& inner) {
    return outer.bits <= inner.bits && outer.contains(inner.address);
}

bool is_v4(const IpPrefix& prefix) {
    return prefix.bits >= kMappedBits && prefix.address.is_v4();
}

vigia_prefix4 key4(const IpPrefix& prefix) {
    vigia_prefix4 key{.bits = prefix.bits - kMappedBits, .address = {}};
    std::memcpy(key.address, &prefix.address.bytes[12], sizeof(key.address));
    return key;
}

vigia_prefix6 key6(const IpPrefix& prefix) {
    vigia_prefix6 key{.bits = prefix.bits, .address = {}};
    std::memcpy(key.address, prefix.address.bytes.data(), sizeof(key.address));
    return key;
}

// LPM tries take batches since Linux 5.14; before, one call for each.
template <typename Key>
Result<> fill(int map, const std::vector<Key>& keys, const std::vector<std::uint32_t>& values) {
    bool batches = true;
    for (std::size_t at = 0; at < keys.size();) {
        auto count = static_cast<std::uint32_t>(batches ? std::min(kBatch, keys.size() - at) : 1);
        if (!batches) {
            if (bpf_map_update_elem(map, &keys[at], &values[at], BPF_ANY) != 0) {
                return fail_errno("add a prefix");
            }
        } else if (bpf_map_update_batch(map, &keys[at], &values[at], &count, nullptr) != 0) {
            if (at > 0 || errno == ENOMEM || errno == ENOSPC) {
                return fail_errno("add prefixes");
            }
            batches = false;
            count = 0;
        }
        at += count;
    }
    return {};
}

template <typename Key>
Result<UniqueFd> make_list(const std::vector<Key>& keys, const std::vector<std::uint32_t>& values) {
    bpf_map_create_opts options{};
    options.sz = sizeof(options);
    options.map_flags = BPF_F_NO_PREALLOC;
    UniqueFd map(bpf_map_create(BPF_MAP_TYPE_LPM_TRIE,
                                "vigia_list",
                                sizeof(Key),
                                sizeof(std::uint32_t),
                                static_cast<std::uint32_t>(std::max<std::size_t>(keys.size(), 1)),
                                &options));
    if (!map) {
        return fail_errno("make a list of addresses");
    }
    TRY(fill(map.get(), keys, values));
    return map;
}

Result<> put_into_slot(int slot, int list) {
    const std::uint32_t zero = 0;
    if (bpf_map_update_elem(slot, &zero, &list, BPF_ANY) != 0) {
        return fail_errno("swap a list of addresses");
    }
    return {};
}

std::uint64_t memory_of(int map) {
    constexpr std::string_view kField = "memlock:\t";
    const auto text =
        read_file("/proc/self/fdinfo/" + std::to_string(map), 4096).value_or(std::string{});
    const auto at = text.find(kField);
    std::uint64_t bytes = 0;
    if (at != std::string::npos) {
        std::from_chars(text.data() + at + kField.size(), text.data() + text.size(), bytes);
    }
    return bytes;
}

}  // namespace

std::vector<ListEntry> merge(AddressLists lists) {
    sort_unique(lists.allow);
    sort_unique(lists.block);
    // Sorted, an outer prefix stands before what it covers: one pass keeps the outermost.
    std::vector<IpPrefix> outermost;
    for (const auto& prefix : lists.allow) {
        if (outermost.empty() || !covers(outermost.back(), prefix)) {
            outermost.push_back(prefix);
        }
    }
    std::vector<ListEntry> merged;
    merged.reserve(outermost.size() + lists.block.size());
    for (const auto& prefix : lists.block) {
        const auto after = std::ranges::upper_bound(outermost, prefix);
        if (after == outermost.begin() || !covers(*std::prev(after), prefix)) {
            merged.push_back({.prefix = prefix, .blocked = true});
        }
    }
    for (const auto& prefix : outermost) {
        merged.push_back({.prefix = prefix, .blocked = false});
    }
    std::ranges::sort(merged);
    return merged;
}

AddressTable::AddressTable(AddressLists lists) : entries_(merge(std::move(lists))) {
    std::array<bool, 129> there{};
    for (const auto& entry : entries_) {
        there.at(entry.prefix.bits) = true;
    }
    for (std::size_t bits = there.size(); bits-- > 0;) {
        if (there.at(bits)) {
            lengths_.push_back(static_cast<std::uint8_t>(bits));
        }
    }
}

bool AddressTable::is_blocked(const IpAddress& address) const {
    for (const auto bits : lengths_) {
        if (bits < kMappedBits && address.is_v4()) {
            break;  // ::/0 and the like are IPv6 only
        }
        IpPrefix prefix{.address = address, .bits = bits};
        for (std::size_t at = 0; at < prefix.address.bytes.size(); ++at) {
            const auto kept = std::clamp<int>(bits - static_cast<int>(at) * 8, 0, 8);
            prefix.address.bytes.at(at) &= static_cast<std::uint8_t>(0xff00U >> kept);
        }
        const auto found = std::ranges::lower_bound(entries_, prefix, {}, &ListEntry::prefix);
        if (found != entries_.end() && found->prefix == prefix) {
            return found->blocked;
        }
    }
    return false;
}

Result<> KernelLists::set(AddressLists lists) {
    if (lists.allow.size() + lists.block.size() > kMostPrefixes) {
        return fail(std::errc::argument_list_too_long, "too many prefixes");
    }
    std::vector<vigia_prefix4> keys4;
    std::vector<vigia_prefix6> keys6;
    std::vector<std::uint32_t> values4;
    std::vector<std::uint32_t> values6;
    for (const auto& entry : merge(std::move(lists))) {
        const auto value =
            static_cast<std::uint32_t>(entry.blocked ? VIGIA_LISTED_BLOCK : VIGIA_LISTED_ALLOW);
        if (is_v4(entry.prefix)) {
            keys4.push_back(key4(entry.prefix));
            values4.push_back(value);
        } else {
            keys6.push_back(key6(entry.prefix));
            values6.push_back(value);
        }
    }
    const auto list4 = TRY(make_list(keys4, values4), "IPv4");
    const auto list6 = TRY(make_list(keys6, values6), "IPv6");
    TRY(put_into_slot(slot4_, list4.get()));
    TRY(put_into_slot(slot6_, list6.get()));
    size_ = {.prefixes4 = keys4.size(),
             .prefixes6 = keys6.size(),
             .kernel_bytes = memory_of(list4.get()) + memory_of(list6.get())};
    return {};
}

}  // namespace vigia::sensors
