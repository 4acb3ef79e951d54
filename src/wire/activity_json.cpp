// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/activity_json.h"

#include <netinet/in.h>
#include <nlohmann/json.hpp>

#include <array>
#include <string>
#include <string_view>

#include "base/text.h"
#include "wire/event_kinds.h"
#include "wire/event_values.h"
#include "wire/exact_bytes.h"

namespace vigia::wire {
namespace {

constexpr std::array<const char*, 5> kOwnerSources{"none", "caller", "listener", "port", "holder"};
constexpr std::array<const char*, 5> kStops{"none", "connect", "send", "packet-in", "packet-out"};

std::int64_t milliseconds_of(WallTime time) {
    return std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch().count();
}

Json program_json(std::string_view path) {
    Json file = Json::object();
    put_bytes(file, "name", base_name(path));
    put_bytes(file, "path", path);
    file["type_id"] = 1;
    file["type"] = "Regular File";
    return file;
}

Json one_process(const ProcessFacts& facts) {
    Json process = Json::object();
    process["pid"] = facts.pid;
    put_if(process, "name", facts.name);
    if (!facts.path.empty()) {
        process["file"] = program_json(facts.path);
    }
    put_if(process, "cmd_line", facts.command_line);
    if (facts.started) {
        process["created_time"] = milliseconds_of(*facts.started);
    }
    if (facts.uid) {
        process["user"]["uid"] = std::to_string(*facts.uid);
        put_if(process["user"], "name", facts.user);
    }
    return process;
}

Json endpoint_json(const Endpoint& endpoint) {
    Json json = Json::object();
    json["ip"] = to_text(endpoint.address);
    if (endpoint.port != 0) {
        json["port"] = endpoint.port;
    }
    return json;
}

Caption direction_caption(FlowDirection direction) {
    switch (direction) {
        case FlowDirection::Unknown:
            break;
        case FlowDirection::In:
            return {1, "Inbound"};
        case FlowDirection::Out:
            return {2, "Outbound"};
    }
    return {0, "Unknown"};
}

Json connection_json(const FlowFacts& flow) {
    Json connection = Json::object();
    if (flow.id != 0) {
        connection["uid"] = std::to_string(flow.id);
    }
    put_caption(connection, "direction", direction_caption(flow.direction));
    connection["protocol_num"] = flow.protocol;
    if (flow.protocol == IPPROTO_TCP || flow.protocol == IPPROTO_UDP) {
        connection["protocol_name"] = flow.protocol == IPPROTO_TCP ? "tcp" : "udp";
    }
    const bool v4 = flow.remote.address.is_v4();
    put_caption(connection,
                "protocol_ver",
                v4 ? Caption{4, "Internet Protocol version 4 (IPv4)"}
                   : Caption{6, "Internet Protocol version 6 (IPv6)"});
    return connection;
}

// Who sends to whom: the one that began stands first.
void put_flow(Json& out, const FlowFacts& flow) {
    const bool incoming = flow.direction == FlowDirection::In;
    out["src_endpoint"] = endpoint_json(incoming ? flow.remote : flow.local);
    out["dst_endpoint"] = endpoint_json(incoming ? flow.local : flow.remote);
    out["connection_info"] = connection_json(flow);
}

}  // namespace

Json process_json(const ProcessLine& line) {
    auto process = one_process(line.process);
    if (!line.ancestors.empty()) {
        process["parent_process"] = one_process(line.ancestors.front());
    }
    return process;
}

Json ancestry_json(const ProcessLine& line) {
    Json ancestry = Json::array();
    for (const auto& one : line.ancestors) {
        Json entry = Json::object();
        entry["pid"] = one.pid;
        put_bytes(entry, "name", one.name);
        put_bytes(entry, "path", one.path);
        put_if(entry, "user", one.user);
        ancestry.push_back(std::move(entry));
    }
    return ancestry;
}

void put_activity(Json& out, const ProcessBody& body) {
    put_kind(out, kProcessActivity, kind_of(body.phase));
    out["process"] = process_json(body.who);
    out["actor"]["process"] = body.who.ancestors.empty() ? one_process(body.who.process)
                                                         : one_process(body.who.ancestors.front());
    if (body.exit_code) {
        out["exit_code"] = *body.exit_code;
    }
    auto& ours = out["vigia"]["process"];
    ours = Json::object();
    ours["ancestry"] = ancestry_json(body.who);
    put_if(ours, "called_as", body.called_as);
    if (body.signal) {
        ours["signal"] = *body.signal;
    }
    ours["memory_file"] = body.memory_file;
    ours["unlinked"] = body.unlinked;
    ours["ended_by_policy"] = body.ended_by_policy;
    if (body.cgroup != 0) {
        ours["cgroup"] = body.cgroup;
    }
    if (body.mount_namespace != 0) {
        ours["mount_namespace"] = body.mount_namespace;
    }
    if (body.pid_namespace != 0) {
        ours["pid_namespace"] = body.pid_namespace;
    }
}

void put_activity(Json& out, const NetworkBody& body) {
    put_kind(out, kNetworkActivity, kind_of(body.phase));
    put_flow(out, body.flow);
    out["actor"]["process"] = process_json(body.flow.owner);
    if (body.phase == NetworkPhase::Closed) {
        out["traffic"] = {{"bytes", body.bytes_sent + body.bytes_received},
                          {"bytes_out", body.bytes_sent},
                          {"bytes_in", body.bytes_received}};
        if (body.duration) {
            out["duration"] = std::chrono::floor<std::chrono::milliseconds>(*body.duration).count();
        }
    }
    auto& ours = out["vigia"]["flow"];
    ours = Json::object();
    ours["owner_source"] = kOwnerSources.at(static_cast<std::size_t>(body.flow.owner_source));
    if (body.error != 0) {
        ours["errno"] = body.error;
    }
    ours["ancestry"] = ancestry_json(body.flow.owner);
}

void put_activity(Json& out, const FlowDetectionBody& body) {
    const auto kind = kind_of(body);
    put_kind(out, kDetectionFinding, kind.kind);
    put_caption(out, "disposition", kind.disposition);
    put_caption(out, "action", kind.action);
    out["is_alert"] = true;
    auto& finding = out["finding_info"];
    finding["title"] = "Flow to a blocked address: " + to_text(body.flow.remote.address);
    finding["types"] = {"Network"};
    Json evidence = Json::object();
    put_flow(evidence, body.flow);
    evidence["process"] = process_json(body.flow.owner);
    out["evidences"].push_back(evidence);
    put_flow(out, body.flow);
    out["actor"]["process"] = process_json(body.flow.owner);
    auto& ours = out["vigia"]["detection"];
    ours["action"] = body.action;
    ours["outcome"] = body.refused ? "blocked" : "seen";
    ours["stop"] = kStops.at(static_cast<std::size_t>(body.stop));
    ours["owner_source"] = kOwnerSources.at(static_cast<std::size_t>(body.flow.owner_source));
    ours["repeated"] = body.repeated;
    ours["ancestry"] = ancestry_json(body.flow.owner);
    ours["self_test"] = false;
}

}  // namespace vigia::wire
