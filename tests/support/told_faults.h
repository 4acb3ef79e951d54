// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "support/instance.h"
#include "support/playground.h"

// What has been told of faults, in the words of the events themselves.
namespace vigia::test {

using Json = nlohmann::json;

// Sections of a policy for tests of faults: nothing is wanted that this machine may not have, and
// nothing is mended unless the test says so.
inline std::string quiet_policy(const std::string& faults) {
    return "[processes]\nmonitor = false\n\n[network]\ndevice_flow_correlation = false\n\n"
           "[faults]\nself_heal = false\n" +
           faults + "\n";
}

// As `vigia faults list` has it; null: not raised, or no answer.
inline Json raised_fault(const Instance& instance, int id) {
    const auto list = Json::parse(instance.cli({"--json", "faults", "list"}).out, nullptr, false);
    if (list.is_object() && list.contains("faults")) {
        for (const auto& fault : list["faults"]) {
            if (fault.value("id", 0) == id) {
                return fault;
            }
        }
    }
    return nullptr;
}

inline std::string raised_cause(const Instance& instance, int id) {
    const auto fault = raised_fault(instance, id);
    return fault.is_object() ? fault.value("cause", "") : "";
}

// The lines of the events file.
inline std::vector<Json> lines_of(const std::filesystem::path& file) {
    std::vector<Json> events;
    std::istringstream lines(read_text(file));
    for (std::string line; std::getline(lines, line);) {
        events.push_back(Json::parse(line, nullptr, false));
        EXPECT_TRUE(events.back().is_object()) << file << ": " << line;
    }
    return events;
}

inline std::string word_of(const Json& event) {
    return event.at("vigia").at("event").get<std::string>();
}

// What was told of one episode.
struct Told {
    int id = 0;
    int raised = 0;
    int recovered = 0;  // raised again, because the journal is another one
    int cleared = 0;
    std::vector<std::string> causes = {};  // each raised and updated

    bool operator==(const Told&) const = default;
};

// By correlation UID.
inline std::map<std::string, Told> told_faults(const std::vector<Json>& events) {
    std::map<std::string, Told> told;
    for (const auto& event : events) {
        const auto word = word_of(event);
        if (!word.starts_with("fault-")) {
            continue;
        }
        const auto& fault = event.at("vigia").at("fault");
        auto& one = told[event.at("metadata").at("correlation_uid").get<std::string>()];
        one.id = fault.at("id");
        if (word == "fault-cleared") {
            ++one.cleared;
            continue;
        }
        one.causes.push_back(fault.at("cause"));
        if (word == "fault-raised") {
            ++(fault.at("recovered").get<bool>() ? one.recovered : one.raised);
        }
    }
    return told;
}

// Numbers follow each other from the first one on; a new journal begins with 1.
inline void expect_no_gap_and_nothing_twice(const std::vector<Json>& events) {
    std::set<std::string> uids;
    std::string epoch;
    std::uint64_t last = 0;
    for (const auto& event : events) {
        const auto sequence = event.at("metadata").at("sequence").get<std::uint64_t>();
        const auto here = event.at("vigia").at("journal_epoch").get<std::string>();
        EXPECT_EQ(sequence, here == epoch ? last + 1 : 1) << event.dump();
        EXPECT_TRUE(uids.insert(event.at("metadata").at("uid")).second) << event.dump();
        epoch = here;
        last = sequence;
    }
}

}  // namespace vigia::test
