// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "support/instance.h"
#include "support/playground.h"

// What an instance says about its faults, on every way out.
namespace vigia::test {

// As `vigia faults list --json` has it; null: not raised, or the daemon does not answer yet.
inline nlohmann::json fault_of(const Instance& instance, int id) {
    const auto output = instance.cli({"--json", "faults", "list"});
    const auto list = nlohmann::json::parse(output.out, nullptr, false);
    if (list.is_object() && list.contains("faults")) {
        for (const auto& fault : list["faults"]) {
            if (fault.value("id", 0) == id) {
                return fault;
            }
        }
    }
    return nullptr;
}

// Its cause; empty: not raised.
inline std::string cause_of(const Instance& instance, int id) {
    const auto fault = fault_of(instance, id);
    return fault.is_object() ? fault.value("cause", "") : "";
}

// Answers, and the fault is not among those raised.
inline bool is_clear(const Instance& instance, int id) {
    const auto list = instance.json({"faults", "list"});
    return list.is_object() && list.contains("faults") && fault_of(instance, id).is_null();
}

inline std::set<int> raised(const Instance& instance) {
    std::set<int> ids;
    const auto list = instance.json({"faults", "list"});
    for (const auto& fault : list.at("faults")) {
        ids.insert(fault.at("id").get<int>());
    }
    return ids;
}

// All episodes of the fault, newest first.
inline std::vector<nlohmann::json> episodes_of(const Instance& instance, int id) {
    std::vector<nlohmann::json> found;
    const auto history = instance.json({"faults", "history"});
    for (const auto& episode : history.at("episodes")) {
        if (episode.at("id") == id) {
            found.push_back(episode);
        }
    }
    return found;
}

// The last word on why it cleared; empty while it is raised or was never.
inline std::string cleared_because(const Instance& instance, int id) {
    const auto episodes = episodes_of(instance, id);
    const bool over = !episodes.empty() && episodes.front().at("cleared_because").is_string();
    return over ? episodes.front().at("cleared_because").get<std::string>() : "";
}

// How many of `events` tell that phase ("fault-raised", "fault-cleared", …) of the fault.
inline int told(const std::vector<nlohmann::json>& events, int id, const std::string& phase) {
    int count = 0;
    for (const auto& event : events) {
        const auto fault = event.at("vigia").value("fault", nlohmann::json::object());
        const bool same = fault.value("id", 0) == id;
        count += same && event.at("vigia").at("event") == phase ? 1 : 0;
    }
    return count;
}

// What the events file holds of the fault class.
// The file of events, and what was rotated out of it.
inline std::string all_event_lines(const Instance& instance) {
    std::string all;
    for (const auto& entry : std::filesystem::directory_iterator(instance.path("var/log/vigia"))) {
        if (entry.path().filename().native().starts_with("events.jsonl")) {
            all += read_text(entry.path());
        }
    }
    return all;
}

inline std::vector<nlohmann::json> fault_lines(const Instance& instance) {
    std::vector<nlohmann::json> events;
    std::istringstream lines(all_event_lines(instance));
    for (std::string line; std::getline(lines, line);) {
        if (line.find("6008") == std::string::npos) {
            continue;  // there may be hundreds of thousands of others
        }
        auto event = nlohmann::json::parse(line, nullptr, false);
        if (event.is_object() && event.value("class_uid", 0) == 6008) {
            events.push_back(std::move(event));
        }
    }
    return events;
}

// Exactly one beginning and one end of the fault's only episode, on each of the three ways.
inline void expect_one_episode(const Instance& instance, int id) {
    EXPECT_EQ(episodes_of(instance, id).size(), 1U) << instance.json({"faults", "history"}).dump(1);
    const auto events = instance.events("6008");
    EXPECT_TRUE(eventually([&] { return told(fault_lines(instance), id, "fault-cleared") > 0; }));
    for (const auto& [where, told_there] :
         {std::pair{"journal", events}, std::pair{"events file", fault_lines(instance)}}) {
        EXPECT_EQ(told(told_there, id, "fault-raised"), 1) << where;
        EXPECT_EQ(told(told_there, id, "fault-cleared"), 1) << where;
    }
}

}  // namespace vigia::test
