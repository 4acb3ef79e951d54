// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "sensors/ebpf/load_failure.h"
#include "sensors/ebpf/record_source.h"

struct bpf_link;
struct bpf_map;
struct bpf_object;
struct bpf_program;

namespace vigia::sensors {

struct BpfObjectDeleter {
    void operator()(bpf_object* object) const noexcept;
};

// Detaches.
struct BpfLinkDeleter {
    void operator()(bpf_link* link) const noexcept;
};

using BpfLink = std::unique_ptr<bpf_link, BpfLinkDeleter>;

// The objects built from bpf/.
[[nodiscard]] std::span<const std::byte> process_object(Delivery delivery);
[[nodiscard]] std::span<const std::byte> network_object(Delivery delivery);

// One object of the kernel side. Not thread-safe.
class BpfObject {
public:
    template <typename T>
    using Loaded = std::expected<T, LoadFailure>;

    struct Options {
        std::string btf_file = {};     // instead of the kernel's own BTF
        bool needs_net_admin = false;  // to name the right capability
    };

    [[nodiscard]] static Loaded<BpfObject> open(std::span<const std::byte> bytes,
                                                const Options& options);

    // Before load(): this program is not loaded.
    void leave_out(const char* program);
    void set_max_entries(const char* map, std::uint32_t entries);
    // The map is the other object's, which must be loaded.
    [[nodiscard]] Loaded<void> share(const char* map, const BpfObject& other);

    // A program or map among `optional` that the kernel refuses is left out and told in `missing`;
    // a program that uses such a map is then refused as well.
    [[nodiscard]] Loaded<void> load(std::span<const std::string_view> optional,
                                    std::vector<LoadFailure>& missing);

    // After load().
    [[nodiscard]] bool has(const char* program) const;
    [[nodiscard]] int map(const char* name) const;      // descriptor; the object keeps it
    [[nodiscard]] int program(const char* name) const;  // the same
    [[nodiscard]] Loaded<BpfLink> attach(const char* program) const;
    [[nodiscard]] Loaded<BpfLink> attach_cgroup(const char* program, int cgroup) const;
    [[nodiscard]] Loaded<UniqueFd> run_iterator(const char* program) const;
    // Times that programs did not run because they already ran on that processor.
    [[nodiscard]] std::uint64_t missed_runs() const;

private:
    BpfObject(std::unique_ptr<bpf_object, BpfObjectDeleter> object, Options options)
        : object_(std::move(object)), options_(std::move(options)) {}

    [[nodiscard]] Loaded<void> load_once(std::string& refused);
    [[nodiscard]] LoadFailure failed(int error,
                                     std::string program,
                                     std::string log,
                                     bool attaching) const;
    [[nodiscard]] Loaded<void> reopen();

    std::unique_ptr<bpf_object, BpfObjectDeleter> object_;
    Options options_;
    std::span<const std::byte> bytes_ = {};

    struct Setup {
        std::vector<std::string> left_out;  // programs and maps
        std::vector<std::pair<std::string, std::uint32_t>> entries;
        std::vector<std::pair<std::string, int>> shared;  // descriptors of the other object
    } setup_ = {};
};

}  // namespace vigia::sensors
