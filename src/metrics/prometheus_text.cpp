// SPDX-License-Identifier: GPL-2.0-or-later
#include "metrics/prometheus_text.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/fault_json.h"

namespace vigia::metrics {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

class Families {
public:
    void gauge(const char* name, const char* help, double value, Labels labels = {}) {
        ClientMetric metric;
        metric.label = std::move(labels);
        metric.gauge.value = value;
        add(name, help, MetricType::Gauge, std::move(metric));
    }

    void count(const char* name, const char* help, std::uint64_t value, Labels labels = {}) {
        ClientMetric metric;
        metric.label = std::move(labels);
        metric.counter.value = static_cast<double>(value);
        add(name, help, MetricType::Counter, std::move(metric));
    }

    // One series for each value it may have, 1 for the one it has.
    template <std::size_t N>
    void choice(const char* name,
                const char* help,
                const char* label,
                const std::array<const char*, N>& values,
                const std::string& value) {
        for (const char* one : values) {
            gauge(name, help, value == one ? 1 : 0, {{label, one}});
        }
    }

    [[nodiscard]] std::string text() const {
        return prometheus::TextSerializer{}.Serialize(families_);
    }

private:
    // Series of one name stand together: those that are added come one after the other.
    void add(const char* name, const char* help, MetricType type, ClientMetric metric) {
        if (families_.empty() || families_.back().name != name) {
            families_.push_back({.name = name, .help = help, .type = type, .metric = {}});
        }
        families_.back().metric.push_back(std::move(metric));
    }

