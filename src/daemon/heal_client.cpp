// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/heal_client.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/subprocess.h"
#include "base/text.h"

namespace vigia::daemon {
namespace {

constexpr std::size_t kMostSaid = 2000;

bool under_systemd() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody here changes the environment
    return std::getenv("INVOCATION_ID") != nullptr && ::access("/run/systemd/private", F_OK) == 0;
}

// What is in the pipe, as one line; never waits.
std::string said(int pipe) {
    std::array<char, kMostSaid> buffer{};
    const auto got = ::read(pipe, buffer.data(), buffer.size());
    std::string text(buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    while (text.ends_with('\n')) {
        text.pop_back();
    }
    return printable(text);
}

}  // namespace

std::string heal(const HealOrder& order) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) < 0) {
        return "pipe: no descriptors left";
    }
    const UniqueFd ours{ends[0]};
    UniqueFd its{ends[1]};
    Subprocess::Options options{.program = order.programs / "vigia-heal",
                                .arguments = {order.verb},
                                .descriptors = {{its.get(), 1}, {its.get(), 2}}};
    if (!order.prefix.empty()) {
        options.arguments.insert(options.arguments.end(), {"--prefix", order.prefix.native()});
    } else if (under_systemd()) {
        options.program = "/usr/bin/systemctl";
        options.arguments = {"start", "--wait", "vigia-heal@" + order.verb + ".service"};
    }
    auto child = Subprocess::start(options);
    if (!child) {
        return child.error().message();
    }
    its.reset();
    const auto status = child->wait(order.patience);
    if (!status) {
        return "the repair did not end in time and was stopped";
    }
    if (*status == 0) {
        return {};
    }
    const auto text = said(ours.get());
    return text.empty() ? describe_wait_status(*status) : text;
}

}  // namespace vigia::daemon
