// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/selinux_policy.h"

#include <fcntl.h>
#include <poll.h>
#include <selinux/selinux.h>
#include <sepol/debug.h>
#include <sepol/policydb/services.h>
#include <sepol/sepol.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "base/subprocess.h"

namespace vigia::host {
namespace {

// --- the child ----------------------------------------------------------------------------------
enum class Outcome : std::uint8_t { Answered, NoPolicy, NoDomain, NoClass };

// What the child writes, in one piece.
struct Answer {
    Outcome outcome = Outcome::NoPolicy;
    std::uint8_t context = 0;   // its index
    std::uint32_t allowed = 0;  // one bit for each of kBpfPermissions
};

// "u:r:t:s0-s0:c0.c1023" → "u:r:t"
std::string without_level(std::string_view context) {
    std::size_t end = 0;
    for (int colons = 0; colons < 3 && end != std::string_view::npos; ++colons) {
        end = context.find(':', colons == 0 ? 0 : end + 1);
    }
    return std::string(context.substr(0, end));
}

bool find_domain(const std::vector<std::string>& contexts,
                 Answer& answer,
                 sepol_security_id_t& domain) {
    for (std::size_t at = 0; at < contexts.size(); ++at) {
        const auto plain = without_level(contexts[at]);
        for (const auto& form : {contexts[at], plain, plain + ":s0"}) {
            if (::sepol_context_to_sid(form.c_str(), form.size() + 1, &domain) == 0) {
                answer.context = static_cast<std::uint8_t>(at);
                return true;
            }
        }
    }
    return false;
}

Answer decide(int policy, const std::vector<std::string>& contexts) {
    Answer answer;

    struct Close {
        // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): the owner is the pointer that calls this
        void operator()(std::FILE* file) const noexcept { (void)std::fclose(file); }
    };

    const std::unique_ptr<std::FILE, Close> file{::fdopen(policy, "r")};
    if (!file || ::sepol_set_policydb_from_file(file.get()) != 0) {
        return answer;
    }
    sepol_security_id_t domain = 0;
    if (!find_domain(contexts, answer, domain)) {
        answer.outcome = Outcome::NoDomain;
        return answer;
    }
    sepol_security_class_t bpf = 0;
    if (::sepol_string_to_security_class("bpf", &bpf) != 0) {
        answer.outcome = Outcome::NoClass;
        return answer;
    }
    for (std::size_t at = 0; at < kBpfPermissions.size(); ++at) {
        sepol_access_vector_t wanted = 0;
        sepol_av_decision decision{};
        if (::sepol_string_to_av_perm(bpf, kBpfPermissions.at(at), &wanted) == 0 &&
            ::sepol_compute_av(domain, domain, bpf, wanted, &decision) == 0 &&
            (decision.allowed & wanted) == wanted) {
            answer.allowed |= 1U << at;
        }
    }
    answer.outcome = Outcome::Answered;
    return answer;
}

[[noreturn]] void child_main(int policy, int out, const std::vector<std::string>& contexts) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    constexpr rlimit kNone{.rlim_cur = 0, .rlim_max = 0};
    ::setrlimit(RLIMIT_CORE, &kNone);
    // A handler of the parent's (a sanitizer's, too) must not run here: this process just ends.
    for (const int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL}) {
        ::signal(signal, SIG_DFL);
    }
    const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing >= 0) {
        ::dup2(nothing, STDERR_FILENO);
        ::dup2(nothing, STDOUT_FILENO);
    }
    ::sepol_debug(0);
    const auto answer = decide(policy, contexts);
    const auto written = ::write(out, &answer, sizeof answer);
    ::_exit(written == sizeof answer ? 0 : 1);
}

// --- the parent ---------------------------------------------------------------------------------
// Kills and reaps when it goes.
class Child {
public:
    explicit Child(pid_t pid) : pid_(pid) {}

    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    ~Child() { (void)end(); }

    // Its wait status.
    int end() {
        int status = 0;
        if (pid_ > 0) {
            // Not reaped yet, so the number is still its own.
            ::kill(pid_, SIGKILL);
            while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
            }
            pid_ = -1;
        }
        return status;
    }

private:
    pid_t pid_;
};

Parsed<Answer> read_answer(int in, Child& child, std::chrono::milliseconds deadline) {
    const auto until = std::chrono::steady_clock::now() + deadline;
    while (true) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            until - std::chrono::steady_clock::now());
        if (left.count() <= 0) {
            return std::unexpected("libsepol did not answer in time");
        }
        pollfd waiting{.fd = in, .events = POLLIN, .revents = 0};
        if (::poll(&waiting, 1, static_cast<int>(left.count())) <= 0) {
            continue;
        }
        Answer answer;
        const auto got = ::read(in, &answer, sizeof answer);
        if (got == sizeof answer) {
            return answer;
        }
        if (got < 0 && errno == EINTR) {
            continue;
        }
        return std::unexpected("libsepol ended over the policy: " +
                               describe_wait_status(child.end()));
    }
}

SelinuxBpfRule rule_of(std::uint32_t allowed, SelinuxBpfRule::By by) {
    SelinuxBpfRule rule{.by = by};
    for (std::size_t at = 0; at < kBpfPermissions.size(); ++at) {
        if ((allowed & (1U << at)) == 0) {
            rule.denied.emplace_back(kBpfPermissions.at(at));
        }
    }
    rule.allowed = rule.denied.empty();
    return rule;
}

