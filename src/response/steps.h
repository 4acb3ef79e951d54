// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

namespace vigia::response {

// Where a test may stop the work (Quarantine::Options::step): after each of these is done.
inline constexpr int kStepIntentRecorded = 1;  // Storing is in the journal
inline constexpr int kStepPartWritten = 2;     // content durable under a temporary name
inline constexpr int kStepInVault = 3;         // … and in its place
inline constexpr int kStepRemovingRecorded = 4;
inline constexpr int kStepNameAside = 5;  // once per name: renamed to the private name
inline constexpr int kStepNameGone = 6;   // once per name: unlinked
inline constexpr int kStepNamesDone = 7;
inline constexpr int kStepEmptyingRecorded = 8;  // only where the content is emptied
inline constexpr int kStepEmptied = 9;
inline constexpr int kStepDoneRecorded = 10;
inline constexpr int kLastStep = kStepDoneRecorded;

}  // namespace vigia::response
