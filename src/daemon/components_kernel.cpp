// SPDX-License-Identifier: GPL-2.0-or-later
// Processes and flows: how their monitor is introduced to the other parts.
#include "daemon/components.h"
#include "daemon/kernel_status.h"

namespace vigia::daemon {

void Components::start_kernel_monitor() {
    kernel_ = std::make_unique<KernelMonitor>(KernelMonitor::Options{
        .policies = policies_,
        .reporter = *reporter_,
        .cache = paths_.state / "btf",
        .on_change = [this] { poke_health(); },
        .on_looked = [this](pid_t pid, BootTime at) { costs_->on_event(pid, at); }});
    responder_->set_who([this](pid_t pid, BootTime at) { return kernel_->who_did(pid, at); });
    kernel_->start();
}

void Components::collect_programs(Facts& facts) {
    describe_programs(kernel_->state(), facts);
}

void Components::report_kernel(Status& status) const {
    const auto state = kernel_->state();
    for (auto& monitor : monitors_of(state, *policies_.current()->policy)) {
        status.monitors.push_back(std::move(monitor));
    }
    for (auto& accounting : accounting_of(state)) {
        status.accounting.push_back(std::move(accounting));
    }
}

}  // namespace vigia::daemon
