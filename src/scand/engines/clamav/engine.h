// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/scan_protocol.h"

struct cl_engine;

namespace vigia::scand {

// libclamav with one set of definitions. Not thread-safe; after a fork parent and child each have
// their own, in shared memory.
class Engine {
public:
    // Initialises libclamav, once per process, before the sandbox.
    [[nodiscard]] static Result<> initialise();

    // Loads every definition file of these folders and makes the engine ready. The failure is what
    // the daemon is told: the file as its name in the folder, and libclamav's own words.
    [[nodiscard]] static std::expected<Engine, wire::LoadFailed> load(
        std::span<const std::string> folders, const std::string& temporary_folder);

    [[nodiscard]] std::uint64_t signatures() const noexcept { return signatures_; }

    // When the newest signed database (CVD) says it was built, Unix time; 0: there is none.
    [[nodiscard]] std::int64_t built_unix() const noexcept { return built_unix_; }

    // libclamav's: "1.4.6"
    [[nodiscard]] static std::string version();

    // Where the files unpacked in the next scans go.
    [[nodiscard]] Result<> use_temporary_folder(const std::string& folder);

    struct Request {
        int file = -1;  // a regular file or a memfd; its position is left alone
        std::uint64_t size = 0;
        bool archives = true;  // look into them
    };

    // The answer, without its id. A limit that stopped the engine is `limit_hit`, never a
    // detection; an error is never "clean".
    [[nodiscard]] wire::ScanDone scan(const Request& request);

private:
    struct Free {
        void operator()(cl_engine* engine) const noexcept;
    };

    static std::expected<Engine, wire::LoadFailed> load_all(std::span<const std::string> folders,
                                                            const std::string& temporary_folder);

    explicit Engine(cl_engine* engine) noexcept : engine_(engine) {}

    std::unique_ptr<cl_engine, Free> engine_;
    std::uint64_t signatures_ = 0;
    std::int64_t built_unix_ = 0;
};

}  // namespace vigia::scand
