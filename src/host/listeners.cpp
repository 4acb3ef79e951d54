// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/listeners.h"

#include <fmt/format.h>
#include <sys/fanotify.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace vigia::host {
namespace {

constexpr std::size_t kMaxProcesses = 32'768;
constexpr std::size_t kMaxDescriptors = 262'144;
constexpr std::size_t kMaxInfo = 65'536;  // a group with many marks says more; the start will do
constexpr std::string_view kGroupLink = "anon_inode:[fanotify]";

struct ProductOfProgram {
    std::string_view program;
    std::string_view product;
};

// Names of processes (cut to 15 bytes, as the kernel does) that vendors document.
constexpr std::array kProducts{
    ProductOfProgram{"clamonacc", "ClamAV on-access scanning"},
    ProductOfProgram{"ampdaemon", "Cisco Secure Endpoint"},
    ProductOfProgram{"wdavdaemon", "Microsoft Defender for Endpoint"},
    ProductOfProgram{"falcon-sensor", "CrowdStrike Falcon"},
    ProductOfProgram{"falcon-sensor-b", "CrowdStrike Falcon"},
    ProductOfProgram{"ds_am", "Trend Micro Deep Security"},
    ProductOfProgram{"kesl", "Kaspersky Endpoint Security"},
    ProductOfProgram{"oaeventd", "ESET Server Security"},
    ProductOfProgram{"savscand", "Sophos Anti-Virus"},
    ProductOfProgram{"mfetpd", "Trellix Endpoint Security"},
    ProductOfProgram{"cbagentd", "Carbon Black Cloud"},
    ProductOfProgram{"fapolicyd", "fapolicyd"},
};

template <typename Number>
bool field(std::string_view line, std::string_view name, Number& number) {
    const auto at = line.find(name);
    if (at == std::string_view::npos) {
        return false;
    }
    auto rest = line.substr(at + name.size());
    return parse_number(take_word(rest), number, 16);
}

class Search {
public:
    Search(const Root& root, pid_t own) : root_(root), own_(own) {}

    void look_at(const std::string& name, pid_t pid) {
        if (pid == own_) {
            return;
        }
        if (found_.processes == kMaxProcesses) {
            found_.truncated = true;
            return;
        }
        ++found_.processes;
        const std::string folder = "proc/" + name;
        const auto program = program_of(folder);
        if (const auto product = on_access_product(program); !product.empty()) {
            found_.programs.push_back(
                {.pid = pid, .program = program, .product = std::string(product)});
        }
        look_at_descriptors(folder, pid, program);
    }

    Listeners finish() && { return std::move(found_); }

private:
    [[nodiscard]] std::string program_of(const std::string& folder) const {
        const auto comm = root_.read(folder + "/comm", 64).value_or("");
        return std::string(trim(comm));
    }

    // Reading a link is far cheaper than fdinfo, which walks what the descriptor holds.
    [[nodiscard]] Result<std::vector<std::string>> candidates(const std::string& folder) const {
        auto links = root_.links(folder + "/fd", kMaxDescriptors);
        if (!links && is_missing(links.error())) {
            return root_.list(folder + "/fdinfo", kMaxDescriptors);  // an image has no links
        }
        std::vector<std::string> numbers;
        for (auto& [number, target] : TRY(std::move(links))) {
            if (target == kGroupLink) {
                numbers.push_back(std::move(number));
            }
        }
        return numbers;
    }

    void look_at_descriptors(const std::string& folder, pid_t pid, const std::string& program) {
        const auto descriptors = candidates(folder);
        if (!descriptors) {
            // One that has just ended is no process that hides something.
            found_.unreadable += is_missing(descriptors.error()) ? 0 : 1;
            return;
        }
        for (const auto& number : *descriptors) {
            if (++descriptors_ > kMaxDescriptors) {
                found_.truncated = true;
                return;
            }
            const auto text =
                root_.read_start(fmt::format("{}/fdinfo/{}", folder, number), kMaxInfo);
            if (const auto info = text ? parse_fanotify_info(*text) : std::nullopt) {
                found_.listeners.push_back(
                    {.pid = pid,
                     .program = program,
                     .executable = root_.link_target(folder + "/exe").value_or(""),
                     .permission_class = info->permission_class,
                     .asks_permission = info->asks_permission});
            }
        }
    }

