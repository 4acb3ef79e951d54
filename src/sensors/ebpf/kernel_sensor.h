// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/flow.h"
#include "model/process.h"
#include "sensors/ebpf/address_lists.h"
#include "sensors/ebpf/load_failure.h"

namespace vigia::sensors {

// Accounting classes, in the order of enum vigia_class.
enum class EventClass : std::uint8_t {
    Exec,
    Fork,
    Exit,
    Connect,
    Accept,
    Close,
    Udp,
    Owner,
    Block,
};

inline constexpr std::array<std::string_view, 9> kEventClassNames{
    "exec", "fork", "exit", "connect", "accept", "close", "udp", "owner", "block"};

class EventClasses {
public:
    constexpr EventClasses() = default;

    constexpr EventClasses(std::initializer_list<EventClass> classes) {
        for (const auto one : classes) {
            bits_ |= 1U << static_cast<unsigned>(one);
        }
    }

    [[nodiscard]] static constexpr EventClasses all() {
        EventClasses set;
        set.bits_ = (1U << kEventClassNames.size()) - 1;
        return set;
    }

    constexpr EventClasses& operator|=(EventClasses more) {
        bits_ |= more.bits_;
        return *this;
    }

    [[nodiscard]] constexpr std::uint32_t bits() const { return bits_; }

private:
    std::uint32_t bits_ = 0;
};

enum class BlockMode : std::uint8_t { Off, Audit, Block };

// What the kernel side is to leave out, and to do.
struct KernelSettings {
    EventClasses wanted = EventClasses::all();    // by policy
    EventClasses admitted = EventClasses::all();  // at this level of overload
    EventClasses no_loopback = {};                // loopback is left out of these
    EventClasses quiet_loopback = {};             // the same, at this level of overload
    std::uint32_t argument_bytes = 1024;          // at most 1,024; 0: no command lines
    bool kill_memory_files = false;               // end what executes a memfd
    BlockMode block_mode = BlockMode::Off;
};

// Processes and flows from the kernel, through eBPF. Events are delivered on one thread of the
// sensor's own: it must keep up with the kernel whatever the daemon's loop is doing, as what does
// not fit into the ring is lost (and counted). All members may be called from any thread but that
// one.
class KernelSensor {
public:
    struct Options {
        bool processes = true;
        bool network = true;
        KernelSettings settings = {};
        std::string cgroup = {};  // flows of this cgroup's processes only; empty: the whole host
        std::string btf_file =
            {};                    // types of this kernel, where it has none itself (derived_btf.h)
        bool hide_btf = false;     // test: as on a kernel without BTF
        bool perf_buffer = false;  // test: as on a kernel without ring buffers
        // A single event waits for others so long, unless a ring fills: fewer wake-ups. 0: no wait.
        std::chrono::milliseconds gather{0};
        std::uint64_t ring_bytes = 0;  // 0: by memory and processors
    };

    // Called on the sensor's thread. They must not block for long.
    struct Observer {
        std::function<void(ProcessEvent&&)> on_process = [](ProcessEvent&&) {};
        std::function<void(FlowEvent&&)> on_flow = [](FlowEvent&&) {};
        // The rings are empty for now. Every process event that happened before any flow told until
        // here has been told, too.
        std::function<void()> on_batch_end = [] {};
    };

    // Loads, attaches, begins to deliver. On failure nothing stays attached.
    [[nodiscard]] static std::expected<KernelSensor, LoadFailure> open(const Options& options,
                                                                       Observer observer);

    KernelSensor(const KernelSensor&) = delete;
    KernelSensor& operator=(const KernelSensor&) = delete;
    KernelSensor(KernelSensor&&) noexcept;
    KernelSensor& operator=(KernelSensor&&) noexcept;
    ~KernelSensor();

