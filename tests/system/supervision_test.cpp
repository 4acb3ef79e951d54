// SPDX-License-Identifier: GPL-2.0-or-later
// What a supervisor such as systemd sees of the daemon: that it is ready, alive, and ends in time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <csignal>
#include <future>

#include "base/clock.h"
#include "support/watched_disk.h"

namespace vigia::test {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::Not;

class Supervision : public WatchedDisk {
protected:
    // Asked to, it ends by itself and not by the hard end, which comes after 1.7 s.
    static void expect_clean_end(Instance& instance) {
        const auto begun = BootClock::now();
        instance.kill(SIGTERM);
        const auto status = instance.wait(10s);
        const auto took = BootClock::now() - begun;
        ASSERT_TRUE(status.has_value());
        EXPECT_TRUE(WIFEXITED(*status) && WEXITSTATUS(*status) == 0) << *status;
        EXPECT_LT(took, 1700ms);
        EXPECT_EQ(read_text(instance.path("daemon.err")).find("something still waits"),
                  std::string::npos);
    }
};

TEST_F(Supervision, SigtermEndsItCleanlyWhileScansHangOnSlowFiles) {
    Instance instance(options());
    ASSERT_TRUE(instance.start());
    // More than there are workers: some hang, some wait for a worker. Each different, or one
    // verdict would do for all.
    for (int i = 0; i < 40; ++i) {
        write_file(outside_ / std::to_string(i),
                   std::string("VIGIA-TEST-") + "HANG" + std::to_string(i));
    }
    write_file(watched_ / "hang", std::string("VIGIA-TEST-") + "HANG, watched");
    auto scan =
        std::async(std::launch::async, [&] { return instance.cli({"scan", outside_.native()}); });
    ASSERT_TRUE(eventually([&] {
        const auto jobs = instance.json({"scan", "--list"});
        return jobs.at("items").size() == 1 && jobs.at("items")[0].value("found", 0) > 4 &&
               instance.status()["scan"]["pending"] == 1;
    }));
    expect_clean_end(instance);
    EXPECT_NE(scan.get().exit, 0);

    // The journal has the end, and the file in the watched folder is found again afterwards.
    ASSERT_TRUE(instance.start());
    std::vector<std::string> messages;
    for (const auto& event : instance.events("service")) {
        messages.push_back(event.value("message", ""));
    }
    EXPECT_THAT(messages, Contains("vigiad stopped: asked to"));
    EXPECT_TRUE(eventually([&] { return instance.status()["scan"]["pending"] == 1; }));
    for (const auto& event : instance.events()) {
        EXPECT_EQ(event.dump().find("kills-workers"), std::string::npos) << event.dump();
    }
    expect_clean_end(instance);
}

TEST_F(Supervision, SystemdHearsThatItIsReadyAliveAndStopping) {
    const auto path = ground_.root() / "notify";
    const UniqueFd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(path.native(), std::begin(address.sun_path));
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const auto hear = [&](std::chrono::milliseconds timeout) -> std::string {
        pollfd ready{.fd = socket.get(), .events = POLLIN, .revents = 0};
        std::array<char, 4096> text{};
        if (::poll(&ready, 1, static_cast<int>(timeout.count())) != 1) {
            return "";
        }
        const auto size = ::recv(socket.get(), text.data(), text.size(), 0);
        return {text.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
    };
    const auto hear_until = [&](const std::string& wanted) {
        std::vector<std::string> heard;
        const auto deadline = BootClock::now() + 30s;
        while (BootClock::now() < deadline && (heard.empty() || heard.back() != wanted)) {
            heard.push_back(hear(1s));
        }
        return heard;
    };
    auto asked = options();
    asked.environment = {"NOTIFY_SOCKET=" + path.native(), "WATCHDOG_USEC=400000"};
    Instance instance(asked);
    ASSERT_TRUE(instance.start(false));

    const auto until_ready = hear_until("READY=1");
    ASSERT_THAT(until_ready, Contains("READY=1"));
    EXPECT_THAT(until_ready, Not(Contains("WATCHDOG=1"))) << "alive before it was ready";
    EXPECT_EQ(instance.cli({"status"}).exit, 0) << "ready is when it answers";
    EXPECT_THAT(hear_until("WATCHDOG=1"), Contains("WATCHDOG=1"));
    instance.kill(SIGHUP);
    EXPECT_THAT(hear_until("RELOADING=1"), Contains("RELOADING=1"));
    EXPECT_THAT(hear_until("READY=1"), Contains("READY=1"));

    // Stopped, it gives no sign; going on, it does again.
    instance.kill(SIGSTOP);
    while (!hear(1s).empty()) {
    }
    instance.kill(SIGCONT);
    EXPECT_THAT(hear_until("WATCHDOG=1"), Contains("WATCHDOG=1"));
    expect_clean_end(instance);
    EXPECT_THAT(hear_until("STOPPING=1"), Contains("STOPPING=1"));
}

}  // namespace
}  // namespace vigia::test
