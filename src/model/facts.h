// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/fact.h"
#include "model/program_load.h"
#include "model/sha256.h"

namespace vigia {

// A snapshot of what every part last said of itself and of this machine. Plain values without
// thresholds: parts fill in their own section, the probes of health/faults/ only read. What has not
// been said yet is unknown, never "fine".
struct Facts {
    BootTime now{};
    WallTime wall{};
    BootTime started{};  // of the daemon

    // What policy asks for: a fault about something that nobody wants is none.
    struct Wanted {
        bool copies_and_moves = true;
        bool exec_gate = false;
        bool processes = true;
        bool flows = true;
        bool definition_sources = false;
        bool outlets = true;  // sinks beside the event file of the host

        [[nodiscard]] bool any_ebpf() const { return processes || flows; }
    } wanted = {};

    // A mode and an owner, as stat(2) has them.
    struct Access {
        unsigned mode = 0;
        unsigned uid = 0;
        unsigned gid = 0;

        bool operator==(const Access&) const = default;
    };

    struct WrongAccess {
        std::string path;
        std::optional<Access> found = {};  // nothing: it is not there, or no folder
        Access expected;

        bool operator==(const WrongAccess&) const = default;
    };

    // Fault 5: the account under which foreign bytes are parsed.
    struct ScanUser {
        std::string name = "vigia-scan";
        Fact<bool> user_exists = {};
        Fact<bool> group_exists = {};
        std::vector<std::string> misconfigured = {};  // stable words: uid-0, login-shell, …
        std::string shell = {};
        std::optional<unsigned> uid = {};
        std::vector<WrongAccess> wrong_access = {};
        std::string usergroups_enab = {};  // as login.defs has it; empty: not said
        std::string creation_error = {};   // of the last attempt to make the account
        std::string switch_error = {};     // setuid was refused
        std::string create_command = {};   // for this host
        std::string running_as = {};       // effective user of the workers; empty: none runs
    } scan_user = {};

    struct Crash {
        BootTime at{};
        WallTime wall{};
        std::string how;  // "signal 11 (Segmentation fault)", "deadline", …
        std::string path = {};
        std::optional<Sha256> sha256 = {};
        std::uint64_t size = 0;
    };

    struct Poison {
        std::string path;
        std::optional<Sha256> sha256 = {};
        std::uint64_t size = 0;
        std::string reason;
    };

    // Faults 6, 7, 108.
    struct ScanService {
        std::string state = {};  // starting, ready, failed, stopped; empty: unknown
        unsigned workers_ready = 0;
        std::string definitions = {};     // generation in use; empty: no engine
        std::vector<Crash> crashes = {};  // abnormal ends, oldest first; at least those of 1 h
        std::vector<Poison> poison = {};  // set aside under these definitions
        std::string load_cause = {};      // of the last load that failed; empty: none since
        std::string load_file = {};
        std::string load_message = {};
        std::string fallback = {};  // generation that serves instead of the one that failed
        std::vector<std::string> empty_sources = {};  // configured, and without any definition file
        bool built_in_only = false;                   // nothing but EICAR and the canary is loaded
        std::uint64_t memory_needed = 0;   // bytes, of the last load that succeeded; 0: none did
        std::uint64_t memory_reached = 0;  // bytes, where the last one that failed was; 0: unknown
        std::uint64_t memory_available = 0;  // bytes, cgroup limit included; 0: not known
        bool sandbox_known = false;
        bool seccomp = false;
        bool landlock = false;
        bool namespaces = false;
        std::string sandbox_detail = {};
    } scan = {};

    struct UnwatchedMount {
        std::string path;
        std::string type = {};
        std::string error = {};
        int error_number = 0;
    };

    // Fault 8.
    struct FileMonitor {
        bool known = false;                 // marks have been set, or refused, at least once
        std::optional<Error> refused = {};  // fanotify_init
        std::string read_error = {};        // events cannot be read any more
        std::size_t watched = 0;
        std::vector<UnwatchedMount> unwatched = {};
        std::vector<std::string> missing_capabilities = {};
        std::uint64_t group_limit = 0;  // fs.fanotify.max_user_groups; 0: not known
    } files = {};

    // Fault 104.
    struct Storage {
        bool known = false;
        bool journal_ok = true;
        int journal_error_number = 0;
        std::string journal_error = {};
        std::string journal_path = {};
        std::uint64_t events_waiting = 0;
        std::uint64_t events_lost = 0;
        std::string renewal_reason = {};  // journal-damaged, journal-deleted, journal-replaced
        std::string set_aside = {};
        std::optional<BootTime> renewed_at = {};
        bool vault_ok = true;
        std::string vault_error = {};
        int vault_error_number = 0;
        bool definitions_ok = true;  // false: they are kept in the stand-in
        std::string definitions_error = {};
        int definitions_error_number = 0;
        std::string definitions_path = {};
        std::string definitions_stand_in = {};
        bool events_file_ok = true;
        std::string events_file = {};
        std::string events_file_error = {};
        int events_file_error_number = 0;
        std::optional<BootTime> events_file_lost_at = {};  // it was taken away and made anew
        std::uint64_t bytes_free = 0;
    } storage = {};

    // Fault 103: sinks beside the event file of the host.
    struct Outlet {
        std::string name;        // "journald"
        std::string error = {};  // empty: takes events
        std::uint64_t waiting = 0;
        double spool_share = 0;  // of the journal's greatest size, taken up by what waits
    };

    std::vector<Outlet> outlets = {};

