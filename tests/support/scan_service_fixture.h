// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "base/files.h"
#include "base/text.h"
#include "scan/scan_service.h"
#include "support/scan_recorder.h"

// A ScanService with the real vigia-scand of the test build.
namespace vigia::test {

using namespace std::chrono_literals;

[[nodiscard]] inline std::string marker(const std::string& what) {
    return std::string("VIGIA-") + "TEST-" + what;
}

// The state letter of /proc/PID/stat; 'X' when it is gone.
[[nodiscard]] inline char state_of(pid_t pid) {
    const auto text = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
    const auto name_end = text ? text->rfind(") ") : std::string::npos;
    return name_end == std::string::npos ? 'X' : text->at(name_end + 2);
}

[[nodiscard]] inline bool holds_memory_file(pid_t pid) {
    std::error_code error;
    const std::filesystem::path folder = "/proc/" + std::to_string(pid) + "/fd";
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
        if (std::filesystem::read_symlink(entry, error).native().starts_with("/memfd:test")) {
            return true;
        }
    }
    return false;
}

class ScanServiceSystem : public testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0) {
            GTEST_SKIP() << "needs root: the scan service changes its user and its name spaces";
        }
        std::string name = (std::filesystem::temp_directory_path() / "vigia-XXXXXX").native();
        folder_ = ::mkdtemp(name.data());
        std::filesystem::permissions(folder_, std::filesystem::perms{0755});
    }

    void TearDown() override {
        service_.reset();
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    // A folder of definitions with one file.
    scan::ScanService::DefinitionSet set_of(const std::string& generation,
                                            const std::string& file,
                                            const std::string& content) {
        const auto folder = folder_ / generation;
        std::filesystem::create_directory(folder);
        if (!file.empty()) {
            std::ofstream(folder / file) << content;
        }
        scan::ScanService::DefinitionSet set{.generation = generation, .folders = {}};
        set.folders.push_back(*open_at(AT_FDCWD, folder.c_str(), O_RDONLY | O_DIRECTORY));
        return set;
    }

    // Detects `text` as `threat`.
    scan::ScanService::DefinitionSet detects(const std::string& generation,
                                             const std::string& threat,
                                             const std::string& text) {
        return set_of(generation,
                      "some.ndb",
                      threat + ":0:*:" + to_hex(std::as_bytes(std::span(text))) + "\n");
    }

    void start(unsigned workers, scan::ScanService::DefinitionSet set) {
        const bool installed = ::getpwnam("vigia-scan") != nullptr;
        auto service = scan::ScanService::start(
            {.program = std::filesystem::path(VIGIA_BIN_DIR) / "vigia-scand",
             .workers = workers,
             .user = installed ? "vigia-scan" : "nobody"},
            recorder_.observer());
        ASSERT_TRUE(service) << service.error().message();
        service_ = *std::move(service);
        service_->load(std::move(set));
    }

    void start_ready(unsigned workers) {
        start(workers, detects("one", "Test.One", "first-bad-text"));
        ASSERT_TRUE(recorder_.wait(
            [](const auto& told) { return !told.ready.empty() || !told.failures.empty(); }));
        const auto failures = recorder_.told().failures;
        ASSERT_TRUE(failures.empty()) << failures.front().cause << failures.front().message;
        ASSERT_TRUE(all_ready(workers));
    }

    bool all_ready(unsigned workers) {
        return eventually([&] { return service_->state().workers_ready == workers; });
    }

    Verdict scan(const std::string& content, std::chrono::milliseconds timeout = 20s) {
        const auto file = memory_file(content);
        auto request = request_of(file);
        request.timeout = timeout;
        return service_->scan(request);
    }

    // Kills the worker that has begun a file, which then gets its verdict from another.
    void kill_in_mid_scan(int signal) {
        start_ready(1);
        const auto victim = service_->state().workers.front();
        const auto file = memory_file(marker("HANG"));
        const auto request = request_of(file);
        auto verdict = std::async(std::launch::async, [&] { return service_->scan(request); });
        // It has the file and sleeps: it has read the marker.
        ASSERT_TRUE(
            eventually([&] { return holds_memory_file(victim) && state_of(victim) == 'S'; }));
        ASSERT_EQ(::pwrite(file.get(), "harmless-now", 12, 0), 12);
        ASSERT_EQ(::kill(victim, signal), 0);
        EXPECT_EQ(verdict.get().kind, VerdictKind::Clean);
        ASSERT_EQ(recorder_.told().losses.size(), 1U);
        EXPECT_THAT(recorder_.told().losses.front().how,
                    testing::HasSubstr("signal " + std::to_string(signal)));
    }

    ScanRecorder recorder_;
    std::unique_ptr<scan::ScanService> service_;
    std::filesystem::path folder_;
};

}  // namespace vigia::test
