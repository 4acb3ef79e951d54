// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/health_facts.h"

#include <algorithm>
#include <array>

#include "host/accounts.h"
#include "host/remedy_facts.h"

namespace vigia::host {
namespace {

template <typename T>
Fact<bool> is_there(const Fact<std::vector<T>>& entries) {
    return entries.is_known() ? Fact<bool>::known(!entries->empty(), entries.source)
                              : Fact<bool>::unknown(entries.why_unknown, entries.source);
}

Facts::WrongAccess wrong_access(const PathDeviation& deviation) {
    Facts::WrongAccess wrong{.path = deviation.path,
                             .expected = {.mode = deviation.expected.mode,
                                          .uid = deviation.expected.uid,
                                          .gid = deviation.expected.gid}};
    if (deviation.found) {
        wrong.found = Facts::Access{.mode = deviation.found->mode,
                                    .uid = deviation.found->uid,
                                    .gid = deviation.found->gid};
    }
    return wrong;
}

std::string first_of(const KernelVersion& version) {
    return std::to_string(version.major_number) + "." + std::to_string(version.minor_number);
}

struct WantedCapability {
    KernelCapability capability;
    const char* name;
    bool wanted;
    bool by_programs;  // of ours in the kernel
};

std::array<WantedCapability, 3> wanted_capabilities(const Facts::Wanted& wanted) {
    return {{{KernelCapability::FilesByDescriptor, "files", wanted.copies_and_moves, false},
             {KernelCapability::Processes, "processes", wanted.processes, true},
             {KernelCapability::Network, "network", wanted.flows, true}}};
}

const char* word_of(SecureBoot state) {
    switch (state) {
        case SecureBoot::NotEfi:
            return "no-efi";
        case SecureBoot::Disabled:
            return "disabled";
        case SecureBoot::Enabled:
            return "enabled";
    }
    return "";
}

const char* word_of(Lockdown state) {
    switch (state) {
        case Lockdown::Absent:
            return "absent";
        case Lockdown::None:
            return "none";
        case Lockdown::Integrity:
            return "integrity";
        case Lockdown::Confidentiality:
            return "confidentiality";
    }
    return "";
}

const char* word_of(SelinuxState state) {
    switch (state) {
        case SelinuxState::Absent:
            return "absent";
        case SelinuxState::Disabled:
            return "disabled";
        case SelinuxState::Permissive:
            return "permissive";
        case SelinuxState::Enforcing:
            return "enforcing";
    }
    return "";
}

const char* word_of(SelinuxModule state) {
    switch (state) {
        case SelinuxModule::NotInstalled:
            return "not-installed";
        case SelinuxModule::Disabled:
            return "disabled";
        case SelinuxModule::Installed:
            return "installed";
    }
    return "";
}

template <typename T>
std::string word(const Fact<T>& fact) {
    return fact.is_known() ? word_of(*fact) : "";
}

void judge_capabilities(const KernelFeatures& features, Facts& facts) {
    auto& kernel = facts.kernel;
    bool programs_wanted = false;
    bool programs_possible = false;
    for (const auto& wanted : wanted_capabilities(facts.wanted)) {
        const auto found = std::ranges::find(
            features.capabilities, wanted.capability, &CapabilityDecision::capability);
        if (!wanted.wanted || found == features.capabilities.end()) {
            continue;
        }
        programs_wanted = programs_wanted || wanted.by_programs;
        switch (found->state) {
            case CapabilityDecision::State::Ok:
                kernel.carried.emplace_back(wanted.name);
                break;
            case CapabilityDecision::State::Unknown:
                kernel.undecided.push_back(std::string(wanted.name) + ": " + found->why_unknown);
                break;
            case CapabilityDecision::State::Missing:
                for (const auto& missing : found->missing) {
                    kernel.missing.push_back({.feature = missing.name,
                                              .capability = wanted.name,
                                              .first_kernel = first_of(missing.first_version),
                                              .why = missing.why});
                }
                break;
        }
        programs_possible =
            programs_possible ||
            (wanted.by_programs && found->state != CapabilityDecision::State::Missing);
    }
    kernel.programs_impossible = programs_wanted && !programs_possible;
}

}  // namespace

void describe_scan_user(const HostFacts& host, Facts& facts) {
    auto& user = facts.scan_user;
    user.name = host.scan_user.name;
    user.user_exists = is_there(host.scan_user.users);
    user.group_exists = is_there(host.scan_user.groups);
    user.misconfigured = misconfigurations(host.scan_user);
    if (host.scan_user.users.is_known() && !host.scan_user.users->empty()) {
        user.shell = host.scan_user.users->front().shell;
        user.uid = host.scan_user.users->front().uid;
    }
    const auto& defs = host.login_defs;
    if (defs.is_known() && defs->usergroups_enab) {
        user.usergroups_enab = *defs->usergroups_enab ? "yes" : "no";
    }
    user.wrong_access.clear();
    std::ranges::transform(
        host.own_paths.wrong, std::back_inserter(user.wrong_access), wrong_access);
    user.create_command.clear();
    for (const auto& command : scan_user_commands(host, false)) {
        user.create_command += (user.create_command.empty() ? "" : " && ") + command;
    }
}

void describe_kernel(const HostFacts& host, Facts& facts) {
    auto& kernel = facts.kernel;
    kernel = {};
    kernel.release = host.kernel.is_known()
                         ? Fact<std::string>::known(host.kernel->text, host.kernel.source)
                         : Fact<std::string>::unknown(host.kernel.why_unknown);
    kernel.has_btf = host.btf.is_known() ? Fact<bool>::known(host.btf->present, host.btf.source)
                                         : Fact<bool>::unknown(host.btf.why_unknown);
    kernel.has_headers = Fact<bool>::unknown(host.headers.why_unknown);
    if (host.headers.is_known()) {
        const auto& headers = *host.headers;
        kernel.has_headers =
            Fact<bool>::known(headers.found && headers.lacks.empty(), host.headers.source);
        kernel.headers_lack = headers.found ? headers.lacks : std::vector<std::string>{};
        kernel.looked_in = headers.looked_in;
        kernel.found_releases = headers.found_releases;
    }
    if (host.kernel.is_known()) {
        kernel.headers_package = headers_package(host, *host.kernel).value_or("");
    }
    const bool lacks_clang = host.has_clang.is_known() && !*host.has_clang;
    kernel.install_headers_command = install_headers_command(host, lacks_clang).value_or("");
    if (host.features.is_known()) {
        judge_capabilities(*host.features, facts);
    } else {
        kernel.undecided.push_back("kernel: " + host.features.why_unknown);
    }
    if (host.sufficient_kernel.is_known()) {
        kernel.sufficient_kernel = *host.sufficient_kernel;
    }
    kernel.secure_boot = word(host.secure_boot);
    kernel.lockdown = word(host.lockdown);
}

void describe_selinux(const HostFacts& host, Facts& facts) {
    auto& selinux = facts.selinux;
    selinux = {};
    const auto& state = host.selinux.state;
    selinux.state = state.is_known() ? Fact<std::string>::known(word_of(*state), state.source)
                                     : Fact<std::string>::unknown(state.why_unknown);
    const auto& rule = host.selinux.bpf_rule;
    selinux.allows_bpf = rule.is_known() ? Fact<bool>::known(rule->allowed, rule.source)
                                         : Fact<bool>::unknown(rule.why_unknown);
    if (rule.is_known()) {
        selinux.denied = rule->denied;
    }
    selinux.domain = host.selinux.domain.is_known() ? *host.selinux.domain : "";
    selinux.module = word(host.selinux.module);
    // Of a root that does not run the module is what is missing; its tools come with the install.
    selinux.tools_missing =
        host.is_live && host.selinux.has_tools.is_known() && !*host.selinux.has_tools;
    selinux.tools_package = selinux_tools_package(host).value_or("");
    if (!selinux.tools_package.empty()) {
        selinux.install_tools_command = install_command(host, selinux.tools_package).value_or("");
    }
    selinux.module_command = selinux_module_command(host.selinux);
}

void describe_other_scanners(const HostFacts& host, Facts& facts) {
    using Scanners = std::vector<Facts::OtherScanner>;
    if (!host.listeners.is_known()) {
        facts.other_scanners = Fact<Scanners>::unknown(host.listeners.why_unknown);
        return;
    }
    Scanners others;
    for (const auto& program : host.listeners->programs) {
        others.push_back(
            {.pid = program.pid, .program = program.program, .product = program.product});
    }
    for (const auto& listener : host.listeners->listeners) {
        const bool named =
            std::ranges::find(others, std::int64_t{listener.pid}, &Facts::OtherScanner::pid) !=
            others.end();
        if (listener.asks_permission && !named) {
            others.push_back({.pid = listener.pid, .program = listener.program});
        }
    }
    facts.other_scanners = Fact<Scanners>::known(std::move(others), host.listeners.source);
}

}  // namespace vigia::host
