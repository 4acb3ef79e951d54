// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include <cerrno>

#include "health/catalogue.h"
#include "health/render.h"

namespace vigia::health {
namespace {

TEST(StorageFault, DefinitionsThatCannotBeKeptAreNamedWithThePlaceThatStandsIn) {
    const auto* fault = find_fault(104);
    Facts facts;
    facts.storage.known = true;
    facts.storage.definitions_ok = false;
    facts.storage.definitions_error = "Read-only file system";
    facts.storage.definitions_error_number = EROFS;
    facts.storage.definitions_path = "/var/lib/vigia/definitions";
    facts.storage.definitions_stand_in = "/run/vigia/definitions";
    const auto finding = fault->probe(facts, fault->timing);
    ASSERT_EQ(finding.state, Finding::State::Failing);
    EXPECT_EQ(finding.cause, "read-only");
    EXPECT_EQ(finding.severity, Severity::Major);
    for (const auto language : {Language::English, Language::Spanish}) {
        const auto report = render(*fault, finding, language);
        EXPECT_NE(report.description.find("definitions"), std::string::npos);
        EXPECT_NE(report.remedy.back().text.find("/run/vigia/definitions"), std::string::npos);
    }
    // Where only the journal is concerned, nothing is said of it.
    facts.storage.definitions_ok = true;
    facts.storage.journal_ok = false;
    facts.storage.journal_error_number = EROFS;
    const auto other = render(*fault, fault->probe(facts, fault->timing), Language::English);
    for (const auto& step : other.remedy) {
        EXPECT_EQ(step.text.find("kept in"), std::string::npos) << step.text;
    }
}

}  // namespace
}  // namespace vigia::health
