// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>

namespace vigia::scan {

// A hash map that knows the order of use. One allocation an entry; nothing is evicted in here: the
// owner says when, by pop_oldest(). Not thread-safe. Pointers to values stay true until the entry
// is erased.
template <typename Key, typename Value, typename Hash = std::hash<Key>>
class LruMap {
public:
    LruMap() = default;
    LruMap(const LruMap&) = delete;
    LruMap& operator=(const LruMap&) = delete;
    LruMap(LruMap&&) = delete;
    LruMap& operator=(LruMap&&) = delete;
    ~LruMap() = default;

    [[nodiscard]] std::size_t size() const noexcept { return nodes_.size(); }

    // Does not count as a use.
    [[nodiscard]] Value* peek(const Key& key) {
        const auto found = nodes_.find(key);
        return found == nodes_.end() ? nullptr : &found->second.value;
    }

    // Makes the entry the newest.
    [[nodiscard]] Value* find(const Key& key) {
        const auto found = nodes_.find(key);
        if (found == nodes_.end()) {
            return nullptr;
        }
        unlink(found->second);
        link_newest(found->second);
        return &found->second.value;
    }

    // The value of `key`, made if it is not there, as the newest.
    [[nodiscard]] Value& get(const Key& key) {
        const auto [at, added] = nodes_.try_emplace(key);
        if (added) {
            at->second.key = &at->first;
        } else {
            unlink(at->second);
        }
        link_newest(at->second);
        return at->second.value;
    }

    // As the oldest; an entry that is there already stays as it is (nullptr).
    [[nodiscard]] Value* add_oldest(const Key& key) {
        const auto [at, added] = nodes_.try_emplace(key);
        if (!added) {
            return nullptr;
        }
        at->second.key = &at->first;
        link_oldest(at->second);
        return &at->second.value;
    }

    void erase(const Key& key) {
        const auto found = nodes_.find(key);
        if (found != nodes_.end()) {
            unlink(found->second);
            nodes_.erase(found);
        }
    }

    [[nodiscard]] std::optional<std::pair<Key, Value>> pop_oldest() {
        if (oldest_ == nullptr) {
            return std::nullopt;
        }
        auto taken = nodes_.extract(*oldest_->key);
        unlink(taken.mapped());
        return std::pair{std::move(taken.key()), std::move(taken.mapped().value)};
    }

    // From the oldest to the newest; `visit` must not add or erase.
    void for_each(const std::function<void(const Key&, Value&)>& visit) {
        for (Node* node = oldest_; node != nullptr; node = node->newer) {
            visit(*node->key, node->value);
        }
    }

private:
    struct Node {
        Value value{};
        const Key* key = nullptr;
        Node* newer = nullptr;
        Node* older = nullptr;
    };

    void unlink(Node& node) noexcept {
        (node.newer != nullptr ? node.newer->older : newest_) = node.older;
        (node.older != nullptr ? node.older->newer : oldest_) = node.newer;
    }

    void link_newest(Node& node) noexcept {
        node.newer = nullptr;
        node.older = newest_;
        (newest_ != nullptr ? newest_->newer : oldest_) = &node;
        newest_ = &node;
    }

    void link_oldest(Node& node) noexcept {
        node.older = nullptr;
        node.newer = oldest_;
        (oldest_ != nullptr ? oldest_->older : newest_) = &node;
        oldest_ = &node;
    }

    std::unordered_map<Key, Node, Hash> nodes_;
    Node* newest_ = nullptr;
    Node* oldest_ = nullptr;
};

}  // namespace vigia::scan
