// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/unique_fd.h"
#include "model/file_identity.h"
#include "scan/hash_service.h"
#include "scan/scan_service.h"

// The services of the child processes, done in this process: for tests and benchmarks of what uses
// them. They read the descriptor they are given and nothing else. Thread-safe.
namespace vigia::scan::in_process {

[[nodiscard]] inline std::string content_of(int file) {
    std::string content;
    std::array<char, 65536> chunk{};
    ssize_t got = 0;
    while ((got = ::pread(file, chunk.data(), chunk.size(), static_cast<off_t>(content.size()))) >
           0) {
        content.append(chunk.data(), static_cast<std::size_t>(got));
    }
    return content;
}

class Hasher final : public HashService {
public:
    // Called after each digest, before it is returned.
    std::function<void()> after = {};
    std::atomic<bool> broken = false;
    std::atomic<unsigned> calls = 0;

    [[nodiscard]] Result<Digest> hash(int file, std::chrono::milliseconds /*timeout*/) override {
        ++calls;
        if (broken) {
            return fail(std::errc::timed_out, "hash");
        }
        const std::string content = content_of(file);
        Digest digest{.sha256 = {}, .size = content.size()};
        unsigned length = 0;
        ::EVP_Digest(content.data(),
                     content.size(),
                     reinterpret_cast<unsigned char*>(digest.sha256.bytes.data()),
                     &length,
                     ::EVP_sha256(),
                     nullptr);
        if (after) {
            after();
        }
        return digest;
    }
};

// Infected is what contains the marker.
class Engine final : public ScanService {
public:
    static constexpr std::string_view kMarker = "marker-of-the-in-process-engine";

    // Called at the start of each scan, before the content is read; a verdict from it is the
    // answer.
    std::function<std::optional<Verdict>(const Request&)> before = {};
    std::atomic<unsigned> calls = 0;

    [[nodiscard]] Verdict scan(const Request& request) override {
        ++calls;
        if (before) {
            if (auto verdict = before(request)) {
                return *std::move(verdict);
            }
        }
        if (content_of(request.file).contains(kMarker)) {
            return {.kind = VerdictKind::Infected, .threat = "In.Process.Marker"};
        }
        return {.kind = VerdictKind::Clean};
    }

    void load(DefinitionSet /*set*/) override {}

    void set_workers(unsigned /*count*/) override {}

    void stop() override {}

    [[nodiscard]] State state() const override {
        State ready;
        ready.state = "ready";
        return ready;
    }
};

// Nothing (empty handle) where the file system cannot encode handles.
[[nodiscard]] inline ObjectId object_of(int file) {
    struct Buffer {
        alignas(file_handle) std::array<char, sizeof(file_handle) + MAX_HANDLE_SZ> bytes{};
    } buffer;

    auto* handle = reinterpret_cast<file_handle*>(buffer.bytes.data());
    handle->handle_bytes = MAX_HANDLE_SZ;
    int mount = 0;
    struct statfs info{};
    if (::name_to_handle_at(file, "", handle, &mount, AT_EMPTY_PATH) < 0 ||
        ::fstatfs(file, &info) < 0) {
        return {};
    }
    ObjectId object;
    std::array<std::uint32_t, 2> words{};
    static_assert(sizeof words == sizeof info.f_fsid);
    std::memcpy(words.data(), &info.f_fsid, sizeof words);
    object.fs = {.word0 = words[0], .word1 = words[1]};
    object.handle = {.type = handle->handle_type,
                     .bytes = std::string(buffer.bytes.data() + offsetof(file_handle, f_handle),
                                          handle->handle_bytes)};
    return object;
}

}  // namespace vigia::scan::in_process
