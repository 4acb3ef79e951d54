// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel_ladder.h"

#include <sys/utsname.h>

#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/test_hooks.h"
#include "sensors/ebpf/derived_btf.h"

namespace vigia::daemon {
namespace {

using sensors::KernelSensor;
using sensors::LoadCause;
using sensors::LoadFailure;

// Events of an idle host are told twice a second; what fills a ring, or must be told at once, does
// not wait.
constexpr std::chrono::milliseconds kGather{500};
constexpr mode_t kCacheMode = 0700;
// In an emulated machine (tests/vm) the compiler needs minutes.
constexpr std::chrono::seconds kSlowDeadline{900};

class Ladder {
public:
    Ladder(const KernelWish& wish, const KernelSensor::Observer& observer)
        : wish_(wish),
          observer_(observer),
          hidden_(test_switch("VIGIA_TEST_HIDE_BTF")),
          perf_(test_switch("VIGIA_TEST_PERF_BUFFER")) {}

    KernelRungs climb() {
        if (wish_.processes && wish_.network) {
            both();
        }
        if (!rungs_.sensor && wish_.processes) {
            one(true, rungs_.processes, rungs_.processes_failure);
        }
        if (!rungs_.sensor && wish_.network) {
            one(false, rungs_.network, rungs_.network_failure);
        }
        return std::move(rungs_);
    }

private:
    std::expected<KernelSensor, LoadFailure> open(bool processes, bool network) {
        KernelSensor::Options options{.processes = processes,
                                      .network = network,
                                      .settings = wish_.settings,
                                      .hide_btf = hidden_,
                                      .perf_buffer = perf_,
                                      .gather = kGather};
        auto opened = KernelSensor::open(options, observer_);
        if (opened || opened.error().cause != LoadCause::NoBtf) {
            return opened;
        }
        options.btf_file = derived();
        return options.btf_file.empty() ? std::move(opened)
                                        : KernelSensor::open(options, observer_);
    }

    // Empty: there are no headers, or they are of no use. Once for all attempts.
    std::string derived() {
        if (derived_) {
            return *derived_;
        }
        derived_.emplace();
        utsname name{};
        if (::uname(&name) != 0) {
            return {};
        }
        std::error_code error;
        std::filesystem::create_directories(wish_.cache, error);
        std::filesystem::permissions(wish_.cache, std::filesystem::perms{kCacheMode}, error);
        auto made = sensors::derive_btf(
            {.release = name.release,
             .build = std::filesystem::path("/lib/modules") / name.release / "build",
             .cache = wish_.cache,
             .clang = sensors::find_clang(),
             .deadline =
                 test_switch("VIGIA_TEST_SLOW") ? kSlowDeadline : sensors::DerivedBtf{}.deadline});
        if (made) {
            derived_ = made->native();
        } else {
            rungs_.derive_error = made.error().message();
        }
        return *derived_;
    }

    void both() {
        auto opened = open(true, true);
        if (opened) {
            rungs_.sensor = std::make_shared<KernelSensor>(std::move(*opened));
            rungs_.processes = rungs_.network = rungs_.sensor->state().backend;
            return;
        }
        rungs_.network_failure = rungs_.processes_failure = std::move(opened).error();
    }

    void one(bool processes, std::string& backend, std::optional<LoadFailure>& failure) {
        auto opened = open(processes, !processes);
        if (opened) {
            rungs_.sensor = std::make_shared<KernelSensor>(std::move(*opened));
            backend = rungs_.sensor->state().backend;
            failure.reset();
        } else {
            failure = std::move(opened).error();
        }
    }

    const KernelWish& wish_;
    const KernelSensor::Observer& observer_;
    const bool hidden_;
    const bool perf_;
    std::optional<std::string> derived_;
    KernelRungs rungs_;
};

}  // namespace

KernelRungs climb(const KernelWish& wish, const KernelSensor::Observer& observer) {
    return Ladder(wish, observer).climb();
}

void look_instead(KernelRungs& rungs,
                  const KernelWish& wish,
                  const KernelSensor::Observer& observer) {
    const bool processes = wish.processes && rungs.processes.empty();
    const bool network = wish.network && rungs.network.empty();
    if (!processes && !network) {
        return;
    }
    rungs.polling = std::make_shared<sensors::PollingSensor>(
        sensors::PollingSensor::Options{.processes = processes, .network = network}, observer);
    if (processes) {
        rungs.processes = "proc";
    }
    if (network) {
        rungs.network = "proc";
    }
}

}  // namespace vigia::daemon
