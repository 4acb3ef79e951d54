// SPDX-License-Identifier: GPL-2.0-or-later
// Repairs that change what is installed on the host. What is installed follows from the facts of
// the live root alone; the command is the one that the remedy shows.
#include <fmt/format.h>

#include <chrono>

#include "base/subprocess.h"
#include "base/text.h"
#include "heal/repairs.h"
#include "host/examine.h"
#include "host/remedy_facts.h"
#include "host/root.h"

namespace vigia::heal {
namespace {

// Of the daemon's patience (components_health.cpp), so that it hears from us why.
constexpr std::chrono::minutes kPatience{9};

Result<HostFacts> machine() {
    const auto root = TRY(host::Root::open("/"), "open the root");
    return host::examine(root, {.look_for_listeners = false});
}

// Commands of host/remedy_facts are one line for root's shell, made of characters that mean nothing
// else there.
Result<> run_command(const std::string& command) {
    fmt::print("{}\n", command);
    std::fflush(stdout);
    auto child = TRY(
        Subprocess::start(
            {.program = "/bin/sh", .arguments = {"-c", command}, .descriptors = {{1, 1}, {2, 2}}}),
        "run a shell");
    const auto status = child.wait(kPatience);
    if (!status) {
        return fail(std::errc::timed_out, command);
    }
    return *status == 0 ? Result<>{}
                        : Result<>{fail(std::errc::operation_not_permitted,
                                        command + ": " + describe_wait_status(*status))};
}

}  // namespace

Result<> install_headers() {
    const auto facts = TRY(machine());
    const auto command = host::install_headers_command(facts, true);
    if (!command) {
        return fail(std::errc::not_supported,
                    "which package has the headers of this kernel, and what installs it, is not "
                    "known for this distribution");
    }
    return run_command(*command);
}

Result<> install_selinux_module() {
    const auto facts = TRY(machine());
    if (facts.selinux.module.is_known() && *facts.selinux.module == SelinuxModule::Installed) {
        return {};
    }
    return run_command(host::selinux_module_command(facts.selinux));
}

}  // namespace vigia::heal