    struct PolicyProblem {
        std::string file;
        int line = 0;
        int column = 0;
        std::string key;
        std::string message;
        std::string suggestion = {};
    };

    // Fault 105.
    struct PolicyFile {
        std::vector<PolicyProblem> problems = {};
        std::string in_force = {};  // name and serial of the last good one
    } policy = {};

    struct Stage {
        std::string name;
        bool ok = false;
        std::string detail = {};
    };

    // Fault 106. Nothing: none has run yet.
    struct SelfTest {
        bool ok = false;
        WallTime at{};
        std::string place = {};
        std::vector<Stage> stages = {};
    };

    std::optional<SelfTest> self_test = {};

    struct MissingFeature {
        std::string feature;       // "BPF ring buffer"
        std::string capability;    // what it costs: files, processes, network
        std::string first_kernel;  // first mainline version that has it, "5.8"
        std::string why;
    };

    // Faults 11 and 16: what of ours this kernel can carry. Empty texts: not known.
    struct Kernel {
        Fact<std::string> release = {};
        Fact<bool> has_btf = {};
        Fact<bool> has_headers = {};
        std::vector<std::string> headers_lack = {};  // what a tree that was found does not have
        std::vector<std::string> looked_in = {};
        std::vector<std::string> found_releases = {};
        std::string headers_package = {};
        std::string install_headers_command = {};
        std::vector<MissingFeature> missing = {};  // of wanted capabilities
        std::vector<std::string> carried = {};     // wanted capabilities that are there
        std::vector<std::string> undecided = {};   // "network: why nobody can tell"
        bool programs_impossible = false;          // eBPF: headers would not help
        std::string sufficient_kernel = {};        // installed, and would do
        std::string secure_boot = {};              // enabled, disabled, no-efi
        std::string lockdown = {};
    } kernel = {};

    // Fault 9, and what 11 and 16 are corrected by: how putting our programs into the kernel went.
    struct Programs {
        struct Refusal {
            std::string cause;         // no-permission, lockdown, selinux, verifier, …
            int error_number = 0;      // errno
            std::string program = {};  // which was refused; empty: before any
            std::string detail = {};   // "CAP_BPF", "seccomp", …
            std::string log = {};      // its last lines
        };

        bool tried = false;  // since policy last changed its mind
        std::optional<Refusal> processes = {};
        std::optional<Refusal> network = {};
        bool processes_run = false;     // the programs, not what stands in for them
        bool network_run = false;       //
        bool no_types = false;          // no BTF, and none could be derived
        std::string derive_error = {};  // why not, where headers were there
        std::string fallback = {};      // what is used instead: "proc", empty: nothing
    } programs = {};

    // Fault 18.
    struct Overload {
        bool known = false;      // somebody has looked
        unsigned level = 0;      // 1 reduced, 2 critical-only
        std::string gauge = {};  // what is too much: ring, queue, overflow, lost, events, …
        double measured = 0;
        double limit = 0;
        std::optional<BootTime> since = {};  // of the episode
        double offered = 0;                  // events per second, as the next two; of late
        double delivered = 0;
        double deferred = 0;
        double peak_offered = 0;  // of the episode
        unsigned ring_percent = 0;
        unsigned queue_percent = 0;
        std::uint64_t scans_pending = 0;
        double oldest_scan_seconds = 0;
        double cpu_percent = 0;       // of the machine, ours
        double peak_cpu_percent = 0;  // of the episode
        unsigned processors = 0;
        std::uint64_t overflows = 0;  // of the episode
        std::uint64_t lost = 0;

        // What was put off, and how far looking at it has come.
        bool owes = false;          // there is something that was deferred or lost
        std::string catch_up = {};  // waiting, walking; empty: nothing to do
        std::uint64_t files_deferred = 0;
        std::uint64_t files_found = 0;
        std::uint64_t folders_walked = 0;
        std::optional<double> share = {};             // done, where that is known
        std::optional<WallTime> tainted_since = {};   // the interval in which something was lost
        std::vector<std::string> without_ctime = {};  // file systems that are walked as a whole

        std::vector<ProgramLoad> programs = {};  // busiest first
        bool culprit = false;                    // one of them makes up a good part of it
        std::vector<BootTime> storms = {};       // began without a culprit, of the last day
    } overload = {};

    // Fault 19.
    struct Selinux {
        Fact<std::string> state = {};  // absent, disabled, permissive, enforcing
        Fact<bool> allows_bpf = {};
        std::vector<std::string> denied = {};
        std::string domain = {};
        std::string module = {};  // installed, disabled, not-installed; empty: not known
        bool tools_missing = false;
        std::string tools_package = {};
        std::string install_tools_command = {};
        std::string module_command = {};
    } selinux = {};

    // Fault 107.
    struct OtherScanner {
        std::int64_t pid = 0;
        std::string program;
        std::string product = {};  // empty: only a permission listener
    };

    Fact<std::vector<OtherScanner>> other_scanners = {};

    // Fault 110: our own files against what the package says that it installed.
    struct Installation {
        struct Difference {
            std::string path;
            std::optional<Sha256> found = {};
            Sha256 expected = {};
            std::string error = {};  // why it was not found: "missing", …
        };

        bool known = false;         // it was looked at
        std::string manifest = {};  // empty: built here, not installed by a package
        std::string manifest_error = {};
        std::size_t files = 0;  // compared
        std::vector<Difference> differences = {};
        std::string running_replaced = {};  // path of the daemon's own program, if it is another
        std::string reinstall_command = {};
    } installation = {};
};

}  // namespace vigia
