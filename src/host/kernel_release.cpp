// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/kernel_release.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <utility>

#include "base/text.h"

namespace vigia::host {
namespace {

constexpr std::size_t kMaxRelease = 64;  // __NEW_UTS_LEN of linux/utsname.h
constexpr std::size_t kMaxBuildNumbers = 8;

bool is_release_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == '+' || c == '~' || c == '@' || c == ':';
}

std::string_view take_digits(std::string_view& rest) {
    const auto end = std::min(rest.find_first_not_of("0123456789"), rest.size());
    const auto digits = rest.substr(0, end);
    rest.remove_prefix(end);
    return digits;
}

bool take_number(std::string_view& rest, unsigned& number) {
    return parse_number(take_digits(rest), number);
}

bool take_dot(std::string_view& rest) {
    if (!rest.starts_with('.')) {
        return false;
    }
    rest.remove_prefix(1);
    return true;
}

std::vector<unsigned> build_numbers(std::string_view rest) {
    std::vector<unsigned> numbers;
    while (!rest.empty() && numbers.size() < kMaxBuildNumbers) {
        rest.remove_prefix(1);  // the hyphen or dot
        unsigned number = 0;
        if (!take_number(rest, number) ||
            (!rest.empty() && rest.front() != '.' && rest.front() != '-')) {
            break;
        }
        numbers.push_back(number);
    }
    return numbers;
}

// As releases of Debian, Red Hat, SUSE and their kin end; the names are uname's or Debian's own.
constexpr std::array<std::string_view, 12> kArchitectures{"x86_64",
                                                          "amd64",
                                                          "aarch64",
                                                          "arm64",
                                                          "ppc64le",
                                                          "powerpc64le",
                                                          "s390x",
                                                          "i686",
                                                          "i386",
                                                          "riscv64",
                                                          "loongarch64",
                                                          "armv7l"};

std::string architecture_of(std::string_view release) {
    const auto last = release.find_last_of(".-");
    const auto word =
        last == std::string_view::npos ? std::string_view{} : release.substr(last + 1);
    return holds(kArchitectures, word) ? std::string(word) : std::string{};
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// Both by value, however long; leading zeros count for nothing.
int compare_digits(std::string_view left, std::string_view right) {
    left.remove_prefix(std::min(left.find_first_not_of('0'), left.size()));
    right.remove_prefix(std::min(right.find_first_not_of('0'), right.size()));
    if (left.size() != right.size()) {
        return left.size() < right.size() ? -1 : 1;
    }
    return left.compare(right);
}

// Below, equal or above zero; runs of digits are compared as numbers of any length.
int compare_naturally(std::string_view left, std::string_view right) {
    while (!left.empty() && !right.empty()) {
        if (is_digit(left.front()) && is_digit(right.front())) {
            const auto number = take_digits(left);
            if (const int order = compare_digits(number, take_digits(right)); order != 0) {
                return order;
            }
        } else if (left.front() != right.front()) {
            return left.front() < right.front() ? -1 : 1;
        } else {
            left.remove_prefix(1);
            right.remove_prefix(1);
        }
    }
    return static_cast<int>(!left.empty()) - static_cast<int>(!right.empty());
}

// boot/ names images so on x86, on ARM and on s390.
constexpr std::array<std::string_view, 4> kImagePrefixes{
    "vmlinuz-", "vmlinux-", "Image-", "image-"};
constexpr std::array<std::string_view, 4> kNotImages{".old", ".bak", ".sig", ".hmac"};

std::string_view release_of_image(std::string_view name) {
    const bool other = std::ranges::any_of(
        kNotImages, [&](std::string_view suffix) { return name.ends_with(suffix); });
    for (const auto prefix : kImagePrefixes) {
        if (!other && name.starts_with(prefix)) {
            return name.substr(prefix.size());
        }
    }
    return {};
}

using Found = std::map<std::string, InstalledKernel, std::less<>>;

InstalledKernel* entry_for(Found& found, std::string_view release) {
    auto parsed = parse_kernel_release(release);
    if (!parsed || parsed->text != release) {
        return nullptr;  // "0-rescue-…", "extramodules"
    }
    auto& kernel = found[parsed->text];
    kernel.release = *std::move(parsed);
    return &kernel;
}

}  // namespace

Parsed<KernelRelease> parse_kernel_release(std::string_view text) {
    text = trim(text);
    if (text.empty() || text.size() > kMaxRelease ||
        !std::ranges::all_of(text, is_release_character)) {
        return std::unexpected("it is no kernel release: " +
                               printable(text.substr(0, kMaxRelease)));
    }
    KernelRelease release{.text = std::string(text)};
    std::string_view rest = text;
    const bool version = take_number(rest, release.version.major_number) && take_dot(rest) &&
                         take_number(rest, release.version.minor_number);
    if (!version) {
        return std::unexpected("it does not begin with a version: " + printable(text));
    }
    if (take_dot(rest) && !take_number(rest, release.version.patch)) {
        return std::unexpected("it does not begin with a version: " + printable(text));
    }
    if (const auto hyphen = rest.find('-'); hyphen != std::string_view::npos) {
        release.build = build_numbers(rest.substr(hyphen));
    }
    release.is_uek = text.contains("uek");
    release.architecture = architecture_of(text);
    return release;
}

bool is_older(const KernelRelease& left, const KernelRelease& right) {
    if (left.version != right.version) {
        return left.version < right.version;
    }
    return compare_naturally(left.text, right.text) < 0;
}

Fact<KernelRelease> running_kernel(const Root& root) {
    return fact_from<KernelRelease>(root, "proc/sys/kernel/osrelease", 4096, parse_kernel_release);
}

Fact<std::vector<InstalledKernel>> installed_kernels(const Root& root) {
    using Kernels = std::vector<InstalledKernel>;
    Found found;
    const auto images = root.list("boot");
    const auto modules = root.list("lib/modules");
    for (const auto* folder : {&images, &modules}) {
        if (!*folder && !is_missing(folder->error())) {
            return Fact<Kernels>::unknown(folder->error().message());
        }
    }
    for (const auto& name : images.value_or(std::vector<std::string>{})) {
        if (auto* kernel = entry_for(found, release_of_image(name))) {
            kernel->has_image = true;
        }
    }
    for (const auto& name : modules.value_or(std::vector<std::string>{})) {
        if (auto* kernel = entry_for(found, name)) {
            kernel->has_modules = true;
            kernel->has_image = kernel->has_image ||
                                root.exists("lib/modules/" + name + "/vmlinuz").value_or(false);
        }
    }
    Kernels kernels;
    for (auto& [release, kernel] : found) {
        kernels.push_back(std::move(kernel));
    }
    std::ranges::sort(kernels, [](const InstalledKernel& left, const InstalledKernel& right) {
        return is_older(right.release, left.release);
    });
    return Fact<Kernels>::known(std::move(kernels), "/boot, /lib/modules");
}

}  // namespace vigia::host
