// SPDX-License-Identifier: GPL-2.0-or-later
// vigia doctor: which faults a host would raise, and every fact behind it. Needs no daemon; reads a
// root folder, asks the kernel only where that root is the running system.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>

#include "base/text.h"
#include "cli/verbs.h"
#include "health/catalogue.h"
#include "health/render.h"
#include "host/accounts.h"
#include "host/examine.h"
#include "host/health_facts.h"
#include "host/installation.h"
#include "host/kernel_features.h"
#include "policy/policy_file.h"
#include "wire/fault_report_json.h"

namespace vigia::cli {
namespace {

using nlohmann::ordered_json;

// What loading the public ClamAV set takes at its peak; docs/OPERATIONS.md has the measurement.
constexpr std::uint64_t kPublicSetBytes = std::uint64_t{1438} << 20U;

struct Unknown {
    int id = 0;
    std::string why;
};

struct Examination {
    HostFacts host;
    Facts facts;
    std::vector<FaultReport> faults;
    std::vector<Unknown> unknown;
    std::string policy_source;
};

// The policy that this root would run with; without one, the defaults.
std::shared_ptr<const Policy> policy_of(const host::Root& root, Examination& out) {
    constexpr const char* kFile = "etc/vigia/policy.toml";
    constexpr std::size_t kLimit = std::size_t{2} << 20U;
    const auto text = root.read(kFile, kLimit);
    if (!text) {
        out.policy_source = "built-in default";
        return std::make_shared<const Policy>();
    }
    out.policy_source = std::string("/") + kFile;
    auto parsed = policy::parse(*text, out.policy_source);
    if (parsed) {
        return *parsed;
    }
    for (const auto& problem : parsed.error()) {
        out.facts.policy.problems.push_back({.file = problem.file,
                                             .line = static_cast<int>(problem.line),
                                             .column = static_cast<int>(problem.column),
                                             .key = problem.key,
                                             .message = problem.message,
                                             .suggestion = problem.suggestion});
    }
    out.facts.policy.in_force = "built-in default";
    return std::make_shared<const Policy>();
}

// Before roll-out, what is not installed yet is no fault; what is there has to be right.
void forget_missing_places(Facts& facts) {
    std::erase_if(facts.scan_user.wrong_access,
                  [](const Facts::WrongAccess& wrong) { return !wrong.found; });
}

void judge_memory(const Policy& policy, Examination& out) {
    const bool public_set =
        out.policy_source == "built-in default" ||
        std::ranges::any_of(policy.definitions.sources,
                            [](const DefinitionSource& source) { return source.kind == "clamav"; });
    const auto& usable = out.host.memory.usable;
    if (!public_set || !usable.is_known()) {
        return;
    }
    out.facts.scan.state = "ready";
    if (*usable < kPublicSetBytes) {
        out.facts.scan.state = "failed";
        out.facts.scan.load_cause = "out-of-memory";
        out.facts.scan.load_message =
            fmt::format("the public ClamAV definitions need {} MiB, this host has {} MiB",
                        kPublicSetBytes >> 20U,
                        *usable >> 20U);
        out.facts.scan.memory_needed = kPublicSetBytes;
        out.facts.scan.memory_available = *usable;
    }
}

Result<Examination> examine(const std::string& sysroot,
                            const std::string& kernel,
                            Language language) {
    Examination out;
    const auto root = TRY(host::Root::open(sysroot), "open the root");
    const auto policy = policy_of(root, out);
    out.facts.wanted = {.copies_and_moves = policy->files.monitor_copies_and_moves,
                        .exec_gate = policy->files.on_execute != ExecMode::Off,
                        .processes = policy->processes.monitor,
                        .flows = policy->network.device_flow_correlation,
                        .definition_sources = !policy->definitions.sources.empty()};
    out.host = host::examine(root,
                             {.kernel_release = kernel,
                              .own_paths = host::installed_paths(),
                              .look_for_listeners = root.is_live()});
    host::describe_scan_user(out.host, out.facts);
    forget_missing_places(out.facts);
    host::describe_kernel(out.host, out.facts);
    host::describe_selinux(out.host, out.facts);
    host::describe_other_scanners(out.host, out.facts);
    out.facts.installation =
        host::Installation(std::string(host::kInstalledPrograms)).look(root, BootClock::now());
    host::describe_installation(out.host, out.facts);
    judge_memory(*policy, out);
    constexpr std::array kOfHost{5, 7, 11, 16, 19, 105, 107, 110};
    for (const int id : kOfHost) {
        const auto* fault = health::find_fault(id);
        if (fault == nullptr || (fault->wanted != nullptr && !fault->wanted(out.facts.wanted))) {
            continue;
        }
        const auto finding = fault->probe(out.facts, fault->timing);
        if (finding.state == health::Finding::State::Failing) {
            out.faults.push_back(health::render(*fault, finding, language));
        } else if (finding.state == health::Finding::State::Unknown && id != 7 &&
                   (id != 107 || root.is_live())) {
            out.unknown.push_back({.id = id, .why = finding.why});
        }
    }
    return out;
}

// ---- as JSON ----------------------------------------------------------------------------------

template <typename T, typename Show>
ordered_json fact_json(const Fact<T>& fact, const Show& show) {
    ordered_json json;
    json["value"] = fact.is_known() ? ordered_json(show(*fact)) : ordered_json(nullptr);
    json["source"] = utf8_lossy(fact.source);
    if (!fact.is_known()) {
        json["unknown"] = utf8_lossy(fact.why_unknown);
    }
    return json;
}

ordered_json text_fact(const Fact<std::string>& fact) {
    return fact_json(fact, [](const std::string& text) { return utf8_lossy(text); });
}

ordered_json truth_fact(const Fact<bool>& fact) {
    return fact_json(fact, [](bool truth) { return truth; });
}

ordered_json number_fact(const Fact<std::uint64_t>& fact) {
    return fact_json(fact, [](std::uint64_t number) { return number; });
}

ordered_json host_json(const Examination& out) {
    const auto& host = out.host;
    const auto& facts = out.facts;
    ordered_json json;
    json["root"] = utf8_lossy(host.root);
    json["live"] = host.is_live;
    json["policy"] = out.policy_source;
    json["distribution"] = fact_json(host.distribution, [](const Distribution& distribution) {
        return ordered_json{{"id", utf8_lossy(distribution.id)},
                            {"version", utf8_lossy(distribution.version_id)},
                            {"name", utf8_lossy(distribution.pretty_name)}};
    });
    json["kernel"] = text_fact(facts.kernel.release);
    json["running_kernel"] = fact_json(
        host.running_kernel, [](const KernelRelease& release) { return utf8_lossy(release.text); });
    json["uek"] =
        fact_json(host.kernel, [](const KernelRelease& release) { return release.is_uek; });
    json["installed_kernels"] =
        fact_json(host.installed_kernels, [](const std::vector<InstalledKernel>& kernels) {
            auto list = ordered_json::array();
            for (const auto& kernel : kernels) {
                list.push_back(utf8_lossy(kernel.release.text));
            }
            return list;
        });
    json["btf"] = truth_fact(facts.kernel.has_btf);
    json["headers"] = truth_fact(facts.kernel.has_headers);
    json["bpf_trampolines"] = truth_fact(host.bpf_trampolines);
    json["clang"] = truth_fact(host.has_clang);
    json["secure_boot"] = facts.kernel.secure_boot.empty() ? ordered_json("unknown")
                                                           : ordered_json(facts.kernel.secure_boot);
    json["lockdown"] = facts.kernel.lockdown.empty() ? ordered_json("unknown")
                                                     : ordered_json(facts.kernel.lockdown);
    json["security_modules"] =
        fact_json(host.security_modules, [](const std::vector<std::string>& modules) {
            auto list = ordered_json::array();
            for (const auto& module : modules) {
                list.push_back(utf8_lossy(module));
            }
            return list;
        });
    json["selinux"] = text_fact(facts.selinux.state);
    json["selinux_allows_bpf"] = truth_fact(facts.selinux.allows_bpf);
    json["scan_user"] = truth_fact(facts.scan_user.user_exists);
    json["scan_group"] = truth_fact(facts.scan_user.group_exists);
    json["usergroups_enab"] = facts.scan_user.usergroups_enab.empty()
                                  ? ordered_json(nullptr)
                                  : ordered_json(facts.scan_user.usergroups_enab);
    json["memory_bytes"] = number_fact(host.memory.total);
    json["usable_memory_bytes"] = number_fact(host.memory.usable);
    json["unknown"] = ordered_json::array();
    for (const auto& unknown : out.unknown) {
        json["unknown"].push_back({{"id", unknown.id}, {"why", utf8_lossy(unknown.why)}});
    }
    return json;
}

struct Capability {
    std::string name;
    std::string state = {};
    std::string detail = {};
};

std::vector<Capability> capabilities_of(const Examination& out) {
    std::vector<Capability> capabilities;
    if (!out.host.features.is_known()) {
        return capabilities;
    }
    for (const auto& decision : out.host.features->capabilities) {
        Capability capability{.name = std::string(host::row_of(decision.capability).name)};
        switch (decision.state) {
            case CapabilityDecision::State::Ok:
                capability.state = "ok";
                break;
            case CapabilityDecision::State::Unknown:
                capability.state = "unknown";
                capability.detail = decision.why_unknown;
                break;
            case CapabilityDecision::State::Missing:
                capability.state = "missing";
                for (const auto& missing : decision.missing) {
                    capability.detail += fmt::format("{}{} (Linux {}.{})",
                                                     capability.detail.empty() ? "" : ", ",
                                                     missing.name,
                                                     missing.first_version.major_number,
                                                     missing.first_version.minor_number);
                }
                break;
        }
        capabilities.push_back(std::move(capability));
    }
    return capabilities;
}

ordered_json to_json(const Examination& out) {
    ordered_json json;
    json["host"] = host_json(out);
    json["faults"] = ordered_json::array();
    for (const auto& fault : out.faults) {
        json["faults"].push_back(wire::fault_report_json(fault));
    }
    json["capabilities"] = ordered_json::array();
    for (const auto& capability : capabilities_of(out)) {
        json["capabilities"].push_back({{"name", capability.name},
                                        {"state", capability.state},
                                        {"detail", utf8_lossy(capability.detail)}});
    }
    return json;
}

// ---- for people -------------------------------------------------------------------------------

std::string shown(const ordered_json& fact) {
    if (!fact.is_object() || !fact.contains("value")) {
        return printable(fact.is_string() ? fact.get<std::string>() : fact.dump());
    }
    if (fact["value"].is_null()) {
        return "? " + printable(fact.value("unknown", ""));
    }
    const auto& value = fact["value"];
    return printable(value.is_string() ? value.get<std::string>() : value.dump());
}

void print(const Context& context, const Examination& out) {
    const auto host = host_json(out);
    fmt::print("{} {}\n",
               context.say({"Examined:", "Examinado:"}),
               printable(out.host.root.empty() ? "/" : out.host.root));
    for (const auto& [key, fact] : host.items()) {
        if (key != "root" && key != "unknown") {
            fmt::print("  {:<20} {}\n", key, shown(fact));
        }
    }
    fmt::print("\n");
    for (const auto& capability : capabilities_of(out)) {
        const auto tone = capability.state == "ok"        ? Tone::Good
                          : capability.state == "missing" ? Tone::Bad
                                                          : Tone::Warning;
        fmt::print("  {:<20} {} {}\n",
                   capability.name,
                   paint(context, tone, fmt::format("{:<8}", capability.state)),
                   printable(capability.detail));
    }
    for (const auto& unknown : out.unknown) {
        fmt::print(
            "  {}\n",
            paint(context,
                  Tone::Warning,
                  fmt::format("{} {}: {}",
                              context.say({"cannot tell fault", "no se puede saber el fallo"}),
                              unknown.id,
                              printable(unknown.why))));
    }
    fmt::print("\n");
    if (out.faults.empty()) {
        fmt::print(
            "{}\n",
            paint(context,
                  Tone::Good,
                  context.say({"no fault would be raised", "no se activaría ningún fallo"})));
    }
    for (const auto& fault : out.faults) {
        fmt::print("{}\n  {}\n",
                   paint(context,
                         Tone::Bad,
                         fmt::format("{} {} · {} · {}",
                                     context.say({"Fault", "Fallo"}),
                                     fault.id,
                                     fault.title,
                                     fault.cause)),
                   fault.description);
        for (const auto& step : fault.remedy) {
            fmt::print("   - {}\n", step.text);
            if (!step.command.empty()) {
                fmt::print("       {}\n", paint(context, Tone::Strong, step.command));
            }
        }
    }
}

Exit run_doctor(const Context& context, const std::string& sysroot, const std::string& kernel) {
    const auto examined = examine(sysroot.empty() ? "/" : sysroot, kernel, context.language);
    if (!examined) {
        fmt::print(stderr, "vigia doctor: {}\n", printable(examined.error().message()));
        return Exit::Usage;
    }
    if (context.json) {
        fmt::print("{}\n",
                   to_json(*examined).dump(-1, ' ', false, ordered_json::error_handler_t::replace));
    } else {
        print(context, *examined);
    }
    return examined->faults.empty() ? Exit::Fine : Exit::No;
}

}  // namespace

Verb doctor_verb() {
    struct Asked {
        std::string sysroot;
        std::string kernel;
    };

    auto asked = std::make_shared<Asked>();
    return {.name = "doctor",
            .help = {"examine a host without a daemon: which faults would be raised, and why",
                     "examina un equipo sin el servicio: qué fallos se activarían y por qué"},
            .options = {{.name = "--sysroot",
                         .value = "DIR",
                         .help = {"read the host under DIR: an image, a container",
                                  "lee el equipo bajo DIR: una imagen, un contenedor"},
                         .completion = Completion::Folder,
                         .into = &asked->sysroot},
                        {.name = "--kernel",
                         .value = "RELEASE",
                         .help = {"judge this installed kernel instead of the running one",
                                  "juzga este núcleo instalado en lugar del que está en uso"},
                         .into = &asked->kernel}},
            .action = [asked](const Context& context) {
                return run_doctor(context, asked->sysroot, asked->kernel);
            }};
}

}  // namespace vigia::cli
