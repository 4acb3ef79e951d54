// SPDX-License-Identifier: GPL-2.0-or-later
#include "sinks/journald_sink.h"

#include <gtest/gtest.h>

#include <map>

#include "model/message_id.h"

namespace vigia::sinks {
namespace {

std::map<std::string, std::string> fields_of(int class_uid, const std::string& json) {
    const auto fields = journald_fields({.sequence = 7,
                                         .epoch = "e",
                                         .uid = "u",
                                         .class_uid = class_uid,
                                         .severity = Severity::Major,
                                         .json = json});
    return {fields.begin(), fields.end()};
}

TEST(JournaldFields, AFaultIsFoundByItsNumberAndItsMessage) {
    const auto fields = fields_of(
        6008,
        R"({"message":"m","metadata":{"correlation_uid":"c"},)"
        R"("vigia":{"event":"fault-raised","fault":{"id":104,"key":"storage","cause":"full"}}})");
    EXPECT_EQ(fields.at("MESSAGE"), "m");
    EXPECT_EQ(fields.at("MESSAGE_ID"), message_id(104));
    EXPECT_EQ(fields.at("PRIORITY"), "3");
    EXPECT_EQ(fields.at("VIGIA_FAULT"), "104");
    EXPECT_EQ(fields.at("VIGIA_CAUSE"), "full");
    EXPECT_EQ(fields.at("VIGIA_EPISODE"), "c");
    EXPECT_EQ(fields.at("VIGIA_SEQUENCE"), "7");
}

TEST(JournaldFields, TelemetryStaysOutAndNothingElse) {
    EXPECT_TRUE(fields_of(1007, R"({"message":"m"})").empty());
    EXPECT_TRUE(fields_of(4001, R"({"message":"m"})").empty());
    for (const int cls : {2004, 6002, 6007, 6008}) {
        EXPECT_EQ(fields_of(cls, R"({"message":"m"})").at("MESSAGE_ID"), message_id(0)) << cls;
    }
}

TEST(JournaldFields, WhatIsNoJsonIsHandedOnAsItIs) {
    EXPECT_EQ(fields_of(6002, "torn").at("MESSAGE"), "torn");
}

TEST(MessageId, IsThirtyTwoDigitsAndEndsInTheNumber) {
    EXPECT_EQ(message_id(0).size(), 32U);
    EXPECT_TRUE(message_id(19).ends_with("0013"));
    EXPECT_EQ(message_id(0).substr(0, 28), message_id(110).substr(0, 28));
}

}  // namespace
}  // namespace vigia::sinks
