// SPDX-License-Identifier: GPL-2.0-or-later
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "base/event_loop.h"
#include "base/log.h"
#include "daemon/components.h"
#include "daemon/instance_lock.h"
#include "daemon/privileges.h"

namespace {

using namespace vigia;

constexpr int kExitUsage = 2;
constexpr int kExitFailed = 1;

Result<std::filesystem::path> own_programs() {
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    if (error) {
        return std::unexpected(Error{.code = error, .context = "find own program"});
    }
    const std::filesystem::path beside = self.parent_path();
    const std::filesystem::path installed = "/usr/lib/vigia";
    for (const auto& folder : {beside, installed}) {
        if (std::filesystem::exists(folder / "vigia-scand", error)) {
            return folder;
        }
    }
    return fail(std::errc::no_such_file_or_directory,
                fmt::format("vigia-scand is neither in {} nor in {}; install the package again",
                            beside.native(),
                            installed.native()));
}

void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)::setrlimit(RLIMIT_NOFILE, &limit);
    }
}

// Before the first thread, so that all of them inherit it.
void prepare_process() {
    ::umask(0022);
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGIO, SIG_IGN);  // of a lease broken while we hold it
    ::prctl(PR_SET_DUMPABLE, 0);
    raise_descriptor_limit();
    sigset_t handled{};
    ::sigemptyset(&handled);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
        ::sigaddset(&handled, number);
    }
    ::pthread_sigmask(SIG_BLOCK, &handled, nullptr);
}

// SIGTERM ends us within two seconds whatever hangs: the journal is durable at every instant, the
// children die with us, and the next start finishes what was under way.
std::jthread end_in_time() {
    return std::jthread([](const std::stop_token& stop) {
        constexpr std::chrono::milliseconds kPatience{1700};
        std::mutex mutex;
        std::condition_variable_any done;
        std::unique_lock lock(mutex);
        if (!done.wait_for(lock, stop, kPatience, [&] { return stop.stop_requested(); })) {
            log::warning("something still waits for a file system that does not answer; ending");
            ::_exit(0);
        }
    });
}

Result<std::vector<EventLoop::SourcePtr>> connect(EventLoop& loop, daemon::Components& parts) {
    std::vector<EventLoop::SourcePtr> sources;
    for (const int number : {SIGTERM, SIGINT}) {
        sources.push_back(TRY(loop.on_signal(number, [&loop] { loop.stop(0); })));
    }
    sources.push_back(TRY(loop.on_signal(SIGHUP, [&parts] {
        ::sd_notify(0, "RELOADING=1");
        parts.reload_policy();
        ::sd_notify(0, "READY=1");
    })));
    std::uint64_t watchdog_microseconds = 0;
    if (::sd_watchdog_enabled(0, &watchdog_microseconds) > 0) {
        const std::chrono::milliseconds half{watchdog_microseconds / 2000};
        sources.push_back(TRY(loop.every(half, [&parts] {
            // Not fed while verdicts do not come: systemd then restarts us.
            if (parts.makes_progress()) {
                ::sd_notify(0, "WATCHDOG=1");
            }
        })));
    }
    return sources;
}

// Gives away what we need not have, and says what we lack.
Result<> settle_privileges(daemon::Options& options) {
    options.missing_capabilities = TRY(daemon::bound_capabilities());
    for (const auto& missing : options.missing_capabilities) {
        log::warning("runs without " + missing);
    }
    return {};
}

Result<> serve(const daemon::Options& options) {
    const auto loop = TRY(EventLoop::create());
    auto parts = TRY(daemon::Components::create(options, *loop));
    const auto sources = TRY(connect(*loop, *parts));
    ::sd_notify(0, "READY=1");
    (void)TRY(loop->run());
    ::sd_notify(0, "STOPPING=1");
    const auto limit = end_in_time();
    parts->say_goodbye("asked to");
    parts.reset();
    return {};
}

Result<> run(daemon::Options options) {
    const auto level = TRY(log::parse_level(options.log_level));
    const auto paths = daemon::Paths::under(options.prefix);
    TRY(paths.create(), "make the folders of this instance");
    const auto lock = TRY(daemon::InstanceLock::acquire(paths.pid_file));
    TRY(log::open(
        {.file = paths.logs / "vigiad.log", .to_stderr = options.foreground, .level = level}));
    TRY(settle_privileges(options));
    options.programs = TRY(own_programs());
    return serve(options);
}

}  // namespace

// NOLINTNEXTLINE(bugprone-exception-escape): an end without memory is an end
int main(int argc, char** argv) {
    daemon::Options options;
    CLI::App app("vigiad: the Vigía endpoint-security connector");
    app.set_version_flag("--version", "vigiad " VIGIA_VERSION);
    app.add_option("--prefix", options.prefix, "put everything of this instance under DIR")
        ->type_name("DIR");
    app.add_option("--sysroot", options.sysroot, "read the host's facts under DIR")
        ->type_name("DIR");
    app.add_option("--policy", options.policy, "policy file (default: etc/vigia/policy.toml)")
        ->type_name("FILE");
    app.add_flag("--foreground", options.foreground, "log to standard error as well");
    app.add_option("--log-level", options.log_level, "debug, info, warning or error");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int code = app.exit(error);
        return code == 0 ? 0 : kExitUsage;
    }
    prepare_process();
    if (const auto result = run(std::move(options)); !result) {
        fmt::print(stderr, "vigiad: {}\n", result.error().message());
        return kExitFailed;
    }
    return 0;
}
