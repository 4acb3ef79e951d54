// SPDX-License-Identifier: GPL-2.0-or-later
// links: PkgConfig::CURL
// The two sockets, as curl and as those who mean harm use them.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "support/instance.h"
#include "support/playground.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;

UniqueFd connect_to(const fs::path& path) {
    UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(path.native(), std::begin(address.sun_path));
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
        socket.reset();
    }
    return socket;
}

class ControlApi : public testing::Test {
protected:
    ControlApi() {
        fs::create_directories(watched_);
        instance_.emplace(
            Instance::Options{.prefix = ground_.root() / "p", .watch = {watched_.native()}});
    }

    void SetUp() override { ASSERT_TRUE(instance_->start()); }

    [[nodiscard]] fs::path socket(const std::string& name) const {
        return instance_->path("run/vigia/" + name);
    }

    [[nodiscard]] Output curl(std::vector<std::string> arguments,
                              const std::string& socket_name = "status.sock") const {
        arguments.insert(arguments.begin(),
                         {"-s", "--max-time", "20", "--unix-socket", socket(socket_name).native()});
        return run("/usr/bin/curl", arguments);
    }

    // Answers as if nobody else were there. A deadline of seconds: what is measured is "at all".
    void expect_quick_status(const std::string& after) const {
        const auto begun = BootClock::now();
        const auto output = instance_->cli({"status", "--json"});
        EXPECT_EQ(output.exit, 0) << after << ": " << output.err;
        EXPECT_LT(BootClock::now() - begun, std::chrono::seconds{5}) << after;
    }

    Playground ground_;
    fs::path watched_ = ground_.tmpfs("disk", "size=64m") / "watched";
    std::optional<Instance> instance_;
};

TEST_F(ControlApi, CurlAndTheCommandLineSayTheSame) {
    const auto direct = nlohmann::json::parse(curl({"http://vigia/v1/status"}).out);
    const auto status = instance_->status();
    for (const char* key : {"state", "version", "mode", "policy", "definitions", "faults"}) {
        EXPECT_EQ(direct.at(key), status.at(key)) << key;
    }
    for (const char* key : {"since", "monitors", "scan", "accounting"}) {
        EXPECT_TRUE(direct.contains(key)) << key;
    }
    EXPECT_EQ(direct.at("scan").at("user"), status.at("scan").at("user"));
}

TEST_F(ControlApi, MetricsArePrometheusAndAgreeWithTheStatus) {
    const auto text = curl({"http://vigia/metrics"}).out;
    EXPECT_NE(text.find("vigia_state{state=\"protected\"} 1\n"), std::string::npos) << text;
    EXPECT_NE(text.find("vigia_monitor_ok{monitor=\"files\",backend=\"fanotify-fid\"} 1\n"),
              std::string::npos)
        << text;
    const auto file = ground_.root() / "metrics";
    write_file(file, text);
    const auto lint =
        run("/bin/sh", {"-c", fmt::format("promtool check metrics < {}", file.native())});
    EXPECT_EQ(lint.exit, 0) << lint.out << lint.err << text;
    EXPECT_EQ(lint.out + lint.err, "") << text;
}

