// SPDX-License-Identifier: GPL-2.0-or-later
// The pages of docs/ that the program prints: what is committed is what this build says.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "health/catalogue.h"
#include "support/playground.h"
#include "support/process.h"

namespace vigia::test {
namespace {

using testing::HasSubstr;

class FaultPages : public testing::TestWithParam<const char*> {
protected:
    [[nodiscard]] static std::string printed() {
        const auto output = run(dev_program("vigia"), {"generate", "faults", "--lang", GetParam()});
        EXPECT_EQ(output.exit, 0) << output.err;
        EXPECT_EQ(output.err, "");
        return output.out;
    }
};

TEST_P(FaultPages, TheCommittedPageIsWhatTheProgramPrints) {
    const auto file = fmt::format("docs/FAULTS.{}.md", GetParam());
    EXPECT_EQ(read_text(std::filesystem::path(VIGIA_SOURCE_DIR) / file), printed())
        << "make it again: vigia generate faults --lang " << GetParam() << " > " << file;
}

TEST_P(FaultPages, EveryFaultCauseAndCommandStandsInIt) {
    const auto page = printed();
    for (const auto* fault : health::catalogue()) {
        EXPECT_THAT(page, HasSubstr(fmt::format("\n## {} · ", int{fault->id})));
        EXPECT_THAT(page, HasSubstr(fmt::format("`{}`", fault->key)));
        EXPECT_THAT(page, HasSubstr(std::string(fault->gate)));
        for (const auto& cause : fault->causes) {
            EXPECT_THAT(page, HasSubstr(fmt::format("\n### `{}`\n", cause.word)));
            for (const auto& step : cause.remedy) {
                EXPECT_THAT(page, HasSubstr(std::string(step.command))) << cause.word;
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(InBothLanguages,
                         FaultPages,
                         testing::Values("en", "es"),
                         [](const auto& language) { return std::string(language.param); });

}  // namespace
}  // namespace vigia::test