    std::vector<MetricFamily> families_;
};

double seconds(WallTime time) {
    return std::chrono::duration<double>(time.time_since_epoch()).count();
}

void add_state(Families& to, const Status& status, const std::string& version) {
    to.gauge("vigia_build_info", "Version of the connector; always 1.", 1, {{"version", version}});
    to.choice("vigia_state",
              "Overall state: 1 for the one it is in.",
              "state",
              std::array{"protected", "degraded", "unprotected", "unknown", "starting"},
              status.state);
    to.choice("vigia_mode",
              "How much is looked at: 1 for the mode it is in.",
              "mode",
              std::array{"full", "reduced", "critical-only"},
              status.mode);
    to.gauge("vigia_policy_valid",
             "1 if the policy file is in force, 0 if it was refused.",
             status.policy_valid ? 1 : 0);
    to.gauge("vigia_policy_serial",
             "Serial number of the policy in force.",
             static_cast<double>(status.policy_serial));
}

void add_faults(Families& to, const Status& status) {
    to.gauge(
        "vigia_faults", "Faults that are raised now.", static_cast<double>(status.faults.size()));
    for (const auto& fault : status.faults) {
        to.gauge("vigia_fault_active",
                 "1 for each fault that is raised now.",
                 1,
                 {{"id", std::to_string(fault.id)},
                  {"key", fault.key},
                  {"severity", std::string(wire::severity_word(fault.severity))},
                  {"cause", fault.cause}});
    }
}

void add_monitors(Families& to, const Status& status) {
    for (const auto& monitor : status.monitors) {
        to.gauge("vigia_monitor_wanted",
                 "1 if policy wants the monitor.",
                 monitor.wanted ? 1 : 0,
                 {{"monitor", monitor.name}});
    }
    for (const auto& monitor : status.monitors) {
        to.gauge("vigia_monitor_ok",
                 "1 if the monitor sees all that it is meant to see.",
                 monitor.state == "ok" ? 1 : 0,
                 {{"monitor", monitor.name}, {"backend", monitor.backend}});
    }
}

void add_scan(Families& to, const ScanServiceStatus& scan) {
    to.gauge("vigia_scan_workers", "Scan workers that are ready.", scan.workers);
    to.gauge("vigia_scan_pending", "Files waiting.", static_cast<double>(scan.pending));
    to.gauge(
        "vigia_scan_deferred", "Files put off until later.", static_cast<double>(scan.deferred));
    to.count("vigia_scan_files_total", "Verdicts given.", scan.files_scanned);
    to.count("vigia_scan_detections_total", "Detections.", scan.detections);
    to.count("vigia_scan_unscannable_total", "Files that cannot be scanned.", scan.unscannable);
    to.count("vigia_scan_failed_total", "Files that got no verdict.", scan.failed);
    to.count(
        "vigia_scan_workers_lost_total", "Scan workers that ended abnormally.", scan.workers_lost);
    constexpr const char* kHits = "vigia_scan_cache_hits_total";
    constexpr const char* kHitsHelp = "Verdicts that were known already.";
    to.count(kHits, kHitsHelp, scan.identity_hits, {{"cache", "identity"}});
    to.count(kHits, kHitsHelp, scan.content_hits, {{"cache", "content"}});
    if (scan.last_scan) {
        to.gauge("vigia_scan_last_timestamp_seconds",
                 "When the last verdict was given.",
                 seconds(*scan.last_scan));
    }
}

void add_definitions(Families& to, const DefinitionsStatus& definitions) {
    to.gauge("vigia_definitions_signatures",
             "Signatures in use.",
             static_cast<double>(definitions.signatures));
    if (definitions.age_seconds) {
        to.gauge("vigia_definitions_age_seconds",
                 "Age of the definitions in use.",
                 static_cast<double>(*definitions.age_seconds));
    }
}

void add_accounting(Families& to, const std::vector<Accounting>& classes) {
    const auto each = [&](const char* name, const char* help, auto figure) {
        for (const auto& one : classes) {
            to.count(name, help, figure(one), {{"class", one.cls}});
        }
    };
    each("vigia_events_offered_total", "Events that the kernel offered.", [](const auto& one) {
        return one.offered;
    });
    each("vigia_events_delivered_total", "Events that were looked at.", [](const auto& one) {
        return one.delivered;
    });
    each("vigia_events_deferred_total", "Events put off until later.", [](const auto& one) {
        return one.deferred;
    });
    each("vigia_events_overflows_total", "Overflows of the kernel's queue.", [](const auto& one) {
        return one.overflows;
    });
    each("vigia_events_recovered_total",
         "What was found afterwards of what an overflow lost.",
         [](const auto& one) { return one.recovered; });
    for (const auto& one : classes) {
        for (const auto& [reason, count] : one.filtered) {
            to.count("vigia_events_filtered_total",
                     "Events left out, by reason.",
                     count,
                     {{"class", one.cls}, {"reason", reason}});
        }
    }
    for (const auto& one : classes) {
        if (one.lost) {
            to.count("vigia_events_lost_total",
                     "Events lost; absent where the kernel does not say how many.",
                     *one.lost,
                     {{"class", one.cls}});
        }
    }
}

void add_load(Families& to, const LoadStatus& load, const CatchUpStatus& catch_up) {
    constexpr double kPercent = 100;
    to.gauge("vigia_load_level", "0 full, 1 reduced, 2 critical-only.", load.level);
    to.count("vigia_load_changes_total", "Changes of the level.", load.changes);
    constexpr const char* kRate = "vigia_load_events_per_second";
    constexpr const char* kRateHelp = "Events a second, of the last half second.";
    to.gauge(kRate, kRateHelp, load.offered, {{"what", "offered"}});
    to.gauge(kRate, kRateHelp, load.delivered, {{"what", "delivered"}});
    to.gauge(kRate, kRateHelp, load.deferred, {{"what", "deferred"}});
    constexpr const char* kFill = "vigia_load_fill_ratio";
    constexpr const char* kFillHelp = "How full a queue is, 0 to 1.";
    to.gauge(kFill, kFillHelp, load.ring_percent / kPercent, {{"queue", "kernel"}});
    to.gauge(kFill, kFillHelp, load.queue_percent / kPercent, {{"queue", "scans"}});
    to.gauge("vigia_load_oldest_scan_seconds",
             "Age of the oldest file that waits for its verdict.",
             load.oldest_scan_seconds);
    to.gauge("vigia_load_cpu_ratio",
             "Share of the machine that the daemon takes, 0 to 1.",
             load.cpu_percent / kPercent);
    to.choice("vigia_catch_up",
              "Looking for what was put off or lost: 1 for the state it is in.",
              "state",
              std::array{"none", "waiting", "walking"},
              catch_up.state);
    to.gauge("vigia_catch_up_found",
             "Files found by the catch-up under way.",
             static_cast<double>(catch_up.files_found));
    to.gauge("vigia_events_tainted",
             "1 while an interval with lost events has not been made up for.",
             catch_up.tainted_since ? 1 : 0);
}

void add_self_test(Families& to, const std::optional<SelfTestReport>& report) {
    if (!report) {
        return;
    }
    to.gauge("vigia_selftest_ok", "1 if the last self-test passed.", report->ok ? 1 : 0);
    to.gauge("vigia_selftest_timestamp_seconds", "When it ran.", seconds(report->at));
    for (const auto& stage : report->stages) {
        to.gauge("vigia_selftest_stage_seconds",
                 "How long each stage of the last self-test took.",
                 stage.milliseconds / 1000,
                 {{"stage", stage.name}});
    }
}

void add_outlets(Families& to, const Outlets& outlets) {
    to.gauge("vigia_journal_ok", "1 if the journal can be written.", outlets.journal_ok ? 1 : 0);
    to.gauge("vigia_journal_size_bytes",
             "Size of the journal.",
             static_cast<double>(outlets.journal_bytes));
    to.gauge("vigia_journal_waiting",
             "Events not written yet.",
             static_cast<double>(outlets.journal_waiting));
    to.count("vigia_journal_events_total", "Number of the last event.", outlets.journal_last);
    to.count("vigia_journal_lost_total", "Events that could not be kept.", outlets.journal_lost);
    to.gauge("vigia_sink_waiting",
             "Events that a sink does not have yet.",
             static_cast<double>(outlets.sink_waiting),
             {{"sink", "jsonl"}});
    to.count("vigia_sink_events_total",
             "Number of the last event that a sink has.",
             outlets.sink_delivered,
             {{"sink", "jsonl"}});
    to.count("vigia_api_requests_total", "Requests to the API.", outlets.api_requests);
    to.count("vigia_api_bad_requests_total", "Malformed requests.", outlets.api_bad_requests);
    to.count("vigia_api_refused_connections_total",
             "Connections beyond the bounds.",
             outlets.api_refused_connections);
}

}  // namespace

std::string to_prometheus(const Status& status,
                          const Outlets& outlets,
                          const std::string& version) {
    Families families;
    add_state(families, status, version);
    add_faults(families, status);
    add_monitors(families, status);
    add_scan(families, status.scan);
    add_definitions(families, status.definitions);
    add_accounting(families, status.accounting);
    add_load(families, status.load, status.catch_up);
    add_self_test(families, status.self_test);
    add_outlets(families, outlets);
    return families.text();
}

}  // namespace vigia::metrics