    struct Counters {
        std::string_view event_class;
        std::uint64_t offered =
            0;  // == delivered + all of filtered + lost, once nothing is under way
        std::uint64_t delivered = 0;
        std::uint64_t lost = 0;
        std::map<std::string_view, std::uint64_t> filtered = {};  // by reason, all of them
    };

    struct State {
        std::string_view backend;   // "ebpf-btf", "ebpf-derived"
        std::string_view delivery;  // "ring-buffer", "perf-buffer"
        std::vector<Counters> counters;
        std::vector<LoadFailure> missing;  // what works without, and what it lacks
        std::string cgroup;                // where flows are watched; empty: nowhere
        std::uint64_t missed_runs = 0;     // not seen at all: a program interrupted itself
        std::uint64_t malformed = 0;       // records that were not understood
        std::uint64_t ring_bytes = 0;      // of each ring or perf buffer
        KernelLists::Size lists = {};
    };

    [[nodiscard]] State state() const;

    // How hard the sensor has to work. Cheap: a few system calls.
    struct Load {
        double ring_fill = 0;       // 0 to 1; the fullest that a ring was since the last call
        std::uint64_t offered = 0;  // since start; what would be told at no level is not in it
        std::uint64_t delivered = 0;
        std::uint64_t lost = 0;
    };

    [[nodiscard]] Load load() const;

    // Everything that was in the rings when it was called has been delivered when it returns.
    // Error: ETIMEDOUT.
    [[nodiscard]] Result<> drain(std::chrono::milliseconds timeout);

    [[nodiscard]] Result<> set(const KernelSettings& settings);
    [[nodiscard]] Result<> set_lists(AddressLists lists);

    // What a process does is not told any more, until it ends; `rule` is the caller's number.
    [[nodiscard]] Result<> exclude(pid_t pid, std::uint32_t rule, bool children);
    [[nodiscard]] Result<> include(pid_t pid);

    // The same from exec on, for whoever runs this file.
    struct ProgramExclusion {
        ProgramId program = {};
        std::uint32_t rule = 0;
        std::optional<uid_t> user = {};
        bool children = false;
    };

    [[nodiscard]] Result<> set_excluded_programs(const std::vector<ProgramExclusion>& programs);

    struct Snapshot {
        std::vector<ProcessInfo> processes;
        std::vector<FlowEvent> sockets;  // Existing
    };

    // The processes of it alone. May be called again: it changes nothing.
    [[nodiscard]] std::expected<std::vector<ProcessInfo>, LoadFailure> processes() const;

    // What exists now, from kernel iterators; also teaches the kernel side who owns open sockets.
    // Call once after open(). Without kernel BTF there are no iterators: NoBtf, ask /proc.
    [[nodiscard]] std::expected<Snapshot, LoadFailure> snapshot();

    // The sockets that are open now, each with whether the list of addresses in force has its
    // remote address. Otherwise as snapshot(); empty without the network sensor.
    [[nodiscard]] std::expected<std::vector<FlowEvent>, LoadFailure> sockets();

    struct ProgramActivity {
        ProgramId program = {};
        std::string comm = {};  // of its newest process
        pid_t pid = 0;
        uid_t uid = 0;
        std::array<std::uint64_t, kEventClassNames.size()> events{};  // offered, filtered or not
    };

    // The programs, each with a user, that caused most events since open(), busiest first. Of so
    // many that the kernel's table cannot hold them, those seen least recently are forgotten.
    [[nodiscard]] std::vector<ProgramActivity> busiest(std::size_t most) const;

private:
    struct Parts;
    explicit KernelSensor(std::unique_ptr<Parts> parts) noexcept;
    std::unique_ptr<Parts> parts_;
};

// A power of two: a two-hundred-and-fiftieth of the memory at most, 2 MiB for each processor,
// between 512 KiB and 32 MiB. Pure.
[[nodiscard]] std::uint64_t ring_bytes_for(std::uint64_t memory, unsigned processors);

}  // namespace vigia::sensors
