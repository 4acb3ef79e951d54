// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "support/bpf_allowed.h"
#include "support/faults.h"
#include "support/instance.h"
#include "support/playground.h"

// What a daemon says of processes and connections.
namespace vigia::test {

inline nlohmann::json monitor_of(const Instance& instance, const std::string& name) {
    const auto output = instance.cli({"--json", "status"});
    const auto status = nlohmann::json::parse(output.out, nullptr, false);
    if (status.is_object() && status.contains("monitors")) {
        for (const auto& monitor : status["monitors"]) {
            if (monitor.value("name", "") == name) {
                return monitor;
            }
        }
    }
    return nullptr;
}

inline nlohmann::json accounting_of(const Instance& instance, const std::string& cls) {
    const auto status = instance.status();
    for (const auto& one : status.at("accounting")) {
        if (one.at("class") == cls) {
            return one;
        }
    }
    return nullptr;
}

// offered − delivered − filtered − lost; 0 where the books balance.
inline std::int64_t imbalance_of(const nlohmann::json& accounting) {
    auto left = accounting.at("offered").get<std::int64_t>() -
                accounting.at("delivered").get<std::int64_t>() -
                accounting.at("deferred").get<std::int64_t>();
    for (const auto& [reason, count] : accounting.at("filtered").items()) {
        left -= count.get<std::int64_t>();
    }
    return accounting.at("lost").is_null() ? left
                                           : left - accounting.at("lost").get<std::int64_t>();
}

inline std::string word_in(const nlohmann::json& event) {
    return event.at("vigia").value("event", "");
}

inline std::vector<nlohmann::json> events_where(
    const Instance& instance,
    const std::string& cls,
    const std::function<bool(const nlohmann::json&)>& wanted) {
    std::vector<nlohmann::json> found;
    for (const auto& event : instance.events(cls)) {
        if (wanted(event)) {
            found.push_back(event);
        }
    }
    return found;
}

// "processes" and "network" run in the kernel; the self-test need not have passed.
inline testing::AssertionResult start_with_kernel(Instance& instance) {
    if (auto started = instance.start(false); !started) {
        return started;
    }
    const bool up = eventually([&] {
        const auto monitor = monitor_of(instance, "network");
        return monitor.is_object() && monitor.value("backend", "").starts_with("ebpf");
    });
    return up ? testing::AssertionSuccess()
              : testing::AssertionFailure() << monitor_of(instance, "network").dump(1)
                                            << read_text(instance.path("daemon.err"));
}

}  // namespace vigia::test
