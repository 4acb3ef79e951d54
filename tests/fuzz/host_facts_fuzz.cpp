// SPDX-License-Identifier: GPL-2.0-or-later
// links: vigia_host
// The first byte chooses a parser of src/host/, the rest is the file. Any bytes give a value or a
// reason, and a reason can be printed.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.h"
#include "host/accounts.h"
#include "host/distribution.h"
#include "host/kernel_config.h"
#include "host/kernel_features.h"
#include "host/kernel_release.h"
#include "host/kernel_types.h"
#include "host/listeners.h"
#include "host/memory.h"
#include "host/remedy_facts.h"
#include "host/security.h"
#include "host/selinux.h"
#include "host/selinux_policy.h"

namespace {

using namespace vigia::host;

void require(bool truth) {
    if (!truth) {
        std::abort();
    }
}

template <typename T>
void check(const Parsed<T>& parsed) {
    if (!parsed) {
        auto why = parsed.error();
        std::erase(why, '\\');  // printable() doubles these
        require(!why.empty() && vigia::printable(why) == why);
    }
}

void release(std::string_view text) {
    const auto parsed = parse_kernel_release(text);
    check(parsed);
    if (!parsed) {
        return;
    }
    // What it is made of becomes part of paths and commands.
    require(!parsed->text.contains('/') && !parsed->text.contains('\0') &&
            parsed->text.front() != '.' && parsed->text.size() <= 64);
    require(parse_kernel_release(parsed->text) == parsed);
    require(!is_older(*parsed, *parsed));
    const auto facts = features_by_version(*parsed, vigia::Fact<vigia::KernelConfig>::unknown("x"));
    require(decide_all(facts).size() == capability_table().size());
}

void distribution(std::string_view text) {
    const auto parsed = parse_os_release(text);
    check(parsed);
    if (parsed) {
        vigia::HostFacts facts;
        facts.distribution = vigia::Fact<vigia::Distribution>::known(*parsed, "x");
        (void)install_command(facts, text);
        (void)selinux_tools_package(facts);
    }
}

void config(std::string_view text) {
    const auto parsed = parse_kernel_config(text);
    check(parsed);
    require(!parsed || parsed->options.size() == asked_options().size());
}

void packed(std::string_view bytes) {
    constexpr std::size_t kLimit = 1U << 20U;
    const auto parsed = gunzip(bytes, kLimit);
    check(parsed);
    require(!parsed || parsed->size() <= kLimit);
}

void selinux_config(std::string_view text) {
    const auto parsed = parse_selinux_config(text);
    check(parsed);
    require(!parsed || (!parsed->type.contains('/') && parsed->type.front() != '.'));
}

constexpr std::array<void (*)(std::string_view), 20> kParsers{
    distribution,
    release,
    config,
    packed,
    [](std::string_view text) { check(parse_utsrelease(text)); },
    [](std::string_view text) { check(parse_security_modules(text)); },
    [](std::string_view text) { check(parse_lockdown(text)); },
    [](std::string_view text) { check(parse_secure_boot(text)); },
    [](std::string_view text) { check(parse_capabilities(text)); },
    selinux_config,
    [](std::string_view text) { check(parse_enforce(text)); },
    [](std::string_view text) { check(parse_unit_context(text)); },
    [](std::string_view text) { check(parse_allows_unknown(text)); },
    [](std::string_view text) { (void)parse_passwd(text); },
    [](std::string_view text) { (void)parse_group(text); },
    [](std::string_view text) { check(parse_shadow(text, "vigia-scan")); },
    [](std::string_view text) { (void)parse_login_defs(text); },
    [](std::string_view text) {
        const auto parsed = parse_meminfo(text);
        check(parsed);
        require(!parsed || parsed->total > 0);
    },
    [](std::string_view text) {
        check(parse_cgroup_limit(text));
        check(parse_cgroups(text));
    },
    [](std::string_view text) { (void)parse_fanotify_info(text); },
};

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes as text
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    kParsers.at(data[0] % kParsers.size())(text);
    return 0;
}
