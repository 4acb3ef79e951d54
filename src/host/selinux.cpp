// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/selinux.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>

#include "host/distribution.h"
#include "host/security.h"
#include "host/selinux_policy.h"

namespace vigia::host {
namespace {

constexpr std::size_t kMaxFile = 65'536;
constexpr std::size_t kMaxPolicy = std::size_t{64} * 1024 * 1024;  // today's largest have 8 MiB
constexpr std::chrono::seconds kPolicyDeadline{10};
constexpr std::string_view kConfig = "etc/selinux/config";
constexpr std::string_view kEnforce = "sys/fs/selinux/enforce";

struct StateName {
    std::string_view name;
    SelinuxState state;
};

constexpr std::array kStates{StateName{"enforcing", SelinuxState::Enforcing},
                             StateName{"permissive", SelinuxState::Permissive},
                             StateName{"disabled", SelinuxState::Disabled}};

// It becomes part of a path.
bool is_policy_name(std::string_view name) {
    return !name.empty() && name.size() <= 64 && name.front() != '.' && !name.contains('/') &&
           !name.contains('\0');
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return out;
}

// The kernel shows no enforce file: SELinux is not on here, or selinuxfs is not mounted.
Fact<SelinuxState> state_without_enforce(const Root& root, const Fact<SelinuxState>& configured) {
    using State = Fact<SelinuxState>;
    const auto modules = security_modules(root);
    const bool listed = modules.is_known() && holds(*modules, "selinux");
    const auto off = [&](std::string source) {
        const bool absent = configured.is_known() && *configured == SelinuxState::Absent;
        return State::known(absent ? SelinuxState::Absent : SelinuxState::Disabled,
                            std::move(source));
    };
    if (modules.is_known() && !listed) {
        return off(modules.source);
    }
    if (!root.is_live()) {
        return configured;
    }
    if (listed) {
        return State::unknown("SELinux is on, but selinuxfs is not mounted", "/sys/fs/selinux");
    }
    // SELinux registers its file system only when it is on.
    const auto file_systems = root.read("proc/filesystems", kMaxFile);
    if (!file_systems || file_systems->contains("\tselinuxfs\n")) {
        return State::unknown("there is no selinuxfs to ask", "/sys/fs/selinux");
    }
    return off("/proc/filesystems");
}

Fact<SelinuxState> state_of(const Root& root, const Fact<SelinuxState>& configured) {
    auto state = fact_from<SelinuxState>(root, kEnforce, 64, parse_enforce);
    const auto there = root.exists(kEnforce);
    if (state.is_known() || !there || *there) {
        return state;
    }
    return state_without_enforce(root, configured);
}

// Old tools kept modules below modules/active, those since 2.4 by priority below active/modules.
struct Store {
    std::string folder;
    bool by_priority;
};

std::vector<Store> stores_of(const std::string& type) {
    return {{"var/lib/selinux/" + type + "/active/modules/", true},
            {"etc/selinux/" + type + "/active/modules/", true},
            {"etc/selinux/" + type + "/modules/active/modules/", false}};
}

// Nothing: this store does not hold it.
Result<std::optional<SelinuxModule>> module_in(const Root& root,
                                               const Store& store,
                                               const std::string& module) {
    const auto names = root.list(store.folder);
    if (!names && is_missing(names.error())) {
        return std::nullopt;
    }
    if (!names) {
        return std::unexpected(names.error());
    }
    bool installed = false;
    const auto file = module + ".pp";
    for (const auto& name : *names) {
        unsigned priority = 0;
        const bool here = store.by_priority && parse_number(name, priority) &&
                          TRY(root.exists(fmt::format("{}{}/{}", store.folder, name, module)));
        installed = installed || here || (!store.by_priority && name == file);
    }
    const bool disabled = TRY(root.exists(store.folder + "disabled/" + module)) ||
                          TRY(root.exists(store.folder + module + ".pp.disabled"));
    if (disabled) {
        return SelinuxModule::Disabled;
    }
    return installed ? std::optional(SelinuxModule::Installed) : std::nullopt;
}

Fact<SelinuxModule> module_state(const Root& root,
                                 const Fact<std::string>& type,
                                 const std::string& module) {
    if (!type.is_known()) {
        return Fact<SelinuxModule>::unknown(type.why_unknown, type.source);
    }
    for (const auto& store : stores_of(*type)) {
        const auto found = module_in(root, store, module);
        if (!found) {
            return Fact<SelinuxModule>::unknown(found.error().message(), "/" + store.folder);
        }
        if (*found) {
            return Fact<SelinuxModule>::known(**found, "/" + store.folder);
        }
    }
    return Fact<SelinuxModule>::known(SelinuxModule::NotInstalled,
                                      "/" + stores_of(*type).front().folder);
}

// The file whose number is highest, which is the one that is loaded.
std::optional<std::string> policy_path(const Root& root, const std::string& type) {
    const std::string folder = "etc/selinux/" + type + "/policy/";
    constexpr std::string_view kPrefix = "policy.";
    unsigned highest = 0;
    for (const auto& name : root.list(folder).value_or(std::vector<std::string>{})) {
        unsigned version = 0;
        if (name.starts_with(kPrefix) &&
            parse_number(std::string_view(name).substr(kPrefix.size()), version)) {
            highest = std::max(highest, version);
        }
    }
    return highest == 0 ? std::nullopt
                        : std::optional(folder + std::string(kPrefix) + std::to_string(highest));
}

std::optional<std::string> context_in_unit(const Root& root, const std::string& unit) {
    // A drop-in of the administrator, his unit, the package's.
    std::vector<std::string> files;
    const std::string drop_ins = "etc/systemd/system/" + unit + ".d/";
    for (const auto& name : root.list(drop_ins, 64).value_or(std::vector<std::string>{})) {
        files.insert(files.begin(), drop_ins + name);
    }
    for (const auto* folder :
         {"etc/systemd/system/", "usr/lib/systemd/system/", "lib/systemd/system/"}) {
        files.push_back(folder + unit);
    }
    for (const auto& file : files) {
        const auto text = root.read(file, kMaxFile);
        if (!text) {
            continue;
        }
        if (auto context = parse_unit_context(*text)) {
            return *std::move(context);
        }
    }
    return std::nullopt;
}

struct Domains {
    std::vector<std::string> contexts;  // the first that the policy knows is the one
    std::string why;
};

Domains domains_to_ask(const Root& root, const SelinuxOptions& options) {
    if (!options.context.empty()) {
        return {{options.context}, "as asked"};
    }
    if (auto context = context_in_unit(root, options.unit)) {
        return {{*std::move(context)}, "SELinuxContext= of " + options.unit};
    }
    if (root.is_live()) {
        if (auto domain = domain_of_program("/" + options.program)) {
            return {{*std::move(domain)}, "what executing /" + options.program + " leads to"};
        }
    }
    // Where a service runs that no policy module knows: the type of Red Hat's policies, and that of
    // the reference policy, which Debian's is made from.
    return {{"system_u:system_r:unconfined_service_t:s0", "system_u:system_r:initrc_t:s0"},
            "the domain of a service without a policy module of its own"};
}

Fact<SelinuxBpfRule> rule_by_module(const Fact<SelinuxModule>& module) {
    using Rule = Fact<SelinuxBpfRule>;
    if (!module.is_known()) {
        return Rule::unknown(module.why_unknown, module.source);
    }
    SelinuxBpfRule rule{.allowed = *module == SelinuxModule::Installed,
                        .by = SelinuxBpfRule::By::ModuleStore};
    if (!rule.allowed) {
        rule.denied.assign(kBpfPermissions.begin(), kBpfPermissions.end());
    }
    return Rule::known(std::move(rule), module.source);
}

struct Asked {
    Parsed<PolicyDecision> decision;
    std::string source;
};

// Nothing: there is neither a kernel nor a policy file to ask.
std::optional<Asked> ask(const Root& root,
                         const Fact<std::string>& type,
                         const std::vector<std::string>& contexts) {
    if (root.is_live()) {
        return Asked{ask_kernel(contexts), "/sys/fs/selinux"};
    }
    const auto path = type.is_known() ? policy_path(root, *type) : std::nullopt;
    if (!path) {
        return std::nullopt;
    }
    const auto status = root.status(*path);
    const auto file = root.open_file(*path);
    if (!status || !file) {
        const auto& error = status ? file.error() : status.error();
        return Asked{std::unexpected(error.message()), "/" + *path};
    }
    if (status->st_size > static_cast<off_t>(kMaxPolicy)) {
        return Asked{std::unexpected("the policy is too large"), "/" + *path};
    }
    return Asked{ask_policy_file(*file, contexts, kPolicyDeadline), "/" + *path};
}

void decide_rule(const Root& root, const SelinuxOptions& options, SelinuxFacts& facts) {
    using Rule = Fact<SelinuxBpfRule>;
    auto [contexts, why] = domains_to_ask(root, options);
    facts.domain = Fact<std::string>::known(contexts.front(), why);
    if (!facts.state.is_known()) {
        facts.bpf_rule = Rule::unknown(facts.state.why_unknown, facts.state.source);
        return;
    }
    if (*facts.state != SelinuxState::Enforcing && *facts.state != SelinuxState::Permissive) {
        facts.bpf_rule = Rule::unknown("SELinux is not on", facts.state.source);
        return;
    }
    auto asked = ask(root, facts.type, contexts);
    if (!asked) {
        facts.bpf_rule = rule_by_module(facts.module);
        return;
    }
    if (!asked->decision) {
        facts.bpf_rule = Rule::unknown(std::move(asked->decision).error(), asked->source);
        return;
    }
    facts.domain = Fact<std::string>::known(asked->decision->context, why);
    facts.bpf_rule = Rule::known(std::move(asked->decision->rule), asked->source);
}

}  // namespace

Parsed<SelinuxConfig> parse_selinux_config(std::string_view text) {
    SelinuxConfig config;
    bool has_state = false;
    while (!text.empty()) {
        auto line = trim(take_line(text));
        if (line.starts_with('#')) {
            continue;
        }
        const auto name = trim(take_until(line, '='));
        const auto value = trim(line);
        if (name == "SELINUX") {
            const auto word = lower(value);
            const auto* const found = std::ranges::find(kStates, word, &StateName::name);
            if (found == kStates.end()) {
                return std::unexpected(
                    "its SELINUX= is neither enforcing, permissive nor disabled");
            }
            config.state = found->state;
            has_state = true;
        } else if (name == "SELINUXTYPE") {
            if (!is_policy_name(value)) {
                return std::unexpected("its SELINUXTYPE= is no name of a policy");
            }
            config.type = value;
        }
    }
    if (!has_state) {
        return std::unexpected("it has no SELINUX=");
    }
    return config;
}

Parsed<SelinuxState> parse_enforce(std::string_view text) {
    text = trim(text);
    if (text == "1") {
        return SelinuxState::Enforcing;
    }
    if (text == "0") {
        return SelinuxState::Permissive;
    }
    return std::unexpected("it is neither 0 nor 1");
}

Parsed<std::string> parse_unit_context(std::string_view text) {
    std::string context;
    while (!text.empty()) {
        auto line = trim(take_line(text));
        const auto name = trim(take_until(line, '='));
        if (name != "SELinuxContext") {
            continue;
        }
        line = trim(line);
        if (line.starts_with('-')) {  // systemd.exec(5): errors are ignored
            line.remove_prefix(1);
        }
        constexpr std::size_t kMaxContext = 4096;
        const bool fits = line.size() <= kMaxContext && std::ranges::count(line, ':') >= 2 &&
                          !line.contains('\0');
        context = fits ? std::string(line) : std::string{};
    }
    if (context.empty()) {
        return std::unexpected("it has no SELinuxContext=");
    }
    return context;
}

SelinuxFacts selinux(const Root& root, const SelinuxOptions& options) {
    SelinuxFacts facts;
    const std::string source = "/" + std::string(kConfig);
    const auto there = root.exists(kConfig);
    if (there && !*there) {
        facts.configured = Fact<SelinuxState>::known(SelinuxState::Absent, source);
        facts.type = Fact<std::string>::known(SelinuxConfig{}.type, "default of libselinux");
    } else {
        const auto config = fact_from<SelinuxConfig>(root, kConfig, kMaxFile, parse_selinux_config);
        facts.configured = config.is_known()
                               ? Fact<SelinuxState>::known(config->state, source)
                               : Fact<SelinuxState>::unknown(config.why_unknown, source);
        facts.type = config.is_known() ? Fact<std::string>::known(config->type, source)
                                       : Fact<std::string>::unknown(config.why_unknown, source);
    }
    facts.state = state_of(root, facts.configured);
    facts.module = module_state(root, facts.type, options.module);
    facts.has_tools = has_program(root, "semodule");
    decide_rule(root, options, facts);
    return facts;
}

}  // namespace vigia::host
