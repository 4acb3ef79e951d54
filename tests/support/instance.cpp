// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/instance.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <charconv>
#include <csignal>
#include <cstdlib>
#include <sstream>

#include "base/files.h"
#include "support/playground.h"

namespace vigia::test {

Instance::Instance(Options options) : options_(std::move(options)) {
    std::filesystem::create_directories(options_.prefix / "etc/vigia");
    write_policy();
}

void Instance::write_policy() const {
    std::string folders;
    for (const auto& folder : options_.watch) {
        folders += fmt::format("{}\"{}\"", folders.empty() ? "" : ", ", folder);
    }
    write_policy(
        fmt::format("[policy]\nname = \"Test\"\nserial = 1\n\n[files]\nwatch = [{}]\n{}\n{}\n",
                    folders,
                    options_.more_files,
                    options_.more));
}

void Instance::write_policy(const std::string& text) const {
    write_file(options_.prefix / "etc/vigia/policy.toml", text);
}

testing::AssertionResult Instance::start(bool wait) {
    const auto log = open_at(
        AT_FDCWD, (options_.prefix / "daemon.err").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    // env(1) becomes the daemon: the process is the same.
    auto arguments = options_.environment;
    // The same tests over another rung, for tests/vm; what a test sets itself comes later and wins.
    for (const char* name : {"VIGIA_TEST_HIDE_BTF", "VIGIA_TEST_PERF_BUFFER"}) {
        if (const char* value = std::getenv(name)) {  // NOLINT(concurrency-mt-unsafe)
            arguments.insert(arguments.begin(), fmt::format("{}={}", name, value));
        }
    }
    arguments.insert(arguments.end(), options_.through.begin(), options_.through.end());
    const auto program =
        options_.programs.empty() ? dev_program("vigiad") : options_.programs / "vigiad";
    arguments.insert(arguments.end(),
                     {program.native(), "--prefix", options_.prefix.native(), "--foreground"});
    auto started = Subprocess::start({.program = "/usr/bin/env",
                                      .arguments = std::move(arguments),
                                      .descriptors = {{log->get(), 2}}});
    if (!started) {
        return testing::AssertionFailure() << started.error().message();
    }
    daemon_ = std::move(*started);
    if (!wait) {
        return testing::AssertionSuccess();
    }
    std::string last;
    const bool up = eventually([&] {
        if (daemon_->wait(std::chrono::milliseconds{0})) {
            return true;
        }
        const auto output = cli({"status", "--json"});
        const auto status = nlohmann::json::parse(output.out, nullptr, false);
        last = output.out + output.err;
        return status.is_object() && status.contains("selftest") &&
               status["selftest"].is_object() && status["selftest"].value("ok", false);
    });
    if (!up || daemon_->wait(std::chrono::milliseconds{0})) {
        return testing::AssertionFailure() << "the daemon did not come up:\n"
                                           << last << "\n"
                                           << read_text(options_.prefix / "daemon.err");
    }
    return testing::AssertionSuccess();
}

void Instance::kill(int signal) {
    daemon_->kill(signal);
}

std::optional<int> Instance::wait(std::chrono::milliseconds timeout) {
    return daemon_->wait(timeout);
}

Output Instance::cli(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"--prefix", options_.prefix.native()});
    return run(dev_program("vigia"), arguments);
}

nlohmann::json Instance::json(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "--json");
    const auto output = cli(std::move(arguments));
    auto parsed = nlohmann::json::parse(output.out, nullptr, false);
    EXPECT_FALSE(parsed.is_discarded()) << output.out << output.err;
    return parsed;
}

std::vector<nlohmann::json> Instance::events(const std::string& cls) const {
    std::vector<nlohmann::json> events;
    std::vector<std::string> arguments{"--json", "events", "--limit", "10000"};
    if (!cls.empty()) {
        arguments.insert(arguments.end(), {"--class", cls});
    }
    std::istringstream lines(cli(std::move(arguments)).out);
    for (std::string line; std::getline(lines, line);) {
        events.push_back(nlohmann::json::parse(line, nullptr, false));
        EXPECT_FALSE(events.back().is_discarded()) << line;
    }
    return events;
}

bool Instance::settled() const {
    const auto now = status();
    return now.at("scan").at("pending") == 0 && now.at("catch_up").at("state") == "none";
}

std::vector<pid_t> Instance::workers() const {
    for (const pid_t child : children_of(pid())) {
        if (program_of(child) == "vigia-scand") {
            return children_of(child);
        }
    }
    return {};
}

std::filesystem::path Instance::path(const std::string& below) const {
    return options_.prefix / below;
}

std::vector<pid_t> children_of(pid_t pid) {
    std::vector<pid_t> children;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
        const auto name = entry.path().filename().native();
        pid_t candidate = 0;
        std::from_chars(name.data(), name.data() + name.size(), candidate);
        const auto stat = candidate > 0 ? read_text(entry.path() / "stat") : "";
        // proc_pid_stat(5): "pid (comm) state ppid …", and comm may hold anything.
        std::istringstream rest(stat.substr(std::min(stat.size(), stat.rfind(')') + 1)));
        std::string state;
        pid_t parent = 0;
        if (rest >> state >> parent && parent == pid && state != "Z") {
            children.push_back(candidate);
        }
    }
    return children;
}

std::string program_of(pid_t pid) {
    auto name = read_text(fmt::format("/proc/{}/comm", pid));
    while (name.ends_with('\n')) {
        name.pop_back();
    }
    return name;
}

}  // namespace vigia::test