TEST_F(ControlApi, TheReadOnlySocketRefusesChanges) {
    for (const char* method : {"POST", "DELETE", "PUT", "PATCH"}) {
        const auto output = curl(
            {"-X", method, "-o", "/dev/null", "-w", "%{http_code}", "http://vigia/v1/selftest"});
        EXPECT_EQ(output.out, "403") << method;
    }
    struct stat info{};
    ASSERT_EQ(::stat(socket("status.sock").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0666U);
    ASSERT_EQ(::stat(socket("control.sock").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0600U);
}

TEST_F(ControlApi, SilentClientsDelayNothing) {
    std::vector<UniqueFd> clients;
    constexpr int kClients = 1000;
    for (int i = 0; i < kClients; ++i) {
        clients.push_back(connect_to(socket("status.sock")));
    }
    expect_quick_status("a thousand connections that say nothing");
}

TEST_F(ControlApi, GarbageAndHugeInputDelayNothing) {
    std::vector<UniqueFd> clients;
    constexpr int kClients = 50;
    for (int i = 0; i < kClients; ++i) {
        clients.push_back(connect_to(socket("status.sock")));
        const std::string garbage(4096, static_cast<char>(i * 37));
        (void)::send(
            clients.back().get(), garbage.data(), garbage.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    expect_quick_status("garbage");
    const auto huge = curl({"-X",
                            "POST",
                            "-H",
                            "Expect:",
                            "-T",
                            "/dev/zero",
                            "-o",
                            "/dev/null",
                            "-w",
                            "%{http_code}",
                            "http://vigia/v1/scans"},
                           "control.sock");
    EXPECT_NE(huge.out, "202");
    expect_quick_status("an endless body");
    const auto announced = curl({"-X",
                                 "POST",
                                 "-H",
                                 "Content-Length: 1073741824",
                                 "-d",
                                 "x",
                                 "-o",
                                 "/dev/null",
                                 "-w",
                                 "%{http_code}",
                                 "http://vigia/v1/scans"},
                                "control.sock");
    EXPECT_EQ(announced.out, "413");
    expect_quick_status("a body of 1 GB announced");
}

TEST_F(ControlApi, OthersSeeTheStateButNoPathsAndNoEvents) {
    const auto as_nobody = [&](const std::string& path) {
        return run("/usr/bin/setpriv",
                   {"--reuid=65534",
                    "--regid=65534",
                    "--clear-groups",
                    "curl",
                    "-s",
                    "-w",
                    "%{http_code}",
                    "--unix-socket",
                    socket("status.sock").native(),
                    "http://vigia" + path})
            .out;
    };
    fs::permissions(ground_.root(), fs::perms{0755});
    const auto status = as_nobody("/v1/status");
    EXPECT_TRUE(status.ends_with("200")) << status;
    EXPECT_NE(status.find("\"state\""), std::string::npos);
    EXPECT_EQ(status.find(watched_.native()), std::string::npos) << status;
    EXPECT_TRUE(as_nobody("/v1/events").ends_with("403"));
    EXPECT_TRUE(as_nobody("/metrics").ends_with("403"));
    EXPECT_TRUE(as_nobody("/v1/quarantine").ends_with("403"));
}

TEST_F(ControlApi, AClassOfEventsThatIsNotKnownIsNamedWithThoseThatAre) {
    const auto output = instance_->cli({"events", "--class", "nonsense"});
    EXPECT_EQ(output.exit, 2);
    EXPECT_NE(output.err.find("nonsense"), std::string::npos) << output.err;
    EXPECT_NE(output.err.find("network"), std::string::npos) << output.err;
    EXPECT_EQ(instance_->cli({"events", "--class", "6002"}).exit, 0);
}

TEST_F(ControlApi, WrongRequestsGetAnAnswerThatSaysWhatIsWrong) {
    const auto body = [&](std::vector<std::string> arguments) {
        return nlohmann::json::parse(
            curl(std::move(arguments), "control.sock").out, nullptr, false);
    };
    EXPECT_EQ(body({"http://vigia/v1/nothing"})["error"]["code"], "not-found");
    EXPECT_EQ(body({"-d", "{}", "http://vigia/v1/scans"})["error"]["code"], "bad-request");
    EXPECT_EQ(body({"-d", R"({"paths":["relative"]})", "http://vigia/v1/scans"})["error"]["code"],
              "bad-request");
    EXPECT_EQ(body({"http://vigia/v1/events?after=x"})["error"]["code"], "bad-request");
    EXPECT_EQ(body({"http://vigia/v1/quarantine/nope"})["error"]["code"], "not-found");
}

TEST_F(ControlApi, TheCommandLineTellsUnreachableFromNotPermitted) {
    EXPECT_EQ(run(dev_program("vigia"), {"--prefix", "/nonexistent", "status"}).exit, 3);
    EXPECT_EQ(instance_->cli({"no-such-verb"}).exit, 2);
    EXPECT_EQ(instance_->cli({"status", "--nagios"}).exit, 0);
    EXPECT_EQ(instance_->cli({"quarantine", "show", "nope"}).exit, 1);
}

TEST_F(ControlApi, EventsCanBeFollowed) {
    const auto path = instance_->path("followed");
    const auto follower = Subprocess::start(
        {.program = "/bin/sh",
         .arguments = {"-c",
                       fmt::format("exec '{}' --prefix '{}' --json events --follow > '{}'",
                                   dev_program("vigia").native(),
                                   instance_->path("").native(),
                                   path.native())}});
    ASSERT_TRUE(follower.has_value());
    ASSERT_TRUE(eventually([&] { return !read_text(path).empty(); }));
    (void)instance_->json({"scan", watched_.native()});
    EXPECT_TRUE(eventually(
        [&] { return read_text(path).find("on-demand scan completed") != std::string::npos; }));
}

}  // namespace
}  // namespace vigia::test