    const Root& root_;  // NOLINT(*-avoid-const-or-ref-data-members): lives for one call
    pid_t own_;
    Listeners found_;
    std::size_t descriptors_ = 0;
};

Fact<std::uint64_t> limit(const Root& root, std::string_view name) {
    return fact_from<std::uint64_t>(root,
                                    "proc/sys/fs/fanotify/" + std::string(name),
                                    64,
                                    [](std::string_view text) -> Parsed<std::uint64_t> {
                                        std::uint64_t number = 0;
                                        if (!parse_number(trim(text), number)) {
                                            return std::unexpected("it is no number");
                                        }
                                        return number;
                                    });
}

}  // namespace

std::optional<FanotifyInfo> parse_fanotify_info(std::string_view text) {
    constexpr std::uint64_t kAsking = FAN_OPEN_PERM | FAN_ACCESS_PERM | FAN_OPEN_EXEC_PERM |
                                      0x0010'0000;  // FAN_PRE_ACCESS of Linux 6.14
    std::optional<FanotifyInfo> info;
    while (!text.empty()) {
        const auto line = take_line(text);
        if (!line.starts_with("fanotify ")) {
            continue;
        }
        info = info ? info : FanotifyInfo{};
        unsigned flags = 0;
        std::uint64_t mask = 0;
        if (field(line, " flags:", flags)) {
            info->permission_class = (flags & (FAN_CLASS_CONTENT | FAN_CLASS_PRE_CONTENT)) != 0;
        }
        if (field(line, " mask:", mask)) {
            info->asks_permission = info->asks_permission || (mask & kAsking) != 0;
        }
    }
    return info;
}

std::string_view on_access_product(std::string_view program) {
    const auto* const found = std::ranges::find(kProducts, program, &ProductOfProgram::program);
    return found == kProducts.end() ? std::string_view{} : found->product;
}

Fact<Listeners> listeners(const Root& root, pid_t own) {
    const auto names = root.list("proc", 1'048'576);
    if (!names) {
        return Fact<Listeners>::unknown(names.error().message(), "/proc");
    }
    Search search(root, own);
    bool any = false;
    for (const auto& name : *names) {
        pid_t pid = 0;
        if (parse_number(name, pid) && pid > 0) {
            any = true;
            search.look_at(name, pid);
        }
    }
    if (!any) {
        return Fact<Listeners>::unknown("no process is shown there", "/proc");
    }
    return Fact<Listeners>::known(std::move(search).finish(), "/proc/*/fdinfo");
}

FanotifyLimits fanotify_limits(const Root& root) {
    return {.max_user_groups = limit(root, "max_user_groups"),
            .max_user_marks = limit(root, "max_user_marks"),
            .max_queued_events = limit(root, "max_queued_events")};
}

Fact<bool> has_pressure(const Root& root) {
    const std::string source = "/proc/pressure/memory";
    const auto start = root.read_start("proc/pressure/memory", 256);
    if (start) {
        return Fact<bool>::known(start->starts_with("some "), source);
    }
    // Booted with psi=0 the files are there and refuse to be opened with EOPNOTSUPP.
    const bool off = start.error().code == std::errc::operation_not_supported;
    const bool kernel_is_there = root.exists("proc/sys/kernel").value_or(false);
    if (off || (is_missing(start.error()) && kernel_is_there)) {
        return Fact<bool>::known(false, source);
    }
    return Fact<bool>::unknown(start.error().message(), source);
}

}  // namespace vigia::host
