// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/schema.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "policy/combinations.h"
#include "policy/fields.h"
#include "policy/records.h"
#include "policy/words.h"

namespace vigia::policy {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kSecond = 1000;
constexpr std::uint64_t kHour = 3600 * kSecond;
constexpr std::uint64_t kDay = 24 * kHour;
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
constexpr std::uint64_t kGiB = std::uint64_t{1} << 30U;
constexpr std::uint64_t kTiB = std::uint64_t{1} << 40U;
// libclamav counts sizes in 32 bits with a sign.
constexpr std::uint64_t kLargestFile = 2 * kGiB - 1;

template <typename T>
using Named = std::pair<std::string_view, T>;

constexpr std::array kFileModes{Named<FileMode>{"audit", FileMode::Audit},
                                Named<FileMode>{"quarantine", FileMode::Quarantine}};
constexpr std::array kExecModes{Named<ExecMode>{"off", ExecMode::Off},
                                Named<ExecMode>{"audit", ExecMode::Audit},
                                Named<ExecMode>{"block", ExecMode::Block}};
constexpr std::array kTimeoutAnswers{Named<TimeoutAnswer>{"allow", TimeoutAnswer::Allow},
                                     Named<TimeoutAnswer>{"deny", TimeoutAnswer::Deny}};
constexpr std::array kNetworkModes{Named<NetworkMode>{"audit", NetworkMode::Audit},
                                   Named<NetworkMode>{"block", NetworkMode::Block}};
constexpr std::array kMemfdModes{Named<MemfdExecute>{"audit", MemfdExecute::Audit},
                                 Named<MemfdExecute>{"kill", MemfdExecute::Kill}};
constexpr std::array kProcessEvents{
    Named<ProcessTelemetry>{"launch", ProcessTelemetry::Launch},
    Named<ProcessTelemetry>{"terminate", ProcessTelemetry::Terminate}};
constexpr std::array kNetworkEvents{Named<NetworkTelemetry>{"open", NetworkTelemetry::Open},
                                    Named<NetworkTelemetry>{"close", NetworkTelemetry::Close}};

struct Digest {
    static std::optional<Sha256> read(const Node& node, const Context& context) {
        const auto* text = read_string(node, context);
        if (text == nullptr) {
            return std::nullopt;
        }
        auto digest = Sha256::parse(*text);
        if (!digest) {
            context.wrong(node.at, {.message = "expected a SHA-256: 64 hexadecimal digits"});
        }
        return digest;
    }

    static Node write(const Sha256& digest) { return {.value = digest.hex()}; }
};

// Sorted when written: the set has no order of its own.
struct Digests {
    using Set = std::unordered_set<Sha256>;

    static std::optional<Set> read(const Node& node, const Context& context) {
        return ListOf<Digest, Set>::read(node, context);
    }

    static Node write(const Set& digests) {
        std::vector<Sha256> sorted(digests.begin(), digests.end());
        std::ranges::sort(sorted);
        return ListOf<Digest, std::vector<Sha256>>::write(sorted);
    }
};

struct Percent {
    static std::optional<unsigned> read(const Node& node, const Context& context) {
        const auto* text = node.as<std::string>();
        if (text == nullptr) {
            context.wrong_kind(node, "a percentage such as \"25%\"");
            return std::nullopt;
        }
        auto parsed = parse_percent(*text);
        if (!parsed) {
            context.wrong(node.at, std::move(parsed).error());
            return std::nullopt;
        }
        return *parsed;
    }

    static Node write(unsigned percent) { return {.value = std::to_string(percent) + "%"}; }
};

// A number, or "auto" for nothing.
struct Workers {
    using Value = std::optional<unsigned>;

