// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "model/file_identity.h"
#include "model/policy.h"
#include "model/verdict.h"
#include "scan/hash_service.h"
#include "scan/haste.h"
#include "scan/scan_service.h"
#include "scan/verdict_cache.h"

namespace vigia::scan {

// An object whose judgement is wanted.
struct Subject {
    UniqueFd file;         // O_RDONLY | O_NONBLOCK on a regular file, checked by the opener
    ObjectId object = {};  // empty handle bytes: no identity, so no identity cache
    bool truthful_identity = false;    // file system where hard-parts 2 allows the identity cache
    bool persistent_identity = false;  // fixed block device: entries may outlive a restart
    bool must_rehash = false;          // CLOSE_WRITE without proof that no writer existed
    bool still_written = false;        // judged, but nothing about it is cached by identity
    bool urgent = false;
    Haste haste = Haste::Asked;  // how much its scan may get in others' way
    std::string path_hint = {};
};

// What was judged: the verdict and the state of the object it is true of.
struct Examination {
    Verdict verdict;
    FileIdentity identity;  // from statx before hashing
    bool stable = false;    // statx after the engine was identical, and nobody could write
                            // (after a hit in the identity cache: nobody can write now;
                            // asked for urgent subjects only, else false)
    std::chrono::nanoseconds engine_time = {};  // of a worker, for this one; zero: it was not asked
};

// Identity cache → size limit → sealed copy of small files → SHA-256 → allow/block list → content
// cache → engine, in this order, and what of it may be remembered (hard-parts 2). The lists (block
// before allow) are asked at an identity hit too, by the hash known for it. Empty files are clean
// without the engine; what is larger than files.max_file_size is Unscannable `too-large`, not
// hashed. Failed: `not-a-file`, `read-error`, or what the service says. What could not be hashed is
// scanned all the same, has no sha256 and is not remembered. Equal content met by several lanes at
// once goes to the engine once. Thread-safe; blocking, so called on lanes only.
class Examiner {
public:
    Examiner(ScanService& service, HashService& hasher, VerdictCache& cache);
    Examiner(const Examiner&) = delete;
    Examiner& operator=(const Examiner&) = delete;
    ~Examiner();

    [[nodiscard]] Examination examine(const Subject& subject, const Policy& policy);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Nobody has the object open for writing or mapped writable: F_SETLEASE F_RDLCK is granted, and
// released at once. False where the file system cannot say. `file` must be open read-only, and ours
// or CAP_LEASE held. Who opens it for writing in that microsecond waits for the release (with
// O_NONBLOCK: gets EWOULDBLOCK); the signal that the kernel then sends to us is set to SIGURG on
// this descriptor, which nobody handles. Overlayfs lies.
[[nodiscard]] bool has_no_writer(int file);

// The file system is one where equal identities mean equal content (ext2/3/4, xfs, btrfs, f2fs).
// Measured on tmpfs (6.18): a page read through a new writable mapping is written afterwards
// without any change of ctime, even with no writer before and after; so tmpfs is not one of them.
// The examiner asks this itself besides Subject::truthful_identity.
[[nodiscard]] bool identity_is_truthful(int file);

}  // namespace vigia::scan
