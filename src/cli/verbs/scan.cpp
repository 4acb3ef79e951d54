// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <thread>

#include "base/text.h"
#include "cli/verbs.h"

namespace vigia::cli {
namespace {

using nlohmann::json;

struct Asked {
    std::vector<std::string> paths;
    bool list = false;
    std::string pause;
    std::string resume;
    std::string cancel;
};

// A signal handler reaches nothing else.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
volatile std::sig_atomic_t interrupted = 0;

json paths_json(const std::vector<std::string>& paths) {
    json list = json::array();
    for (const auto& path : paths) {
        const auto absolute = std::filesystem::absolute(path).lexically_normal().native();
        if (is_valid_utf8(absolute)) {
            list.push_back(absolute);
        } else {
            list.push_back({{"base64", base64(absolute)}});
        }
    }
    return {{"paths", list}};
}

void show_progress(const Context& context, const json& job, double seconds) {
    if (!context.terminal || context.json) {
        return;
    }
    const auto files = job.value("files", std::uint64_t{0});
    const auto found = job.value("found", files);
    const auto bytes = job.value("bytes", std::uint64_t{0});
    const double rate = seconds > 0 ? static_cast<double>(files) / seconds : 0;
    std::string left;
    if (job.value("walk_done", false) && rate > 0) {
        left = fmt::format(", {:.0f} s {}",
                           static_cast<double>(found - std::min(found, files)) / rate,
                           context.say({"left", "restantes"}));
    }
    fmt::print(stderr,
               "\r\x1b[K{} / {} {}, {}, {:.0f}/s{}",
               grouped(files),
               grouped(found),
               context.say({"files", "archivos"}),
               bytes_text(bytes),
               rate,
               left);
    std::fflush(stderr);
}

std::uint64_t total(const json& job, const char* list) {
    const auto key = std::string(list) + "_total";
    return job.contains(key) ? job[key].get<std::uint64_t>() : job.at(list).size();
}

void print_list(const Context& context, const json& job, const char* list, const Text& title) {
    for (const auto& entry : job.at(list)) {
        fmt::print("{} {}: {}\n",
                   paint(context, Tone::Warning, context.say(title)),
                   printable_member(entry, "path"),
                   sentence_member(entry, "reason"));
    }
}

void print_result(const Context& context, const json& job) {
    for (const auto& detection : job.at("detections")) {
        fmt::print("{} {}: {} ({})\n",
                   paint(context, Tone::Bad, context.say({"FOUND", "DETECTADO"})),
                   printable_member(detection, "path"),
                   printable_member(detection, "detection"),
                   printable_member(detection, "action"));
    }
    print_list(context, job, "unscannable", {"UNSCANNABLE", "NO ANALIZABLE"});
    print_list(context, job, "errors", {"ERROR", "ERROR"});
    fmt::print("{} {}, {}: {} {}, {} {}, {} {} ({})\n",
               grouped(job.value("files", std::uint64_t{0})),
               context.say({"files", "archivos"}),
               bytes_text(job.value("bytes", std::uint64_t{0})),
               grouped(total(job, "detections")),
               context.say({"detections", "detecciones"}),
               grouped(total(job, "unscannable")),
               context.say({"unscannable", "no analizables"}),
               grouped(total(job, "errors")),
               context.say({"errors", "errores"}),
               printable_member(job, "state"));
}

Exit watch(const Context& context, const std::string& id) {
    constexpr std::chrono::milliseconds kBetween{5};
    const auto begun = std::chrono::steady_clock::now();
    ::signal(SIGINT, [](int) { interrupted = 1; });
    while (true) {
        auto exit = Exit::Fine;
        const auto job = fetch(context, "/v1/scans/" + id + "?wait=250", exit);
        if (!job) {
            return exit;
        }
        const auto state = job->value("state", "");
        if (interrupted != 0) {
            interrupted = 0;
            (void)context.client().post("/v1/scans/" + id + "/cancel", "");
        }
        const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begun;
        show_progress(context, *job, elapsed.count());
        if (state == "running" || state == "paused") {
            std::this_thread::sleep_for(kBetween);  // the daemon has made us wait already
            continue;
        }
        if (context.terminal && !context.json) {
            fmt::print(stderr, "\r\x1b[K");
        }
        if (context.json) {
            fmt::print("{}\n", job->dump());
        } else {
            print_result(context, *job);
        }
        const bool clean = total(*job, "detections") == 0 && total(*job, "errors") == 0 &&
                           total(*job, "unscannable") == 0;
        return clean && state == "completed" ? Exit::Fine : Exit::No;
    }
}

Exit start(const Context& context, const Asked& asked) {
    constexpr long kAccepted = 202;
    const auto reply = context.client().post("/v1/scans", paths_json(asked.paths).dump());
    if (!reply) {
        return report_error(context, reply.error());
    }
    if (reply->status != kAccepted) {
        return report_refusal(context, *reply);
    }
    const auto job = json::parse(reply->body, nullptr, false);
    return watch(context, job.value("id", ""));
}

Exit list(const Context& context) {
    auto exit = Exit::Fine;
    const auto jobs = fetch(context, "/v1/scans", exit);
    if (!jobs) {
        return exit;
    }
    if (context.json) {
        fmt::print("{}\n", jobs->dump());
        return Exit::Fine;
    }
    const auto& items = jobs->is_object() && jobs->contains("items") ? jobs->at("items") : *jobs;
    for (const auto& job : items) {
        fmt::print("{}  {:<10} {} {}, {} {}\n",
                   printable_member(job, "id"),
                   printable_member(job, "state"),
                   grouped(job.value("files", std::uint64_t{0})),
                   context.say({"files", "archivos"}),
                   grouped(total(job, "detections")),
                   context.say({"detections", "detecciones"}));
    }
    return Exit::Fine;
}

Exit control(const Context& context, const std::string& id, const char* verb) {
    constexpr long kOk = 200;
    const auto reply = context.client().post("/v1/scans/" + url_encode(id) + "/" + verb, "");
    if (!reply) {
        return report_error(context, reply.error());
    }
    if (reply->status != kOk) {
        return report_refusal(context, *reply);
    }
    if (context.json) {
        fmt::print("{}", reply->body);
    }
    return Exit::Fine;
}

Exit run_scan(const Context& context, const Asked& asked) {
    if (asked.list) {
        return list(context);
    }
    for (const auto& [id, verb] : {std::pair{&asked.pause, "pause"},
                                   std::pair{&asked.resume, "resume"},
                                   std::pair{&asked.cancel, "cancel"}}) {
        if (!id->empty()) {
            return control(context, *id, verb);
        }
    }
    if (asked.paths.empty()) {
        fmt::print(stderr,
                   "vigia scan: {} (vigia help scan)\n",
                   context.say({"name at least one PATH", "indique al menos una ruta (PATH)"}));
        return Exit::Usage;
    }
    return start(context, asked);
}

}  // namespace

Verb scan_verb() {
    auto asked = std::make_shared<Asked>();
    return {
        .name = "scan",
        .help = {"scan files and folders now", "analiza archivos y carpetas ahora"},
        .options = {{.name = "--list",
                     .help = {"scans running and just ended", "análisis en curso y recientes"},
                     .into = &asked->list},
                    {.name = "--pause",
                     .value = "ID",
                     .help = {"hold a running scan", "detiene un análisis en curso"},
                     .into = &asked->pause},
                    {.name = "--resume",
                     .value = "ID",
                     .help = {"go on with it", "lo continúa"},
                     .into = &asked->resume},
                    {.name = "--cancel",
                     .value = "ID",
                     .help = {"end it", "lo cancela"},
                     .into = &asked->cancel}},
        .positions = {{.name = "PATH",
                       .help = {"files and folders; after -- also those with a dash",
                                "archivos y carpetas; tras -- también los que empiezan por guion"},
                       .required = false,
                       .completion = Completion::File,
                       .into = &asked->paths}},
        .action = [asked](const Context& context) { return run_scan(context, *asked); }};
}

}  // namespace vigia::cli