    static std::optional<Value> read(const Node& node, const Context& context) {
        const auto* text = node.as<std::string>();
        if (text != nullptr && *text == "auto") {
            return std::make_optional<Value>(std::nullopt);
        }
        if (text != nullptr) {
            static constexpr std::array<std::string_view, 1> kAuto{"auto"};
            context.unknown_value(node, *text, kAuto);
            return std::nullopt;
        }
        const auto number = read_number(node, context, {1, 64});
        if (!number) {
            return std::nullopt;
        }
        return std::make_optional<Value>(static_cast<unsigned>(*number));
    }

    static Node write(const Value& workers) {
        return workers ? Node{.value = std::int64_t{*workers}} : Node{.value = std::string("auto")};
    }
};

using Serial = Number<std::uint64_t, 0, std::numeric_limits<std::int64_t>::max()>;
using GateTimeout = Lasting<milliseconds, kSecond / 10, 60 * kSecond>;
using FileSize = Size<1, kLargestFile>;
using CheckEvery = Lasting<milliseconds, kSecond, 30 * kDay>;
using Generations = Number<unsigned, 1, 100>;
using FileTimeout = Lasting<milliseconds, kSecond, kHour>;
using SelftestEvery = Lasting<milliseconds, kSecond, 7 * kDay>;
using EventRate = Number<std::uint64_t, 1, 1'000'000'000>;
using ScanDelay = Lasting<milliseconds, kSecond, kDay>;
using RiseAfter = Lasting<milliseconds, 0, 60 * kSecond>;
using CalmAfter = Lasting<milliseconds, kSecond, kHour>;
using JournalSize = Size<kMiB, kTiB>;
using JournalAge = Lasting<std::chrono::hours, kHour, 3650 * kDay>;
using Paths = Texts<parse_path>;
using Networks = Texts<parse_network>;
using ProcessEvents = ListOf<OneOf<kProcessEvents>, std::vector<ProcessTelemetry>>;
using NetworkEvents = ListOf<OneOf<kNetworkEvents>, std::vector<NetworkTelemetry>>;

#define VIGIA_OPTION(type, member, key) \
    field<Policy, type, [](auto& policy) -> auto& { return policy.member; }>(key)

constexpr std::array kPolicy{VIGIA_OPTION(Text<parse_label>, name, "name"),
                             VIGIA_OPTION(Serial, serial, "serial")};

constexpr std::array kFiles{
    VIGIA_OPTION(Flag, files.monitor_copies_and_moves, "monitor_copies_and_moves"),
    VIGIA_OPTION(OneOf<kFileModes>, files.mode, "mode"),
    VIGIA_OPTION(OneOf<kExecModes>, files.on_execute, "on_execute"),
    VIGIA_OPTION(GateTimeout, files.on_execute_timeout, "on_execute_timeout"),
    VIGIA_OPTION(OneOf<kTimeoutAnswers>, files.on_timeout, "on_timeout"),
    VIGIA_OPTION(Paths, files.watch, "watch"),
    VIGIA_OPTION(FileSize, files.max_file_size, "max_file_size"),
    VIGIA_OPTION(Flag, files.archives, "archives")};

constexpr std::array kNetwork{
    VIGIA_OPTION(Flag, network.device_flow_correlation, "device_flow_correlation"),
    VIGIA_OPTION(OneOf<kNetworkModes>, network.mode, "mode"),
    VIGIA_OPTION(Networks, network.block, "block"),
    VIGIA_OPTION(Networks, network.allow, "allow"),
    VIGIA_OPTION(Paths, network.block_files, "block_files"),
    VIGIA_OPTION(Paths, network.allow_files, "allow_files"),
    VIGIA_OPTION(Flag, network.loopback, "loopback"),
    VIGIA_OPTION(NetworkEvents, network.events, "events")};

constexpr std::array kProcesses{
    VIGIA_OPTION(Flag, processes.monitor, "monitor"),
    VIGIA_OPTION(OneOf<kMemfdModes>, processes.memfd_execute, "memfd_execute"),
    VIGIA_OPTION(Flag, processes.capture_command_line, "capture_command_line"),
    VIGIA_OPTION(Texts<parse_regex>, processes.redact, "redact"),
    VIGIA_OPTION(ProcessEvents, processes.events, "events")};

constexpr std::array kHashes{VIGIA_OPTION(Digests, hashes.block, "block"),
                             VIGIA_OPTION(Digests, hashes.allow, "allow")};

constexpr std::array kDefinitions{
    VIGIA_OPTION(Records<DefinitionSource>, definitions.sources, "sources"),
    VIGIA_OPTION(CheckEvery, definitions.check_every, "check_every"),
    VIGIA_OPTION(Generations, definitions.keep_generations, "keep_generations")};

constexpr std::array kScan{VIGIA_OPTION(Workers, scan.workers, "workers"),
                           VIGIA_OPTION(FileTimeout, scan.file_timeout, "file_timeout"),
                           VIGIA_OPTION(Records<ScanSchedule>, scan.schedule, "schedule"),
                           VIGIA_OPTION(Percent, scan.cpu_budget_percent, "cpu_budget"),
                           VIGIA_OPTION(SelftestEvery, scan.selftest_every, "selftest_every")};

constexpr std::array kOverload{VIGIA_OPTION(Percent, overload.reduce_percent, "reduce_at"),
                               VIGIA_OPTION(Percent, overload.critical_percent, "critical_at"),
                               VIGIA_OPTION(EventRate, overload.reduce_events, "reduce_events"),
                               VIGIA_OPTION(EventRate, overload.critical_events, "critical_events"),
                               VIGIA_OPTION(ScanDelay, overload.scan_delay, "scan_delay"),
                               VIGIA_OPTION(Percent, overload.cpu_percent, "cpu"),
                               VIGIA_OPTION(RiseAfter, overload.rise_after, "rise_after"),
                               VIGIA_OPTION(CalmAfter, overload.calm_after, "calm_after"),
                               VIGIA_OPTION(Flag, overload.full_walk, "full_walk")};

constexpr std::array kJournal{VIGIA_OPTION(JournalSize, journal.max_bytes, "max_size"),
                              VIGIA_OPTION(JournalAge, journal.max_age, "max_age")};

constexpr std::array kFaults{VIGIA_OPTION(Flag, faults.self_heal, "self_heal"),
                             VIGIA_OPTION(Flag, faults.install_packages, "install_packages"),
                             VIGIA_OPTION(Records<FaultOverride>, faults.overrides, "overrides")};

// A section of options, as a type, so that it can be a row of the document itself.
template <const auto& kFields>
struct SectionOf {
    static void read(const Node& node, const Context& context, Policy& policy) {
        read_fields(node, context, std::span<const Field<Policy>>(kFields), policy);
    }

