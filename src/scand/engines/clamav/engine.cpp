// SPDX-License-Identifier: GPL-2.0-or-later
#include "scand/engines/clamav/engine.h"

#include <clamav.h>
#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <new>
#include <utility>

#include "scand/engines/clamav/messages.h"

namespace vigia::scand {
namespace {

// Indices into wire::kLoadFailures.
enum class Cause : std::uint32_t { Rejected = 0, NoDefinitions = 1, OutOfMemory = 2 };

// libclamav's own defaults, raised for a file that policy allows to be larger.
constexpr std::int64_t kMaxFileSize = std::int64_t{100} << 20U;
constexpr std::int64_t kMaxScanSize = std::int64_t{400} << 20U;
constexpr std::int64_t kScanSizePerFileSize = 4;
constexpr std::uint64_t kLargestFile = 0x7fffffff;  // libclamav's offsets are 32 bits in places

constexpr int kMaxRecursion = 17;
constexpr int kMaxFilesInOne = 10'000;
constexpr int kMaxScanMilliseconds = 100'000;  // below the daemon's deadline of 120 s, so that a
                                               // slow file ends with an answer and a living worker

constexpr unsigned kDatabaseOptions = CL_DB_PHISHING | CL_DB_BYTECODE;
constexpr std::uint32_t kClean = 0;  // ScanDone::outcome
constexpr std::uint32_t kInfected = 1;
constexpr std::uint32_t kError = 2;

constexpr std::string_view kNothingToLoad = "No supported database files found";
constexpr std::string_view kLimitExceeded = "Heuristics.Limits.Exceeded";

std::unexpected<wire::LoadFailed> failed(Cause cause, std::string file, std::string message) {
    return std::unexpected(wire::LoadFailed{.cause = std::to_underlying(cause),
                                            .file = std::move(file),
                                            .message = std::move(message)});
}

std::unexpected<wire::LoadFailed> failed(cl_error_t code, const MessageCapture& said) {
    const auto cause = code == CL_EMEM ? Cause::OutOfMemory : Cause::Rejected;
    auto words = said.words();
    return failed(cause, said.file(), words.empty() ? ::cl_strerror(code) : std::move(words));
}

cl_error_t configure(cl_engine* engine, const std::string& temporary_folder) {
    const std::pair<cl_engine_field, long long> settings[] = {
        {CL_ENGINE_BYTECODE_MODE, CL_BYTECODE_MODE_INTERPRETER},  // nothing maps new code
        {CL_ENGINE_BYTECODE_SECURITY, CL_BYTECODE_TRUST_SIGNED},
        // Keyed by MD5, which an attacker can collide; the daemon caches by SHA-256.
        {CL_ENGINE_DISABLE_CACHE, 1},
        {CL_ENGINE_MAX_RECURSION, kMaxRecursion},
        {CL_ENGINE_MAX_FILES, kMaxFilesInOne},
        {CL_ENGINE_MAX_SCANTIME, kMaxScanMilliseconds},
    };
    for (const auto& [field, value] : settings) {
        if (const auto code = ::cl_engine_set_num(engine, field, value); code != CL_SUCCESS) {
            return code;
        }
    }
    return ::cl_engine_set_str(engine, CL_ENGINE_TMPDIR, temporary_folder.c_str());
}

std::int64_t newest_build(const std::string& folder) {
    std::int64_t newest = 0;
    DIR* entries = ::opendir(folder.c_str());
    if (entries == nullptr) {
        return newest;
    }
    // The folder is ours alone, and one thread reads it.
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
    while (const dirent* entry = ::readdir(entries)) {
        const std::string_view name(entry->d_name);
        if (!name.ends_with(".cvd") && !name.ends_with(".cld")) {
            continue;
        }
        if (cl_cvd* header = ::cl_cvdhead((folder + "/" + entry->d_name).c_str())) {
            newest = std::max(newest, static_cast<std::int64_t>(header->stime));
            ::cl_cvdfree(header);
        }
    }
    ::closedir(entries);
    return newest;
}

cl_scan_options options_for(const Engine::Request& request) {
    cl_scan_options options{};
    options.parse = CL_SCAN_PARSE_ELF | CL_SCAN_PARSE_PDF | CL_SCAN_PARSE_SWF | CL_SCAN_PARSE_HWP3 |
                    CL_SCAN_PARSE_XMLDOCS | CL_SCAN_PARSE_MAIL | CL_SCAN_PARSE_OLE2 |
                    CL_SCAN_PARSE_HTML | CL_SCAN_PARSE_PE | CL_SCAN_PARSE_ONENOTE |
                    CL_SCAN_PARSE_IMAGE | CL_SCAN_PARSE_IMAGE_FUZZY_HASH;
    if (request.archives) {
        options.parse |= CL_SCAN_PARSE_ARCHIVE;
    }
    // Only so is a limit told at all; it is reported as what it is, and never hides a detection.
    options.heuristic = CL_SCAN_HEURISTIC_EXCEEDS_MAX;
    return options;
}

void judge(cl_error_t code, const char* name, wire::ScanDone& done) {
    const std::string_view threat = name == nullptr ? "" : name;
    if (code == CL_VIRUS && !threat.starts_with(kLimitExceeded)) {
        done.outcome = kInfected;
        done.text = threat;
    } else if (code == CL_VIRUS || code == CL_EMAXREC || code == CL_EMAXSIZE ||
               code == CL_EMAXFILES) {
        done.outcome = kClean;
        done.limit_hit = 1;
        done.text = threat;
    } else if (code == CL_CLEAN || code == CL_VERIFIED) {
        done.outcome = kClean;
    } else {
        done.outcome = kError;
        done.limit_hit = code == CL_ETIMEOUT ? 1 : 0;
        done.engine_error = code;
        done.text = ::cl_strerror(code);
    }
}

}  // namespace

void Engine::Free::operator()(cl_engine* engine) const noexcept {
    ::cl_engine_free(engine);
}

Result<> Engine::initialise() {
    take_messages_of_libclamav();
    if (const auto code = ::cl_init(CL_INIT_DEFAULT); code != CL_SUCCESS) {
        return fail(std::errc::io_error,
                    std::string("initialise libclamav: ") + ::cl_strerror(code));
    }
    return {};
}

std::string Engine::version() {
    return ::cl_retver();
}

std::expected<Engine, wire::LoadFailed> Engine::load(std::span<const std::string> folders,
                                                     const std::string& temporary_folder) {
    try {
        return load_all(folders, temporary_folder);
    } catch (const std::bad_alloc&) {
        return failed(Cause::OutOfMemory, {}, "no memory for the definitions");
    }
}

std::expected<Engine, wire::LoadFailed> Engine::load_all(std::span<const std::string> folders,
                                                         const std::string& temporary_folder) {
    Engine engine(::cl_engine_new());
    if (!engine.engine_) {
        return failed(Cause::OutOfMemory, {}, "no memory for an engine");
    }
    const MessageCapture said;
    if (const auto code = configure(engine.engine_.get(), temporary_folder); code != CL_SUCCESS) {
        return failed(code, said);
    }
    for (const auto& folder : folders) {
        const MessageCapture said_here;
        unsigned count = 0;
        const auto code = ::cl_load(folder.c_str(), engine.engine_.get(), &count, kDatabaseOptions);
        const bool empty = code == CL_EOPEN && said_here.words().contains(kNothingToLoad);
        if (code != CL_SUCCESS && !empty) {
            return failed(code, said_here);
        }
        engine.signatures_ += count;
        engine.built_unix_ = std::max(engine.built_unix_, newest_build(folder));
    }
    if (engine.signatures_ == 0) {
        return failed(Cause::NoDefinitions, {}, "there is no signature in the definition folders");
    }
    if (const auto code = ::cl_engine_compile(engine.engine_.get()); code != CL_SUCCESS) {
        return failed(code, said);
    }
    return engine;
}

Result<> Engine::use_temporary_folder(const std::string& folder) {
    const auto code = ::cl_engine_set_str(engine_.get(), CL_ENGINE_TMPDIR, folder.c_str());
    if (code != CL_SUCCESS) {
        return fail(std::errc::not_enough_memory, "set the temporary folder");
    }
    return {};
}

wire::ScanDone Engine::scan(const Request& request) {
    wire::ScanDone done;
    if (request.size > kLargestFile) {
        done.outcome = kError;
        done.limit_hit = 1;
        done.engine_error = CL_EMAXSIZE;
        done.text = "larger than libclamav can scan (2 GiB)";
        return done;
    }
    const auto size = static_cast<std::int64_t>(request.size);
    ::cl_engine_set_num(engine_.get(), CL_ENGINE_MAX_FILESIZE, std::max(kMaxFileSize, size));
    ::cl_engine_set_num(
        engine_.get(), CL_ENGINE_MAX_SCANSIZE, std::max(kMaxScanSize, kScanSizePerFileSize * size));
    auto options = options_for(request);
    const char* threat = nullptr;
    unsigned long blocks = 0;
    const auto code = ::cl_scandesc_callback(
        request.file, nullptr, &threat, &blocks, engine_.get(), &options, nullptr);
    done.bytes_scanned = std::uint64_t{blocks} * CL_COUNT_PRECISION;
    judge(code, threat, done);
    return done;
}

}  // namespace vigia::scand
