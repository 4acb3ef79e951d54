// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/security.h"

#include <cap-ng.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mount.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <string>

#include "base/text.h"
#include "base/unique_fd.h"

namespace vigia::host {
namespace {

constexpr std::size_t kMaxModules = 64;
constexpr std::string_view kEfi = "sys/firmware/efi";
// The variable and the vendor of the UEFI specification, EFI_GLOBAL_VARIABLE.
constexpr std::string_view kSecureBootVariable =
    "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

struct LockdownName {
    std::string_view name;
    Lockdown state;
};

constexpr std::array kLockdowns{LockdownName{"none", Lockdown::None},
                                LockdownName{"integrity", Lockdown::Integrity},
                                LockdownName{"confidentiality", Lockdown::Confidentiality}};

bool is_module_name(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

// For a file that the kernel would show if it had the feature and if `folder` were populated.
bool folder_is_populated(const Root& root, std::string_view folder) {
    const auto names = root.list(folder);
    return names && !names->empty();
}

// Where nobody has mounted securityfs (containers, small systems), the running kernel still shows
// it in a mount that no path leads to and that ends with its descriptor. Empty: it may not.
UniqueFd own_securityfs() {
    const UniqueFd context{::fsopen("securityfs", FSOPEN_CLOEXEC)};
    if (!context || ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
        return {};
    }
    return UniqueFd{
        ::fsmount(context.get(),
                  FSMOUNT_CLOEXEC,
                  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)};
}

// Files of securityfs, wherever it can be seen.
class Securityfs {
public:
    explicit Securityfs(const Root& root) : root_(&root) {
        if (!root.is_live() || folder_is_populated(root, folder_)) {
            return;
        }
        mount_ = own_securityfs();
        auto own = Root::open("/proc/self/fd/" + std::to_string(mount_.get()));
        if (mount_ && own) {
            own_ = *std::move(own);
            root_ = &*own_;
            folder_.clear();
        }
    }

    Securityfs(const Securityfs&) = delete;
    Securityfs& operator=(const Securityfs&) = delete;
    ~Securityfs() = default;

    template <typename T, typename Parser>
    [[nodiscard]] Fact<T> fact(const std::string& name, const Parser& parser) const {
        constexpr std::size_t kLimit = 4096;
        auto found = fact_from<T>(*root_, folder_ + name, kLimit, parser);
        if (own_) {
            found.source = "securityfs (not mounted): " + name;
        }
        return found;
    }

    // It is there and has no such file.
    [[nodiscard]] bool lacks(const std::string& name) const {
        const auto there = root_->exists(folder_ + name);
        return there && !*there && folder_is_populated(*root_, folder_);
    }

private:
    const Root* root_;
    std::string folder_ = "sys/kernel/security/";
    UniqueFd mount_;
    std::optional<Root> own_;
};

}  // namespace

Parsed<std::vector<std::string>> parse_security_modules(std::string_view text) {
    text = trim(text);
    std::vector<std::string> names;
    while (!text.empty()) {
        const auto name = take_until(text, ',');
        if (!is_module_name(name) || names.size() == kMaxModules) {
            return std::unexpected("it is no list of security modules");
        }
        names.emplace_back(name);
    }
    if (names.empty()) {
        return std::unexpected("it is empty");
    }
    return names;
}

Parsed<Lockdown> parse_lockdown(std::string_view text) {
    const auto open = text.find('[');
    const auto close = text.find(']', open == std::string_view::npos ? 0 : open);
    if (open != std::string_view::npos && close != std::string_view::npos) {
        const auto name = text.substr(open + 1, close - open - 1);
        const auto* const found = std::ranges::find(kLockdowns, name, &LockdownName::name);
        if (found != kLockdowns.end()) {
            return found->state;
        }
    }
    return std::unexpected("it names no lockdown mode that we know");
}

Parsed<SecureBoot> parse_secure_boot(std::string_view bytes) {
    constexpr std::size_t kAttributes = 4;
    if (bytes.size() != kAttributes + 1) {
        return std::unexpected("it is not four bytes of attributes and one of value");
    }
    switch (bytes[kAttributes]) {
        case 0:
            return SecureBoot::Disabled;
        case 1:
            return SecureBoot::Enabled;
        default:
            return std::unexpected("its value is neither 0 nor 1");
    }
}

Parsed<CapabilitySets> parse_capabilities(std::string_view status) {
    CapabilitySets sets;
    bool has_effective = false;
    bool has_bounding = false;
    while (!status.empty()) {
        auto line = take_line(status);
        const auto name = take_until(line, ':');
        if (name == "CapEff") {
            has_effective = parse_number(trim(line), sets.effective, 16);
        } else if (name == "CapBnd") {
            has_bounding = parse_number(trim(line), sets.bounding, 16);
        }
    }
    if (!has_effective || !has_bounding) {
        return std::unexpected("it has no CapEff or no CapBnd");
    }
    return sets;
}

Fact<std::vector<std::string>> security_modules(const Root& root) {
    return Securityfs(root).fact<std::vector<std::string>>("lsm", parse_security_modules);
}

Fact<Lockdown> lockdown(const Root& root) {
    const Securityfs files(root);
    auto found = files.fact<Lockdown>("lockdown", parse_lockdown);
    if (!found.is_known() && files.lacks("lockdown")) {
        return Fact<Lockdown>::known(Lockdown::Absent, "/sys/kernel/security");
    }
    return found;
}

Fact<SecureBoot> secure_boot(const Root& root) {
    const std::string source = "/" + std::string(kEfi);
    const auto efi = root.exists(kEfi);
    if (!efi) {
        return Fact<SecureBoot>::unknown(efi.error().message(), source);
    }
    if (!*efi) {
        const bool has_sysfs = root.exists("sys").value_or(false);
        return has_sysfs ? Fact<SecureBoot>::known(SecureBoot::NotEfi, source)
                         : Fact<SecureBoot>::unknown("there is no /sys under this root", source);
    }
    auto found = fact_from<SecureBoot>(root, kSecureBootVariable, 64, parse_secure_boot);
    const auto there = root.exists(kSecureBootVariable);
    if (!found.is_known() && there && !*there &&
        folder_is_populated(root, "sys/firmware/efi/efivars")) {
        // Firmware without the variable cannot do it.
        return Fact<SecureBoot>::known(SecureBoot::Disabled, "/sys/firmware/efi/efivars");
    }
    return found;
}

Fact<CapabilitySets> capabilities(const Root& root) {
    if (!root.is_live()) {
        return Fact<CapabilitySets>::unknown("this root is not the running system");
    }
    return fact_from<CapabilitySets>(root, "proc/self/status", 65'536, parse_capabilities);
}

std::string capability_name(unsigned number) {
    const char* const known = ::capng_capability_to_name(number);
    std::string name = known == nullptr ? std::to_string(number) : known;
    std::ranges::transform(
        name, name.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return "CAP_" + name;
}

std::vector<std::string> missing_capabilities(std::uint64_t set,
                                              std::initializer_list<unsigned> wanted) {
    const auto has = [&](unsigned number) { return number < 64 && ((set >> number) & 1U) != 0; };
    std::vector<std::string> missing;
    for (const unsigned number : wanted) {
        const bool contained = (number == CAP_BPF || number == CAP_PERFMON) && has(CAP_SYS_ADMIN);
        if (!has(number) && !contained) {
            missing.push_back(capability_name(number));
        }
    }
    return missing;
}

}  // namespace vigia::host