    static std::optional<Node> write(const Policy& policy) {
        return write_fields(policy, std::span<const Field<Policy>>(kFields));
    }
};

template <const auto& kFields>
consteval Field<Policy> section(std::string_view key) {
    using Type = SectionOf<kFields>;
    return {.key = key, .read = &Type::read, .write = &Type::write};
}

constexpr std::array kDocument{section<kPolicy>("policy"),
                               section<kFiles>("files"),
                               section<kNetwork>("network"),
                               section<kProcesses>("processes"),
                               VIGIA_OPTION(ExclusionSets, exclusions, "exclusions"),
                               section<kHashes>("hashes"),
                               section<kDefinitions>("definitions"),
                               section<kScan>("scan"),
                               section<kOverload>("overload"),
                               section<kJournal>("journal"),
                               section<kFaults>("faults"),
                               VIGIA_OPTION(Records<SinkConfig>, sinks, "sinks")};

}  // namespace

void read_policy(const Node& document, Problems& problems, Policy& policy) {
    const Context context(problems);
    read_fields(document, context, std::span<const Field<Policy>>(kDocument), policy);
    check_combinations(document, context, policy);
}

Node write_policy(const Policy& policy) {
    return write_fields(policy, std::span<const Field<Policy>>(kDocument));
}

}  // namespace vigia::policy
