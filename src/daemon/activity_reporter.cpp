// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/activity_reporter.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/wait.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/text.h"

namespace vigia::daemon {
namespace {

constexpr std::size_t kMostFlows = 16'384;
constexpr std::size_t kMostMeetings = 4096;
constexpr std::size_t kMostWaiting = 10'000;
constexpr std::chrono::minutes kToldAgain{1};

std::string shown(const ProcessFacts& process) {
    return printable(!process.path.empty()   ? process.path
                     : !process.name.empty() ? process.name
                                             : "an unknown program");
}

std::string shown(const Endpoint& endpoint) {
    const auto address = to_text(endpoint.address);
    return endpoint.address.is_v4() ? fmt::format("{}:{}", address, endpoint.port)
                                    : fmt::format("[{}]:{}", address, endpoint.port);
}

const char* protocol_name(std::uint8_t protocol) {
    return protocol == IPPROTO_TCP ? "TCP" : protocol == IPPROTO_UDP ? "UDP" : "IP";
}

std::string sentence_of(const FlowFacts& flow, const char* verb) {
    const bool incoming = flow.direction == FlowDirection::In;
    return fmt::format("{} ({}) {} {} {} {}",
                       shown(flow.owner.process),
                       flow.owner.process.pid,
                       verb,
                       protocol_name(flow.protocol),
                       incoming ? "from" : "to",
                       shown(flow.remote));
}

template <typename T>
bool has(const std::vector<T>& list, T one) {
    return std::ranges::find(list, one) != list.end();
}

}  // namespace

ActivityReporter::ActivityReporter(Parts parts) : parts_(std::move(parts)) {
    refresh();
}

void ActivityReporter::refresh() {
    const auto policy = parts_.policies.current()->policy;
    parts_.who.set_policy(policy->processes);
    const std::scoped_lock lock(mutex_);
    wanted_ = {.launches = has(policy->processes.events, ProcessTelemetry::Launch),
               .ends = has(policy->processes.events, ProcessTelemetry::Terminate),
               .opens = has(policy->network.events, NetworkTelemetry::Open),
               .closes = has(policy->network.events, NetworkTelemetry::Close)};
}

void ActivityReporter::set_lists(sensors::AddressLists lists) {
    sensors::AddressTable table(std::move(lists));
    const std::scoped_lock lock(flow_mutex_);
    listed_ = std::move(table);
}

void ActivityReporter::on_process(ProcessEvent&& event) {
    parts_.tree.apply(event);
    std::visit([this](const auto& one) { tell(one); }, event);
}

void ActivityReporter::on_flow(FlowEvent&& event) {
    const std::scoped_lock lock(flow_mutex_);
    flows_.push_back(std::move(event));
    if (flows_.size() >= kMostFlows) {
        tell_flows();
    }
}

void ActivityReporter::on_batch_end() {
    const std::scoped_lock lock(flow_mutex_);
    tell_flows();
}

void ActivityReporter::on_listed(const FlowEvent& existing, bool refused) {
    auto flow = existing;
    flow.denied = refused;
    const std::scoped_lock lock(flow_mutex_);
    note_finding(flow);
}

// Who accepts is known a moment after the connection: until then it is taken for the listener's.
void ActivityReporter::correct_owners() {
    std::map<std::uint64_t, const FlowEvent*> users;
    for (const auto& flow : flows_) {
        if (flow.change == FlowChange::OwnerChanged && flow.id != 0) {
            users[flow.id] = &flow;
        }
    }
    for (auto& flow : flows_) {
        const auto user = flow.change == FlowChange::Accepted ? users.find(flow.id) : users.end();
        if (user != users.end()) {
            flow.owner = user->second->owner;
            flow.owner_source = user->second->owner_source;
        }
    }
}

void ActivityReporter::tell_flows() {
    correct_owners();
    for (const auto& flow : flows_) {
        tell(flow);
    }
    flows_.clear();
}

void ActivityReporter::tell(const ProcessExec& exec) {
    {
        const std::scoped_lock lock(mutex_);
        if (!wanted_.launches && !exec.killed) {
            return;
        }
    }
    // The memory's own: it knows who started it, not who took it over since.
    const auto known = parts_.tree.find(exec.process.who.key);
    ProcessBody body{.phase = ProcessPhase::Launched,
                     .who = parts_.who.line_of(known ? *known : exec.process),
                     .called_as = exec.process.called_as,
                     .memory_file = exec.process.memory_file,
                     .unlinked = exec.process.unlinked,
                     .ended_by_policy = exec.killed,
                     .cgroup = exec.process.who.cgroup,
                     .mount_namespace = exec.process.namespaces.mount,
                     .pid_namespace = exec.process.namespaces.pid};
    auto message =
        fmt::format("{} ({}) launched{}",
                    shown(body.who.process),
                    body.who.process.pid,
                    body.who.ancestors.empty() ? "" : " by " + shown(body.who.ancestors.front()));
    if (exec.killed) {
        message += "; ended before its first instruction: it runs from memory";
    }
    parts_.reporter.journal().append(
        {.severity = exec.killed ? Severity::Major : Severity::Informational,
         .time = wall_time(exec.at),
         .message = std::move(message),
         .body = std::move(body)});
}

void ActivityReporter::tell(const ProcessFork& /*fork*/) {}

void ActivityReporter::tell(const ProcessExit& exited) {
    {
        const std::scoped_lock lock(mutex_);
        if (!wanted_.ends) {
            return;
        }
    }
    const auto known = parts_.tree.find(exited.process.key);
    if (known && known->forked_only) {
        return;  // never launched anything: its parent's image, and not told of before
    }
    ProcessBody body{.phase = ProcessPhase::Terminated,
                     .who = known ? parts_.who.line_of(*known)
                                  : parts_.who.line_of(ProcessInfo{.who = exited.process,
                                                                   .parent = exited.parent}),
                     .cgroup = exited.process.cgroup};
    std::string how;
    if (exited.wait_status >= 0 && WIFSIGNALED(exited.wait_status)) {
        body.signal = WTERMSIG(exited.wait_status);
        how = fmt::format(" by signal {}", *body.signal);
    } else if (exited.wait_status >= 0) {
        body.exit_code = WEXITSTATUS(exited.wait_status);
        how = fmt::format(" with {}", *body.exit_code);
    }
    auto message = fmt::format(
        "{} ({}) ended{}", shown(body.who.process), body.who.process.pid, std::move(how));
    parts_.reporter.journal().append({.severity = Severity::Informational,
                                      .time = wall_time(exited.at),
                                      .message = std::move(message),
                                      .body = std::move(body)});
}

FlowFacts ActivityReporter::facts_of(const FlowEvent& flow) {
    FlowFacts facts{.owner = parts_.who.line_of(flow.owner),
                    .owner_source = flow.owner_source,
                    .direction = flow.direction,
                    .protocol = flow.protocol,
                    .local = flow.local,
                    .remote = flow.remote,
                    .id = flow.id};
    // Whose it was is a guess as long as nobody was seen using it; who closed it had it last, also
    // if the descriptor was handed on.
    if (flow.change == FlowChange::Closed && flow.owner_source != OwnerSource::Caller &&
        flow.closer != flow.owner.key.pid) {
        if (auto closer = parts_.who.line_at(flow.closer, flow.at)) {
            facts.owner = *std::move(closer);
            facts.owner_source = OwnerSource::Caller;
        }
    }
    return facts;
}

void ActivityReporter::tell(const FlowEvent& flow) {
    const auto phase = flow.change == FlowChange::Connected && flow.error != 0
                           ? NetworkPhase::Failed
                       : flow.change == FlowChange::Closed || flow.change == FlowChange::UdpEnded
                           ? NetworkPhase::Closed
                           : NetworkPhase::Opened;
    switch (flow.change) {
        case FlowChange::ListedAddress:
            note_finding(flow);
            return;
        case FlowChange::OwnerChanged:
        case FlowChange::Existing:
            return;
        case FlowChange::Connected:
        case FlowChange::Accepted:
        case FlowChange::Closed:
        case FlowChange::UdpBegun:
        case FlowChange::UdpEnded:
            break;
    }
    if (phase == NetworkPhase::Opened && listed_.is_blocked(flow.remote.address)) {
        note_finding(flow);
    }
    {
        const std::scoped_lock lock(mutex_);
        if (phase == NetworkPhase::Closed ? !wanted_.closes : !wanted_.opens) {
            return;
        }
    }
    NetworkBody body{.phase = phase,
                     .flow = facts_of(flow),
                     .bytes_sent = flow.bytes_sent,
                     .bytes_received = flow.bytes_received,
                     .error = flow.error};
    if (phase == NetworkPhase::Closed && flow.opened != BootTime{} && flow.at >= flow.opened) {
        body.duration = flow.at - flow.opened;
    }
    const char* verb = phase == NetworkPhase::Failed   ? "could not open"
                       : phase == NetworkPhase::Closed ? "closed"
                                                       : "opened";
    auto message = sentence_of(body.flow, verb);
    parts_.reporter.journal().append({.severity = Severity::Informational,
                                      .time = wall_time(flow.at),
                                      .message = std::move(message),
                                      .body = std::move(body)});
}

// A packet filter may meet one address a thousand times a second; and a connection that a list
// comes upon is met by each packet and by each list after it.
bool ActivityReporter::is_repeated(const FlowEvent& flow, Told& told, bool is_new) {
    constexpr std::size_t kMostTold = 16'384;
    bool again = !is_new && flow.at - told.at < kToldAgain;
    if (flow.change == FlowChange::Existing && !is_new) {
        again = true;  // told when it was opened, or another of the same process
    }
    if (flow.id != 0) {
        if (told_.size() >= kMostTold) {
            told_.clear();
        }
        again = !told_.emplace(flow.id, flow.denied).second || again;
    }
    told.repeated += again ? 1U : 0U;
    return again;
}

void ActivityReporter::note_finding(const FlowEvent& flow) {
    if (meetings_.size() >= kMostMeetings) {
        std::erase_if(meetings_,
                      [&](const auto& one) { return flow.at - one.second.at > kToldAgain; });
        if (meetings_.size() >= kMostMeetings) {
            meetings_.clear();
        }
    }
    const Meeting meeting{flow.owner.key, flow.remote.address, flow.direction, flow.denied};
    const auto [at, is_new] = meetings_.try_emplace(meeting);
    if (is_repeated(flow, at->second, is_new)) {
        return;
    }
    FlowDetectionBody body{
        .flow = facts_of(flow),
        .refused = flow.denied,
        .action = parts_.policies.current()->policy->network.mode == NetworkMode::Block ? "block"
                                                                                        : "audit",
        .stop = flow.stop,
        .repeated = at->second.repeated};
    at->second = {.at = flow.at};
    auto message = sentence_of(body.flow, flow.denied ? "was refused" : "used") +
                   ", an address of the block list";
    ++findings_;
    std::optional<Event> event = Event{.correlation = Uuid::random(),
                                       .severity = Severity::Major,
                                       .time = wall_time(flow.at),
                                       .message = std::move(message),
                                       .body = std::move(body)};
    {
        const std::scoped_lock lock(mutex_);
        if (waiting_.size() < kMostWaiting) {
            waiting_.push_back(*std::exchange(event, std::nullopt));
        }
    }
    if (event) {
        parts_.reporter.journal().append(*std::move(event));  // not durable at once, but not lost
    }
    parts_.on_finding();
}

void ActivityReporter::commit_findings() {
    journal::Change change;
    {
        const std::scoped_lock lock(mutex_);
        change.events.assign(std::make_move_iterator(waiting_.begin()),
                             std::make_move_iterator(waiting_.end()));
        waiting_.clear();
    }
    if (change.events.empty()) {
        return;
    }
    for (const auto& event : change.events) {
        log::warning(event.message);
    }
    parts_.reporter.commit(std::move(change));
}

}  // namespace vigia::daemon
