// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/ebpf/bpf_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <optional>
#include <vector>

namespace vigia::sensors {
namespace {

constexpr std::size_t kMostLog = 4U << 20U;

// Where libbpf's words of this thread go; libbpf has one global printer for all threads.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): its printer has no context
thread_local std::string* words = nullptr;

__attribute__((format(printf, 2, 0))) int keep_words(libbpf_print_level level,
                                                     const char* format,
                                                     va_list arguments) {
    if (words == nullptr || level == LIBBPF_DEBUG || words->size() > kMostLog) {
        return 0;
    }
    va_list again;
    va_copy(again, arguments);
    const int size = std::vsnprintf(nullptr, 0, format, arguments);
    if (size > 0) {
        const auto before = words->size();
        words->resize(before + static_cast<std::size_t>(size) + 1);
        std::vsnprintf(&(*words)[before], static_cast<std::size_t>(size) + 1, format, again);
        words->pop_back();
    }
    va_end(again);
    return 0;
}

// Collects what libbpf says on this thread while it lives.
class Listening {
public:
    explicit Listening(std::string& into) {
        libbpf_set_print(keep_words);
        words = &into;
    }

    ~Listening() { words = nullptr; }

    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;
};

// The last name that stands so before `said`.
std::string name_before(std::string_view log, std::string_view kind, std::string_view said) {
    const auto at_said = log.rfind(said);
    if (at_said == std::string_view::npos) {
        return {};
    }
    const auto at = log.rfind(kind, at_said);
    if (at == std::string_view::npos) {
        return {};
    }
    const auto begin = at + kind.size();
    return std::string(log.substr(begin, log.find('\'', begin) - begin));
}

// What libbpf could not load: a program that the kernel refused, or whose hook the kernel's types
// do not have; or a map.
std::string refused_part(std::string_view log) {
    for (const auto& [kind, said] : {std::pair{"prog '", "program load failed"},
                                     std::pair{"prog '", "failed to prepare load attributes"},
                                     std::pair{"map '", "failed to create"}}) {
        if (auto name = name_before(log, kind, said); !name.empty()) {
            return name;
        }
    }
    return {};
}

}  // namespace

void BpfObjectDeleter::operator()(bpf_object* object) const noexcept {
    bpf_object__close(object);
}

void BpfLinkDeleter::operator()(bpf_link* link) const noexcept {
    bpf_link__destroy(link);
}

LoadFailure BpfObject::failed(int error,
                              std::string program,
                              std::string log,
                              bool attaching) const {
    auto symptoms = observe(error, std::move(program), std::move(log));
    symptoms.attaching = attaching;
    symptoms.needs_net_admin = options_.needs_net_admin;
    return classify(symptoms);
}

BpfObject::Loaded<void> BpfObject::reopen() {
    std::string log;
    const Listening listening(log);
    bpf_object_open_opts opts{};
    opts.sz = sizeof(opts);
    opts.object_name = "vigia";
    if (!options_.btf_file.empty()) {
        opts.btf_custom_path = options_.btf_file.c_str();
    }
    object_.reset(bpf_object__open_mem(bytes_.data(), bytes_.size(), &opts));
    if (!object_) {
        return std::unexpected(failed(errno, {}, log, false));
    }
    for (const auto& name : setup_.left_out) {
        if (auto* program = bpf_object__find_program_by_name(object_.get(), name.c_str())) {
            bpf_program__set_autoload(program, false);
        } else if (auto* map = bpf_object__find_map_by_name(object_.get(), name.c_str())) {
            bpf_map__set_autocreate(map, false);
        }
    }
    for (const auto& [name, entries] : setup_.entries) {
        if (auto* map = bpf_object__find_map_by_name(object_.get(), name.c_str())) {
            bpf_map__set_max_entries(map, entries);
        }
    }
    for (const auto& [name, fd] : setup_.shared) {
        auto* map = bpf_object__find_map_by_name(object_.get(), name.c_str());
        if (map == nullptr || bpf_map__reuse_fd(map, fd) != 0) {
            return std::unexpected(failed(errno, name, log, false));
        }
    }
    return {};
}

BpfObject::Loaded<BpfObject> BpfObject::open(std::span<const std::byte> bytes,
                                             const Options& options) {
    BpfObject object(nullptr, options);
    object.bytes_ = bytes;
    if (auto opened = object.reopen(); !opened) {
        return std::unexpected(std::move(opened).error());
    }
    return object;
}

void BpfObject::leave_out(const char* program) {
    setup_.left_out.emplace_back(program);
}

void BpfObject::set_max_entries(const char* map, std::uint32_t entries) {
    setup_.entries.emplace_back(map, entries);
}

BpfObject::Loaded<void> BpfObject::share(const char* map, const BpfObject& other) {
    const int fd = other.map(map);
    if (fd < 0) {
        return std::unexpected(failed(ENOENT, map, {}, false));
    }
    setup_.shared.emplace_back(map, fd);
    return {};
}

BpfObject::Loaded<void> BpfObject::load_once(std::string& refused) {
    // An object whose load failed cannot be loaded again: each try is a new one.
    if (auto opened = reopen(); !opened) {
        return opened;
    }
    std::string log;
    const Listening listening(log);
    const int error = bpf_object__load(object_.get());
    if (error == 0) {
        return {};
    }
    refused = refused_part(log);
    return std::unexpected(failed(-error, refused, log, false));
}

BpfObject::Loaded<void> BpfObject::load(std::span<const std::string_view> optional,
                                        std::vector<LoadFailure>& missing) {
    while (true) {
        std::string refused;
        auto loaded = load_once(refused);
        if (loaded || std::ranges::find(optional, refused) == optional.end()) {
            return loaded;
        }
        missing.push_back(std::move(loaded).error());
        leave_out(refused.c_str());  // each at most once: it ends
    }
}

bool BpfObject::has(const char* program) const {
    auto* found = bpf_object__find_program_by_name(object_.get(), program);
    return found != nullptr && bpf_program__fd(found) >= 0;
}

int BpfObject::map(const char* name) const {
    return bpf_object__find_map_fd_by_name(object_.get(), name);
}

int BpfObject::program(const char* name) const {
    auto* found = bpf_object__find_program_by_name(object_.get(), name);
    return found != nullptr ? bpf_program__fd(found) : -1;
}

BpfObject::Loaded<BpfLink> BpfObject::attach(const char* program) const {
    std::string log;
    const Listening listening(log);
    auto* found = bpf_object__find_program_by_name(object_.get(), program);
    BpfLink link(found != nullptr ? bpf_program__attach(found) : nullptr);
    if (!link) {
        return std::unexpected(failed(found != nullptr ? errno : ENOENT, program, log, true));
    }
    return link;
}

BpfObject::Loaded<BpfLink> BpfObject::attach_cgroup(const char* program, int cgroup) const {
    std::string log;
    const Listening listening(log);
    auto* found = bpf_object__find_program_by_name(object_.get(), program);
    BpfLink link(found != nullptr ? bpf_program__attach_cgroup(found, cgroup) : nullptr);
    if (!link) {
        return std::unexpected(failed(found != nullptr ? errno : ENOENT, program, log, true));
    }
    return link;
}

BpfObject::Loaded<UniqueFd> BpfObject::run_iterator(const char* program) const {
    std::string log;
    const Listening listening(log);
    auto* found = bpf_object__find_program_by_name(object_.get(), program);
    const BpfLink link(found != nullptr ? bpf_program__attach_iter(found, nullptr) : nullptr);
    if (!link) {
        return std::unexpected(failed(found != nullptr ? errno : ENOENT, program, log, true));
    }
    UniqueFd fd(bpf_iter_create(bpf_link__fd(link.get())));
    if (!fd) {
        return std::unexpected(failed(errno, program, log, true));
    }
    return fd;
}

std::uint64_t BpfObject::missed_runs() const {
    std::uint64_t missed = 0;
    bpf_program* program = nullptr;
    while ((program = bpf_object__next_program(object_.get(), program)) != nullptr) {
        bpf_prog_info info{};
        std::uint32_t size = sizeof(info);
        const int fd = bpf_program__fd(program);
        if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0) {
            missed += info.recursion_misses;
        }
    }
    return missed;
}

}  // namespace vigia::sensors