constexpr std::uint32_t kAllPermissions = (1U << kBpfPermissions.size()) - 1U;

Parsed<std::uint32_t> allowed_when_class_is_unknown(int policy) {
    constexpr std::size_t kHeader = 4096;
    std::string start(kHeader, '\0');
    const auto got = ::pread(policy, start.data(), start.size(), 0);
    start.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    const auto allows = parse_allows_unknown(start);
    if (!allows) {
        return std::unexpected(allows.error());
    }
    return *allows ? kAllPermissions : 0U;
}

struct FreeContext {
    void operator()(char* context) const { ::freecon(context); }
};

using Context = std::unique_ptr<char, FreeContext>;

}  // namespace

Parsed<bool> parse_allows_unknown(std::string_view policy) {
    const auto number_at = [&](std::size_t at) {
        std::uint32_t number = 0;  // a policy is little-endian, as are the machines we build for
        std::memcpy(&number, policy.data() + at, sizeof number);
        return number;
    };
    // magic, length of the string, the string, version, flags
    if (policy.size() < 8 || number_at(0) != POLICYDB_MAGIC) {
        return std::unexpected("it is no binary policy");
    }
    const std::size_t length = number_at(4);
    if (length > 64 || policy.size() < 8 + length + 8) {
        return std::unexpected("its header is cut");
    }
    return (number_at(8 + length + 4) & ALLOW_UNKNOWN) != 0;
}

Parsed<PolicyDecision> ask_policy_file(const UniqueFd& policy,
                                       const std::vector<std::string>& contexts,
                                       std::chrono::milliseconds deadline) {
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) < 0) {
        return std::unexpected(std::string("no pipe: ") + ::strerrordesc_np(errno));
    }
    const UniqueFd in{ends[0]};
    UniqueFd out{ends[1]};
    const pid_t pid = ::fork();
    if (pid < 0) {
        return std::unexpected(std::string("no child: ") + ::strerrordesc_np(errno));
    }
    if (pid == 0) {
        child_main(policy.get(), out.get(), contexts);
    }
    Child child(pid);
    out.reset();
    const auto answer = read_answer(in.get(), child, deadline);
    if (!answer) {
        return std::unexpected(answer.error());
    }
    std::uint32_t allowed = answer->allowed;
    switch (answer->outcome) {
        case Outcome::Answered:
            break;
        case Outcome::NoClass: {
            const auto by_default = allowed_when_class_is_unknown(policy.get());
            if (!by_default) {
                return std::unexpected(by_default.error());
            }
            allowed = *by_default;
            break;
        }
        case Outcome::NoPolicy:
            return std::unexpected("libsepol cannot read the policy");
        case Outcome::NoDomain:
            return std::unexpected("the policy knows none of the domains asked about");
    }
    if (answer->context >= contexts.size()) {
        return std::unexpected("libsepol ended over the policy");
    }
    return PolicyDecision{.rule = rule_of(allowed, SelinuxBpfRule::By::PolicyFile),
                          .context = contexts[answer->context]};
}

Parsed<PolicyDecision> ask_kernel(const std::vector<std::string>& contexts) {
    if (::is_selinux_enabled() != 1) {
        return std::unexpected("selinuxfs is not there");
    }
    const auto valid = std::ranges::find_if(contexts, [](const std::string& context) {
        return ::security_check_context(context.c_str()) == 0;
    });
    if (valid == contexts.end()) {
        return std::unexpected("the policy in force knows none of the domains asked about");
    }
    const auto bpf = ::string_to_security_class("bpf");
    if (bpf == 0) {
        const int denies = ::security_deny_unknown();
        if (denies < 0) {
            return std::unexpected("the policy in force does not know the class bpf");
        }
        return PolicyDecision{
            .rule = rule_of(denies == 0 ? kAllPermissions : 0U, SelinuxBpfRule::By::Kernel),
            .context = *valid};
    }
    std::uint32_t allowed = 0;
    for (std::size_t at = 0; at < kBpfPermissions.size(); ++at) {
        const auto wanted = ::string_to_av_perm(bpf, kBpfPermissions.at(at));
        av_decision decision{};
        // By its own node and not selinux_check_access(): that one writes an audit record.
        if (::security_compute_av_flags(valid->c_str(), valid->c_str(), bpf, wanted, &decision) !=
            0) {
            return std::unexpected(std::string("the kernel does not say: ") +
                                   ::strerrordesc_np(errno));
        }
        const bool permissive = (decision.flags & SELINUX_AVD_FLAGS_PERMISSIVE) != 0;
        if (permissive || (wanted != 0 && (decision.allowed & wanted) == wanted)) {
            allowed |= 1U << at;
        }
    }
    return PolicyDecision{.rule = rule_of(allowed, SelinuxBpfRule::By::Kernel), .context = *valid};
}

std::optional<std::string> domain_of_program(const std::string& path) {
    if (::is_selinux_enabled() != 1) {
        return std::nullopt;
    }
    char* raw = nullptr;
    if (::getpidcon(1, &raw) != 0) {
        return std::nullopt;
    }
    const Context init(raw);
    if (::getfilecon(path.c_str(), &raw) < 0) {
        return std::nullopt;
    }
    const Context file(raw);
    const auto process = ::string_to_security_class("process");
    if (process == 0 || ::security_compute_create(init.get(), file.get(), process, &raw) != 0) {
        return std::nullopt;
    }
    const Context domain(raw);
    return std::string(domain.get());
}

}  // namespace vigia::host
