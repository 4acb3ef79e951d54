// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "sensors/fanotify/file_sensor.h"

namespace vigia::sensors {

// Why a record is not handed on.
enum class Reason : std::uint8_t {
    OutsideWatch,
    Own,          // below our own folders
    Folder,       // about a folder, with nothing new in it
    Vanished,     // its folder is no more
    Unreachable,  // no mount of its file system can be opened
    Unopenable,   // descriptor mode: the kernel could not open the object for us
    Malformed,    // not understood
};

inline constexpr std::array<std::string_view, 7> kReasonNames{
    "outside-watch", "own", "folder", "vanished", "unreachable", "unopenable", "malformed"};

// read == delivered + all of filtered + overflows, for every batch and so for every sum of batches.
struct Tally {
    std::uint64_t read = 0;
    std::uint64_t delivered = 0;
    std::uint64_t overflows = 0;
    std::array<std::uint64_t, kReasonNames.size()> filtered{};

    void filter(Reason reason) { ++filtered.at(static_cast<std::size_t>(reason)); }

    Tally& operator+=(const Tally& other);
};

// The counters, and whether reading works. Thread-safe.
class Accounts {
public:
    void add(const Tally& batch);

    // `reader`: which one, for people. An empty error: it reads (again).
    void set_error(const std::string& reader, std::string error);

    // Fills in what it knows of the state.
    void tell(FileSensor::State& state) const;

private:
    mutable std::mutex mutex_;  // guards all below
    Tally total_;
    std::map<std::string, std::string> errors_;  // by reader; those that began to read are in it
};

}  // namespace vigia::sensors
