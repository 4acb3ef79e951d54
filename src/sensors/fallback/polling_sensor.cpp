// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/fallback/polling_sensor.h"

#include <netinet/in.h>
#include <pthread.h>
#include <unistd.h>

#include <set>
#include <utility>

#include "sensors/fallback/proc_table.h"

namespace vigia::sensors {
namespace {

constexpr std::size_t kMostProcesses = 65'536;
constexpr std::uint8_t kListens = 10;

bool same_image(const ProcessInfo& one, const ProcessInfo& other) {
    return one.who.program == other.who.program && one.path == other.path;
}

}  // namespace

PollingSensor::PollingSensor(const Options& options, KernelSensor::Observer observer)
    : options_(options), observer_(std::move(observer)) {
    look();
    for (const auto& [pid, process] : processes_) {
        snapshot_.push_back(process);
    }
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
    ::pthread_setname_np(thread_.native_handle(), "vigia-polling");
}

PollingSensor::~PollingSensor() {
    thread_.request_stop();
}

void PollingSensor::run(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any wake;
    while (!stop.stop_requested()) {
        {
            std::unique_lock lock(mutex);
            wake.wait_for(lock, stop, options_.every, [] { return false; });
        }
        if (!stop.stop_requested()) {
            look();
            observer_.on_batch_end();
        }
    }
}

void PollingSensor::set_excluded_programs(std::vector<KernelSensor::ProgramExclusion> programs) {
    const std::scoped_lock lock(mutex_);
    programs_ = std::move(programs);
}

void PollingSensor::take_programs() {
    const std::scoped_lock lock(mutex_);
    if (programs_) {
        exclusions_.set(*std::exchange(programs_, std::nullopt));
    }
}

void PollingSensor::count(EventClass event_class, bool excluded) {
    const std::scoped_lock lock(mutex_);
    auto& counters = excluded ? state_.excluded : state_.told;
    ++counters.at(static_cast<std::size_t>(event_class));
}

void PollingSensor::look() {
    ++looks_;
    take_programs();
    const auto now = Clock::boot();
    if (options_.processes) {
        look_at_processes(now);
    }
    if (options_.network) {
        look_at_sockets(now);
    }
}

// But for our own.
std::map<pid_t, ProcessInfo> PollingSensor::running() const {
    std::map<pid_t, ProcessInfo> current;
    std::set<pid_t> own{::getpid()};
    for (const auto pid : list_pids()) {
        auto process = current.size() < kMostProcesses ? read_process(pid) : std::nullopt;
        if (!process || process->kernel_thread) {
            continue;
        }
        if (own.contains(pid) || own.contains(process->parent.pid)) {
            own.insert(pid);
            continue;
        }
        if (const auto parent = processes_.find(process->parent.pid); parent != processes_.end()) {
            process->parent = parent->second.who.key;
        }
        current.emplace(pid, std::move(*process));
    }
    return current;
}

void PollingSensor::look_at_processes(BootTime now) {
    const auto before = std::exchange(processes_, running());
    const auto exclusions_before = exclusions_;
    exclusions_.update(processes_);
    tell_ends(before, exclusions_before, now);
    if (looks_ > 1) {
        tell_begins(before, now);
    }
}

void PollingSensor::tell_ends(const std::map<pid_t, ProcessInfo>& before,
                              const Exclusions& exclusions_before,
                              BootTime now) {
    for (const auto& [pid, process] : before) {
        const auto still = processes_.find(pid);
        if (still == processes_.end() || still->second.who.key != process.who.key) {
            const bool excluded = exclusions_before.contains(process.who.key);
            count(EventClass::Exit, excluded);
            if (!excluded) {
                observer_.on_process(ProcessExit{.process = process.who,
                                                 .parent = process.parent,
                                                 .wait_status = -1,
                                                 .at = now});
            }
        }
    }
}

void PollingSensor::tell_begins(const std::map<pid_t, ProcessInfo>& before, BootTime now) {
    for (const auto& [pid, process] : processes_) {
        const auto known = before.find(pid);
        const bool is_new = known == before.end() || known->second.who.key != process.who.key ||
                            !same_image(known->second, process);
        if (is_new) {
            const bool excluded = exclusions_.contains(process.who.key);
            count(EventClass::Exec, excluded);
            if (!excluded) {
                observer_.on_process(ProcessExec{.process = process, .at = now});
            }
        }
    }
}

// Where processes are not looked at for their own sake.
void PollingSensor::judge_holders() {
    if (options_.processes || !exclusions_.any()) {
        return;
    }
    exclusions_.update(running());
}

void PollingSensor::look_at_sockets(BootTime now) {
    const auto sockets = list_sockets();
    {
        const std::scoped_lock lock(mutex_);
        state_.error = sockets ? "" : sockets.error().message();
    }
    if (!sockets) {
        return;
    }
    std::set<std::pair<std::uint8_t, std::uint16_t>> listening;
    std::set<std::uint64_t> inodes;
    for (const auto& socket : *sockets) {
        if (socket.state == kListens) {
            listening.emplace(socket.protocol, socket.local.port);
        } else if (socket.inode != 0 && !sockets_.contains(socket.cookie)) {
            inodes.insert(socket.inode);
        }
    }
    if (!inodes.empty()) {
        judge_holders();
    }
    const auto holders =
        inodes.empty() ? std::map<std::uint64_t, pid_t>{} : holders_of(std::move(inodes));
    for (const auto& socket : *sockets) {
        if (socket.state == kListens) {
            continue;
        }
        if (!sockets_.contains(socket.cookie) && socket.inode != 0) {
            const auto holder = holders.find(socket.inode);
            begin_socket(socket,
                         holder == holders.end() ? 0 : holder->second,
                         listening.contains({socket.protocol, socket.local.port}));
        }
        if (const auto known = sockets_.find(socket.cookie); known != sockets_.end()) {
            known->second.look = looks_;
            known->second.flow.bytes_sent = socket.bytes_sent;
            known->second.flow.bytes_received = socket.bytes_received;
        }
    }
    end_sockets(now);
}

// Those that the last look did not find any more.
void PollingSensor::end_sockets(BootTime now) {
    for (auto at = sockets_.begin(); at != sockets_.end();) {
        if (at->second.look == looks_) {
            ++at;
            continue;
        }
        auto flow = std::move(at->second.flow);
        const bool excluded = at->second.excluded;
        at = sockets_.erase(at);
        const bool udp = flow.protocol == IPPROTO_UDP;
        flow.change = udp ? FlowChange::UdpEnded : FlowChange::Closed;
        flow.at = now;
        tell(udp ? EventClass::Udp : EventClass::Close, std::move(flow), excluded);
    }
}

void PollingSensor::begin_socket(const DiagSocket& socket, pid_t holder, bool incoming) {
    const auto now = Clock::boot();
    const bool udp = socket.protocol == IPPROTO_UDP;
    FlowEvent flow{.change = udp        ? FlowChange::UdpBegun
                             : incoming ? FlowChange::Accepted
                                        : FlowChange::Connected,
                   .id = socket.cookie,
                   .owner = {.key = {.pid = holder}, .uid = socket.uid},
                   .owner_source = holder != 0 ? OwnerSource::Holder : OwnerSource::None,
                   .direction = incoming ? FlowDirection::In : FlowDirection::Out,
                   .protocol = socket.protocol,
                   .tcp_state = socket.state,
                   .local = socket.local,
                   .remote = socket.remote,
                   .at = now,
                   .opened = now};
    if (const auto process = processes_.find(holder); process != processes_.end()) {
        flow.owner = process->second.who;
    } else if (auto found = holder != 0 ? read_process(holder) : std::nullopt) {
        flow.owner = std::move(found->who);
    }
    const bool excluded = exclusions_.contains(flow.owner.key);
    sockets_.emplace(socket.cookie,
                     KnownSocket{.flow = flow, .look = looks_, .excluded = excluded});
    if (looks_ > 1 && holder != ::getpid()) {
        tell(udp        ? EventClass::Udp
             : incoming ? EventClass::Accept
                        : EventClass::Connect,
             std::move(flow),
             excluded);
    }
}

void PollingSensor::tell(EventClass event_class, FlowEvent flow, bool excluded) {
    count(event_class, excluded);
    if (!excluded) {
        observer_.on_flow(std::move(flow));
    }
}

PollingSensor::State PollingSensor::state() const {
    const std::scoped_lock lock(mutex_);
    return state_;
}

}  // namespace vigia::sensors
