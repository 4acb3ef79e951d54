// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/subprocess.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>

#include "base/files.h"

namespace vigia {
namespace {

// What the child needs, made ready before fork: between fork and exec it may only make plain system
// calls, because another thread may hold any lock.
struct Launch {
    const char* program = nullptr;
    std::vector<char*> argv;
    std::vector<std::pair<int, int>> descriptors;
    int highest = 2;
    int error_pipe = -1;
    int dev_null = -1;
};

[[noreturn]] void give_up(int error_pipe) {
    const int error = errno;
    (void)!::write(error_pipe, &error, sizeof error);
    ::_exit(127);
}

void reset_signals() {
    struct sigaction by_default{};
    by_default.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; ++number) {
        ::sigaction(number, &by_default, nullptr);
    }
    sigset_t none{};
    ::sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void become_child(Launch& launch) {
    reset_signals();
    // Above every target number, so that no dup2 below closes one that is still to be placed.
    const int floor = launch.highest + 1;
    launch.error_pipe = ::fcntl(launch.error_pipe, F_DUPFD_CLOEXEC, floor);
    for (auto& [ours, its] : launch.descriptors) {
        ours = ::fcntl(ours, F_DUPFD_CLOEXEC, floor);
        if (ours < 0) {
            give_up(launch.error_pipe);
        }
    }
    const int dev_null = ::fcntl(launch.dev_null, F_DUPFD_CLOEXEC, floor);
    for (int standard = 0; standard <= 2; ++standard) {
        ::dup2(dev_null, standard);
    }
    for (const auto& [ours, its] : launch.descriptors) {
        if (::dup2(ours, its) < 0) {
            give_up(launch.error_pipe);
        }
    }
    // Whatever else is open is not the child's business, CLOEXEC or not.
    ::syscall(SYS_close_range, static_cast<unsigned>(floor), UINT_MAX, 4U /*CLOSE_RANGE_CLOEXEC*/);
    for (int number = 3; number < floor; ++number) {
        const bool wanted = std::ranges::any_of(
            launch.descriptors, [number](const auto& pair) { return pair.second == number; });
        if (!wanted) {
            ::close(number);
        }
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // Ctrl-C in the terminal is for the daemon, which ends its children in order.
    ::setpgid(0, 0);
    static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    static char language[] = "LANG=C";
    std::array<char*, 3> environment{path, language, nullptr};
    ::execve(launch.program, launch.argv.data(), environment.data());
    give_up(launch.error_pipe);
}

}  // namespace

Result<Subprocess> Subprocess::start(const Options& options) {
    std::array<int, 2> pipe_ends{};
    if (::pipe2(pipe_ends.data(), O_CLOEXEC) < 0) {
        return fail_errno("make pipe");
    }
    const UniqueFd reader{pipe_ends[0]};
    UniqueFd writer{pipe_ends[1]};
    const auto dev_null = TRY(open_at(AT_FDCWD, "/dev/null", O_RDWR));

    std::vector<std::string> words{options.program.filename().native()};
    words.insert(words.end(), options.arguments.begin(), options.arguments.end());
    Launch launch{.program = options.program.c_str(),
                  .argv = {},
                  .descriptors = options.descriptors,
                  .highest = 2,
                  .error_pipe = writer.get(),
                  .dev_null = dev_null.get()};
    for (auto& word : words) {
        launch.argv.push_back(word.data());
    }
    launch.argv.push_back(nullptr);
    for (const auto& [ours, its] : options.descriptors) {
        launch.highest = std::max(launch.highest, its);
    }

    const pid_t pid = ::fork();
    if (pid < 0) {
        return fail_errno("fork");
    }
    if (pid == 0) {
        become_child(launch);
    }
    writer.reset();
    // We have not reaped it, so the number is still its own.
    UniqueFd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
    Subprocess child(pid, std::move(pidfd));
    if (!child.pidfd_) {
        return fail_errno("pidfd_open");
    }
    int error = 0;
    ssize_t got = 0;
    do {
        got = ::read(reader.get(), &error, sizeof error);
    } while (got < 0 && errno == EINTR);
    if (got == sizeof error) {
        errno = error;
        return fail_errno("execute " + options.program.native());
    }
    return child;
}

Subprocess::Subprocess(Subprocess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      status_(other.status_),
      peak_memory_(other.peak_memory_) {}

Subprocess& Subprocess::operator=(Subprocess&& other) noexcept {
    if (this != &other) {
        const Subprocess ending(std::move(*this));
        pid_ = std::exchange(other.pid_, -1);
        pidfd_ = std::move(other.pidfd_);
        status_ = other.status_;
        peak_memory_ = other.peak_memory_;
    }
    return *this;
}

Subprocess::~Subprocess() {
    if (pid_ < 0 || status_) {
        return;
    }
    constexpr std::chrono::seconds kReap{2};
    kill(SIGKILL);
    (void)wait(kReap);
}

void Subprocess::kill(int signal) noexcept {
    if (pid_ > 0 && !status_) {
        ::syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0);
    }
}

std::optional<int> Subprocess::wait(std::chrono::milliseconds timeout) {
    if (status_ || pid_ < 0) {
        return status_;
    }
    pollfd poll_fd{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&poll_fd, 1, static_cast<int>(timeout.count())) <= 0) {
        return std::nullopt;
    }
    int status = 0;
    rusage usage{};
    pid_t reaped = -1;
    do {
        reaped = ::wait4(pid_, &status, 0, &usage);
    } while (reaped < 0 && errno == EINTR);
    peak_memory_ = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;  // KiB, getrusage(2)
    status_ = reaped == pid_ ? status : 0;
    return status_;
}

std::string describe_wait_status(int status) {
    if (WIFSIGNALED(status)) {
        const int number = WTERMSIG(status);
        const char* meaning = ::sigdescr_np(number);
        return fmt::format("signal {} ({})", number, meaning != nullptr ? meaning : "unknown");
    }
    return fmt::format("exit status {}", WEXITSTATUS(status));
}

}  // namespace vigia
