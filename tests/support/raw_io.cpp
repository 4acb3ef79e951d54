// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/raw_io.h"

#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <system_error>

#include "base/unique_fd.h"

namespace vigia::test {
namespace {

std::string refused(const char* what, int error) {
    return std::string(what) + ": " + std::system_category().message(error);
}

std::string check_written(std::int64_t result, std::size_t wanted) {
    if (result < 0) {
        return refused("write", static_cast<int>(-result));
    }
    return static_cast<std::size_t>(result) == wanted ? "" : "short write";
}

class Mapping {
public:
    Mapping(int fd, std::size_t size, off_t offset)
        : size_(size),
          start_(::mmap(
              nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset)) {}

    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;

    ~Mapping() {
        if (is_good()) {
            ::munmap(start_, size_);
        }
    }

    [[nodiscard]] bool is_good() const { return start_ != MAP_FAILED; }

    template <typename Value>
    [[nodiscard]] Value* at(std::size_t offset) const {
        return reinterpret_cast<Value*>(static_cast<char*>(start_) + offset);
    }

private:
    std::size_t size_;
    void* start_;
};

void put(std::uint32_t* place, std::uint32_t value) {
    std::atomic_ref(*place).store(value, std::memory_order_release);
}

}  // namespace

std::string write_by_aio(int fd, std::string_view content) {
    aio_context_t context = 0;
    if (::syscall(SYS_io_setup, 1, &context) < 0) {
        return refused("io_setup", errno);
    }
    iocb request{};
    request.aio_fildes = static_cast<std::uint32_t>(fd);
    request.aio_lio_opcode = IOCB_CMD_PWRITE;
    request.aio_buf = reinterpret_cast<std::uint64_t>(content.data());
    request.aio_nbytes = content.size();
    iocb* requests = &request;
    io_event done{};
    std::string problem;
    if (::syscall(SYS_io_submit, context, 1, &requests) != 1) {
        problem = refused("io_submit", errno);
    } else if (::syscall(SYS_io_getevents, context, 1, 1, &done, nullptr) != 1) {
        problem = refused("io_getevents", errno);
    } else {
        problem = check_written(done.res, content.size());
    }
    ::syscall(SYS_io_destroy, context);
    return problem;
}

std::string write_by_io_uring(int fd, std::string_view content) {
    io_uring_params parameters{};
    const UniqueFd ring(static_cast<int>(::syscall(SYS_io_uring_setup, 1, &parameters)));
    if (!ring) {
        return refused("io_uring_setup", errno);
    }
    const auto& sq = parameters.sq_off;
    const auto& cq = parameters.cq_off;
    const Mapping submissions(
        ring.get(), sq.array + parameters.sq_entries * sizeof(std::uint32_t), IORING_OFF_SQ_RING);
    const Mapping completions(
        ring.get(), cq.cqes + parameters.cq_entries * sizeof(io_uring_cqe), IORING_OFF_CQ_RING);
    const Mapping entries(
        ring.get(), parameters.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES);
    if (!submissions.is_good() || !completions.is_good() || !entries.is_good()) {
        return refused("mmap of the ring", errno);
    }
    auto* entry = entries.at<io_uring_sqe>(0);
    std::memset(entry, 0, sizeof *entry);
    entry->opcode = IORING_OP_WRITE;
    entry->fd = fd;
    entry->addr = reinterpret_cast<std::uint64_t>(content.data());
    entry->len = static_cast<std::uint32_t>(content.size());
    *submissions.at<std::uint32_t>(sq.array) = 0;
    put(submissions.at<std::uint32_t>(sq.tail), 1);
    if (::syscall(SYS_io_uring_enter, ring.get(), 1, 1, IORING_ENTER_GETEVENTS, nullptr, 0) != 1) {
        return refused("io_uring_enter", errno);
    }
    const auto* done = completions.at<io_uring_cqe>(cq.cqes);
    const std::int64_t result = done->res;
    put(completions.at<std::uint32_t>(cq.head), 1);
    return check_written(result, content.size());
}

}  // namespace vigia::test
