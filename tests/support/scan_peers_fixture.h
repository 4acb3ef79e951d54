// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/files.h"
#include "scan/scan_service.h"
#include "support/scan_recorder.h"

// A ScanService whose vigia-scand is this very program in another part, see fake_scand.h.
namespace vigia::test {

using namespace std::chrono_literals;

inline std::filesystem::path self() {
    return std::filesystem::read_symlink("/proc/self/exe");
}

[[nodiscard]] inline scan::ScanService::DefinitionSet some_set(std::string generation = "one") {
    scan::ScanService::DefinitionSet set{.generation = std::move(generation), .folders = {}};
    set.folders.push_back(*open_at(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY));
    return set;
}

[[nodiscard]] inline bool contains(const std::vector<pid_t>& pids, pid_t pid) {
    return std::ranges::find(pids, pid) != pids.end();
}

[[nodiscard]] inline bool is_alive(pid_t pid) {
    const auto status = read_file("/proc/" + std::to_string(pid) + "/status", 16384);
    return status && status->find("\nState:\tZ") == std::string::npos;
}

class ScanServicePeers : public testing::Test {
protected:
    ~ScanServicePeers() override {
        service_.reset();
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    void start(const std::string& role,
               unsigned workers = 2,
               scan::ScanService::Options options = {}) {
        options.program = options.program.empty() ? self() : options.program;
        options.user = role;
        options.workers = workers;
        options.retry_backoff = 20ms;
        auto service = scan::ScanService::start(options, recorder_.observer());
        ASSERT_TRUE(service) << service.error().message();
        service_ = *std::move(service);
        service_->load(some_set());
    }

    void start_ready(const std::string& role = "good", unsigned workers = 2) {
        start(role, workers);
        ASSERT_TRUE(recorder_.wait_ready());
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

    // Content on which the first worker does `what`, and later ones find it clean.
    std::string once(const std::string& what) {
        if (folder_.empty()) {
            std::string name = (std::filesystem::temp_directory_path() / "vigia-XXXXXX").native();
            folder_ = ::mkdtemp(name.data());
        }
        return "once:" + (folder_ / std::to_string(++markers_)).native() + ":" + what;
    }

    void expect_load_failure(const std::string& role, const std::string& cause) {
        start(role);
        ASSERT_TRUE(recorder_.wait_failed());
        EXPECT_EQ(recorder_.told().failures.front().cause, cause)
            << recorder_.told().failures.front().message;
        EXPECT_TRUE(recorder_.told().ready.empty());
    }

    void expect_hostile_at_load(const std::string& role) {
        expect_load_failure(role, "exec-failed");
        ASSERT_TRUE(recorder_.wait([](const auto& told) { return !told.losses.empty(); }));
        const auto told = recorder_.told();
        EXPECT_TRUE(told.losses.front().zygote);
        EXPECT_THAT(told.losses.front().how, testing::HasSubstr("protocol violation"));
        EXPECT_TRUE(eventually([&] { return !is_alive(told.losses.front().pid); }));
    }

    void expect_survived_once(const std::string& what, const std::string& how) {
        start_ready();
        EXPECT_EQ(scan(once(what), 1s).kind, VerdictKind::Clean);
        const auto losses = recorder_.told().losses;
        ASSERT_EQ(losses.size(), 1U);
        EXPECT_FALSE(losses.front().zygote);
        EXPECT_THAT(losses.front().how, testing::HasSubstr(how));
        EXPECT_EQ(service_->state().workers_lost, 1U);
        EXPECT_TRUE(all_ready(2));
    }

    ScanRecorder recorder_;
    std::unique_ptr<scan::ScanService> service_;
    std::filesystem::path folder_;
    int markers_ = 0;
};

}  // namespace vigia::test
