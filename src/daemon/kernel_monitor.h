// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "daemon/activity_reporter.h"
#include "daemon/address_feeds.h"
#include "daemon/kernel_ladder.h"
#include "daemon/policy_store.h"
#include "daemon/reporter.h"
#include "daemon/who.h"
#include "process_tree/process_tree.h"

namespace vigia::daemon {

// Keeps the sensors of processes and flows fitting the policy: opens the best that the kernel lets
// us (again with growing pauses while it is not the kernel's programs), sets what is to be left
// out, loads the lists of addresses when their files change. Opening takes seconds and lists are
// large, so it happens on a thread of its own.
class KernelMonitor {
public:
    struct Options {
        const PolicyStore& policies;
        Reporter& reporter;
        std::filesystem::path cache;      // folder for types derived from headers
        std::function<void()> on_change;  // the state is another one; any thread
        // Whose doing something was that was seen by looking: without the kernel's programs nobody
        // counts. Must not block.
        std::function<void(pid_t, BootTime)> on_looked = [](pid_t, BootTime) {};
    };

    explicit KernelMonitor(Options options);
    KernelMonitor(const KernelMonitor&) = delete;
    KernelMonitor& operator=(const KernelMonitor&) = delete;
    ~KernelMonitor();

    void start();

    // Policy changed, or something that a refusal may have come from. Any thread; returns at once.
    void refresh();
    // The same, and whatever was refused is tried at once.
    void retry();

    // How much is told: level of overload. Any thread; returns at once. Starts of programs and new
    // connections to other machines are told at every level.
    void set_level(unsigned level);

    // Of the programs in the kernel; nothing is loaded where there are none.
    [[nodiscard]] sensors::KernelSensor::Load load() const;

    // Whose doing something was that was heard of at `at`, with what the kernel has told until now.
    [[nodiscard]] std::optional<ProcessLine> who_did(pid_t pid, BootTime at);

    // The same for many, and at once: what has been told until now is enough. Thread-safe.
    [[nodiscard]] std::optional<ProcessInfo> last_of(pid_t pid, BootTime at) const {
        return tree_.last_before(pid, at);
    }

    [[nodiscard]] std::string user_name(unsigned uid) { return who_.name_of(uid); }

    // Whom the kernel has counted most events of, since its sensor was opened.
    [[nodiscard]] std::vector<sensors::KernelSensor::ProgramActivity> busiest(
        std::size_t most) const;

    struct Half {
        bool wanted = false;
        std::string backend = {};  // empty: none
        std::optional<sensors::LoadFailure> failure = {};
    };

    struct State {
        bool applied = false;  // the newest wish has been carried out
        Half processes = {};
        Half network = {};
        std::string derive_error = {};
        std::string_view delivery = {};  // of the kernel's programs; empty: there are none
        std::vector<sensors::LoadFailure> missing = {};              // what works without
        std::vector<sensors::KernelSensor::Counters> counters = {};  // of all sensors since start
        std::uint64_t missed_runs = 0;
        std::uint64_t malformed = 0;
        std::array<std::uint64_t, sensors::kEventClassNames.size()> polled{};
        std::array<std::uint64_t, sensors::kEventClassNames.size()> polled_excluded{};
        std::string polling_error = {};
        sensors::KernelLists::Size lists = {};
        std::vector<AddressFeeds::File> feeds = {};
        std::string lists_error = {};
        process_tree::ProcessTree::Size tree = {};
        std::uint64_t findings = 0;
    };

    [[nodiscard]] State state() const;

    // Waits until the newest wish has been carried out. For start and tests.
    bool wait_applied(std::chrono::milliseconds timeout) const;

private:
    using Totals = std::map<std::string_view, sensors::KernelSensor::Counters>;

    void run(const std::stop_token& stop);
    void sleep_until_due();
    void apply_once();
    void arrange(const PolicyInForce& policy);
    void close_sensors();
    void open_sensors(const PolicyInForce& policy);
    void retry_programs(const PolicyInForce& policy);
    void plan_retry(const KernelRungs& rungs);
    void adopt(KernelRungs rungs, const KernelWish& wish);
    [[nodiscard]] KernelWish wish_of(const PolicyInForce& policy) const;
    void seed();
    void follow_level();
    [[nodiscard]] std::vector<sensors::KernelSensor::ProgramExclusion> excluded_by(
        const Policy& policy);
    void exclude_programs(const PolicyInForce& policy);
    void exclude_running(sensors::KernelSensor& sensor);
    void load_lists(const Policy::Network& network);
    void tell_lists();
    void match_existing(const Policy::Network& network, const sensors::AddressTable& table);
    void watch_feeds(const Policy::Network& network);
    [[nodiscard]] sensors::KernelSettings settings_of(const Policy& policy) const;
    [[nodiscard]] sensors::KernelSensor::Observer observer();
    [[nodiscard]] sensors::KernelSensor::Observer looking_observer();

    Options options_;
    process_tree::ProcessTree tree_;
    Who who_;
    ActivityReporter activity_;
    UniqueFd wake_;     // eventfd
    UniqueFd inotify_;  // of the folders of feed files
    // The thread's own.
    AddressFeeds feeds_;
    std::vector<std::string> watched_;
    std::vector<sensors::KernelSensor::ProgramExclusion> excluded_;
    bool excluded_known_ = false;  // `excluded_` is what the sensor has
    bool lists_loaded_ = false;
    std::optional<BootTime> retry_at_;
    std::chrono::seconds pause_{0};
    unsigned level_in_force_ = 0;

    mutable std::mutex mutex_;  // guards all below
    mutable std::condition_variable changed_;
    std::uint64_t wanted_revision_ = 0;
    std::uint64_t applied_revision_ = 0;
    unsigned level_ = 0;
    bool retry_now_ = false;
    bool wants_processes_ = false;
    bool wants_network_ = false;
    KernelRungs rungs_;
    Totals before_;  // of sensors that are closed
    std::uint64_t missed_before_ = 0;
    sensors::KernelSensor::Load load_before_;  // the same
    std::array<std::uint64_t, sensors::kEventClassNames.size()> polled_before_{};
    std::array<std::uint64_t, sensors::kEventClassNames.size()> polled_excluded_before_{};
    std::vector<AddressFeeds::File> files_;
    std::string lists_error_;
    std::jthread thread_;
};

}  // namespace vigia::daemon
