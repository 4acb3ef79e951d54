// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/fault.h"

// What `vigia status` shows, as values; wire/status_json.h gives its JSON (the contract).
namespace vigia {

struct MonitorStatus {
    std::string name;  // files, exec, processes, network
    bool wanted = false;
    std::string state = {};  // ok, partial, failed, off, unknown
    std::string backend =
        {};  // fanotify-fid, fanotify-fd, ebpf-btf, ebpf-derived, proc; empty: none
    std::string detail = {};  // one sentence for people

    struct Place {
        std::string path;
        std::string type;   // file system
        std::string state;  // watched, local-changes-only, not-applicable, unwatched
        std::string detail = {};
    };

    std::vector<Place> places = {};  // files: each mount below a watched folder
};

struct ScanServiceStatus {
    std::string state = "starting";  // starting, ready, failed, off
    std::string detail;
    std::string user;      // effective user of the workers
    unsigned workers = 0;  // ready
    std::uint64_t pending = 0;
    std::uint64_t deferred = 0;
    std::uint64_t files_scanned = 0;  // verdicts given
    std::uint64_t detections = 0;
    std::uint64_t unscannable = 0;
    std::uint64_t failed = 0;
    std::uint64_t identity_hits = 0;
    std::uint64_t content_hits = 0;
    std::uint64_t workers_lost = 0;  // abnormal ends
    std::optional<WallTime> last_scan;
};

struct DefinitionsStatus {
    std::string generation;         // stable word for this set of files: hex digest prefix
    std::optional<WallTime> built;  // of the newest signed part; nothing: unknown
    std::uint64_t signatures = 0;
    std::optional<std::uint64_t> age_seconds;

    struct Source {
        std::string kind;
        std::string path;
        std::uint64_t files = 0;
        std::string detail = {};
    };

    std::vector<Source> sources = {};
};

// hard-parts 7. `exact` false: the kernel merges, and an overflow has no count.
struct Accounting {
    std::string cls;  // file, exec, fork, exit, connect, accept, close, udp
    bool exact = false;
    std::uint64_t offered = 0;
    std::uint64_t delivered = 0;
    std::map<std::string, std::uint64_t> filtered = {};  // reason → count
    std::uint64_t deferred = 0;
    std::optional<std::uint64_t> lost = 0;  // nothing: unknown (an overflow)
    std::uint64_t overflows = 0;
    std::uint64_t recovered = 0;
};

struct SelfTestStage {
    std::string name;  // write, event, queue, verdict, journal
    bool ok = false;
    double milliseconds = 0;
    std::string detail = {};
};

struct SelfTestReport {
    bool ok = false;
    WallTime at{};
    std::string place = {};  // the file system it ran on
    std::vector<SelfTestStage> stages = {};
};

// What is looked at later, and how hard it is to keep up.
struct LoadStatus {
    unsigned level = 0;
    std::string reason = {};  // what raised it: ring, queue, overflow, …; empty at level 0
    std::optional<WallTime> since = {};
    double offered = 0;  // events per second, as the next two
    double delivered = 0;
    double deferred = 0;
    double ring_percent = 0;
    double queue_percent = 0;
    double oldest_scan_seconds = 0;
    double cpu_percent = 0;     // of the machine, by the daemon
    std::uint64_t changes = 0;  // of the level, since start
};

struct CatchUpStatus {
    std::string state = "none";            // none, waiting, walking
    std::optional<WallTime> since = {};    // what changed from then on is looked for
    std::optional<WallTime> started = {};  // looking
    std::uint64_t files_deferred = 0;      // waiting for it, at least
    std::uint64_t files_found = 0;
    std::uint64_t folders_walked = 0;
    std::uint64_t problems = 0;  // folders and files that could not be read, since start
    std::optional<double> share = {};
    std::optional<WallTime> tainted_since = {};   // something was lost
    std::vector<std::string> without_ctime = {};  // mount points
};

struct Status {
    std::string state = "starting";  // protected, degraded, unprotected, unknown, starting
    std::string state_reason = {};
    WallTime since{};
    std::string mode = "full";  // full, reduced, critical-only
    std::string policy_name;
    std::uint64_t policy_serial = 0;
    bool policy_valid = true;
    std::string policy_source;       // file, or "built-in default"
    std::string policy_errors = {};  // of the file refused, when not valid
    std::vector<MonitorStatus> monitors;
    ScanServiceStatus scan;
    DefinitionsStatus definitions;
    LoadStatus load = {};
    CatchUpStatus catch_up = {};
    std::vector<Accounting> accounting;
    std::optional<SelfTestReport> self_test;
    std::string exec_gate = {};
    std::vector<FaultReport> faults = {};  // raised, by id
};

}  // namespace vigia
