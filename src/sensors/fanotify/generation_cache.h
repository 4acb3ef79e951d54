// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <unordered_map>
#include <utility>

namespace vigia::sensors {

// A bounded table that keeps what is used: two halves, the young and the old. What is found in the
// old half moves to the young one; when that is full it becomes the old one and the old is dropped.
// So the least recently used go, at the cost of a plain table. One thread.
template <typename Key, typename Value>
class GenerationCache {
public:
    explicit GenerationCache(std::size_t capacity) : half_(capacity / 2) {}

    // Null if not known. Valid until the next call.
    [[nodiscard]] const Value* find(const Key& key) {
        if (const auto found = young_.find(key); found != young_.end()) {
            return &found->second;
        }
        auto node = old_.extract(key);
        if (node.empty()) {
            return nullptr;
        }
        make_room();
        return &young_.insert(std::move(node)).position->second;
    }

    const Value& put(const Key& key, Value value) {
        erase(key);
        make_room();
        return young_.insert_or_assign(key, std::move(value)).first->second;
    }

    void erase(const Key& key) {
        young_.erase(key);
        old_.erase(key);
    }

    void clear() {
        young_.clear();
        old_.clear();
    }

    [[nodiscard]] bool is_empty() const { return young_.empty() && old_.empty(); }

    [[nodiscard]] std::size_t size() const { return young_.size() + old_.size(); }

private:
    void make_room() {
        if (young_.size() >= half_) {
            old_ = std::exchange(young_, {});
        }
    }

    std::size_t half_;
    std::unordered_map<Key, Value> young_;
    std::unordered_map<Key, Value> old_;
};

}  // namespace vigia::sensors
