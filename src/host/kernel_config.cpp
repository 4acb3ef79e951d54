// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/kernel_config.h"

#include <zlib.h>

#include <algorithm>
#include <array>

namespace vigia::host {
namespace {

constexpr std::size_t kMaxConfig = std::size_t{4} * 1024 * 1024;  // today's have 0.3 MiB
constexpr std::size_t kChunk = 65'536;
constexpr int kGzipWindow = 16 + MAX_WBITS;  // zlib.h: 16 asks for the gzip format

constexpr std::array<std::string_view, 20> kAsked{"CONFIG_BPF",
                                                  "CONFIG_BPF_SYSCALL",
                                                  "CONFIG_BPF_EVENTS",
                                                  "CONFIG_BPF_JIT",
                                                  "CONFIG_BPF_LSM",
                                                  "CONFIG_CGROUP_BPF",
                                                  "CONFIG_CGROUPS",
                                                  "CONFIG_DEBUG_INFO",
                                                  "CONFIG_DEBUG_INFO_BTF",
                                                  "CONFIG_FANOTIFY",
                                                  "CONFIG_FANOTIFY_ACCESS_PERMISSIONS",
                                                  "CONFIG_FTRACE_SYSCALLS",
                                                  "CONFIG_KPROBES",
                                                  "CONFIG_PERF_EVENTS",
                                                  "CONFIG_PSI",
                                                  "CONFIG_SECURITY_LOCKDOWN_LSM",
                                                  "CONFIG_SECURITY_LANDLOCK",
                                                  "CONFIG_SECURITY_SELINUX",
                                                  "CONFIG_SECCOMP_FILTER",
                                                  "CONFIG_TRACEPOINTS"};

// "CONFIG_X=y" or "# CONFIG_X is not set"; the name is empty if it is neither.
struct Line {
    std::string_view name;
    std::string_view value;
};

Line parse_line(std::string_view line) {
    constexpr std::string_view kPrefix = "CONFIG_";
    constexpr std::string_view kNotSet = " is not set";
    line = trim(line);
    if (line.starts_with("# ") && line.ends_with(kNotSet)) {
        line.remove_prefix(2);
        line.remove_suffix(kNotSet.size());
        return {line.starts_with(kPrefix) ? line : std::string_view{}, "n"};
    }
    const auto name = take_until(line, '=');
    if (!name.starts_with(kPrefix) || line.empty()) {
        return {};
    }
    return {name, line};
}

// Owns zlib's state.
class Inflater {
public:
    Inflater() : ready_(::inflateInit2(&stream_, kGzipWindow) == Z_OK) {}

    ~Inflater() {
        if (ready_) {
            ::inflateEnd(&stream_);
        }
    }

    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;

    [[nodiscard]] bool ready() const { return ready_; }

    z_stream& stream() { return stream_; }

private:
    z_stream stream_{};
    bool ready_ = false;
};

Fact<KernelConfig> config_in(const Root& root, const std::string& path) {
    return fact_from<KernelConfig>(root, path, kMaxConfig, parse_kernel_config);
}

Fact<KernelConfig> compressed_config_in(const Root& root, const std::string& path) {
    return fact_from<KernelConfig>(
        root, path, kMaxConfig, [](std::string_view bytes) -> Parsed<KernelConfig> {
            const auto text = gunzip(bytes, kMaxConfig);
            return text ? parse_kernel_config(*text) : std::unexpected(text.error());
        });
}

}  // namespace

std::span<const std::string_view> asked_options() {
    return kAsked;
}

Parsed<KernelConfig> parse_kernel_config(std::string_view text) {
    KernelConfig config;
    bool any = false;
    while (!text.empty()) {
        const auto [name, value] = parse_line(take_line(text));
        any = any || !name.empty();
        if (holds(kAsked, name)) {
            constexpr std::size_t kMaxValue = 256;
            config.options.insert_or_assign(std::string(name),
                                            std::string(value.substr(0, kMaxValue)));
        }
    }
    if (!any) {
        return std::unexpected("it has no line of a kernel configuration");
    }
    for (const auto name : kAsked) {
        config.options.try_emplace(std::string(name), "n");
    }
    return config;
}

Parsed<std::string> gunzip(std::string_view bytes, std::size_t limit) {
    Inflater inflater;
    if (!inflater.ready()) {
        return std::unexpected("zlib does not start");
    }
    auto& stream = inflater.stream();
    // zlib's interface is older than const; it does not write to its input.
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast,cppcoreguidelines-pro-type-reinterpret-cast)
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(std::min<std::size_t>(bytes.size(), UINT32_MAX));
    std::string text;
    int state = Z_OK;
    while (state == Z_OK) {
        const std::size_t before = text.size();
        text.resize(before + kChunk);
        // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast)
        stream.next_out = reinterpret_cast<Bytef*>(text.data() + before);
        stream.avail_out = kChunk;
        state = ::inflate(&stream, Z_NO_FLUSH);
        text.resize(before + kChunk - stream.avail_out);
        if (text.size() > limit) {
            return std::unexpected("it is more than " + std::to_string(limit) +
                                   " bytes when unpacked");
        }
    }
    if (state != Z_STREAM_END) {
        return std::unexpected("it is no whole gzip file");
    }
    return text;
}

Fact<KernelConfig> kernel_config(const Root& root, const KernelRelease& release, bool is_running) {
    const auto& text = release.text;
    std::string why;
    if (is_running) {
        auto config = compressed_config_in(root, "proc/config.gz");
        if (config.is_known()) {
            return config;
        }
        why = config.why_unknown;
    }
    for (const auto& path : {"boot/config-" + text,
                             "lib/modules/" + text + "/config",
                             "lib/modules/" + text + "/build/.config"}) {
        auto config = config_in(root, path);
        if (config.is_known()) {
            return config;
        }
        why += (why.empty() ? "" : "; ") + config.why_unknown;
    }
    return Fact<KernelConfig>::unknown(why);
}

}  // namespace vigia::host
