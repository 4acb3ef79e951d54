// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/fuse_server.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>
#include <vector>

namespace vigia::test {
namespace {

constexpr std::uint64_t kFileNode = 2;  // the root is 1

fuse_attr attributes_of(std::uint64_t node) {
    fuse_attr attributes{};
    attributes.ino = node;
    attributes.mode = node == kFileNode ? S_IFREG | 0644 : S_IFDIR | 0755;
    attributes.nlink = 1;
    attributes.blksize = 4096;
    return attributes;
}

template <typename Struct>
std::span<const char> bytes_of(const Struct& value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
}

template <typename Struct>
Struct body_of(std::span<const char> request) {
    Struct value{};
    const auto body = request.subspan(sizeof(fuse_in_header));
    std::memcpy(&value, body.data(), std::min(sizeof value, body.size()));
    return value;
}

}  // namespace

FuseServer::FuseServer(const std::filesystem::path& point)
    : point_(point),
      device_(::open("/dev/fuse", O_RDWR | O_CLOEXEC)),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
    if (!device_) {
        problem_ = "open /dev/fuse: " + std::system_category().message(errno);
        return;
    }
    const auto options =
        "fd=" + std::to_string(device_.get()) + ",rootmode=40000,user_id=0,group_id=0";
    if (::mount("vigia-test", point.c_str(), "fuse", 0, options.c_str()) < 0) {
        problem_ = "mount: " + std::system_category().message(errno);
        return;
    }
    thread_ = std::thread([this] { serve(); });
}

FuseServer::~FuseServer() {
    if (!thread_.joinable()) {
        return;
    }
    ::umount2(point_.c_str(), MNT_DETACH);
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
    device_.reset();  // the last descriptor: all that waits gets ENOTCONN
}

void FuseServer::serve() {
    std::vector<char> buffer(FUSE_MIN_READ_BUFFER + 131'072);
    while (true) {
        std::array<pollfd, 2> waited{pollfd{.fd = device_.get(), .events = POLLIN, .revents = 0},
                                     pollfd{.fd = stop_.get(), .events = POLLIN, .revents = 0}};
        ::poll(waited.data(), waited.size(), -1);
        if (waited[1].revents != 0) {
            return;
        }
        const ssize_t got = ::read(device_.get(), buffer.data(), buffer.size());
        if (got >= static_cast<ssize_t>(sizeof(fuse_in_header))) {
            answer(std::span(buffer).first(static_cast<std::size_t>(got)));
        } else if (got < 0 && errno != EINTR && errno != EAGAIN && errno != ENOENT) {
            return;
        }
    }
}

void FuseServer::answer(std::span<const char> request) {
    fuse_in_header head{};
    std::memcpy(&head, request.data(), sizeof head);
    fuse_entry_out entry{};
    fuse_attr_out attributes{};
    switch (head.opcode) {
        case FUSE_INIT: {
            fuse_init_out out{};
            out.major = FUSE_KERNEL_VERSION;
            out.minor = 31;
            out.max_write = 131'072;
            return reply(head.unique, 0, bytes_of(out));
        }
        case FUSE_LOOKUP:
            if (std::string_view(request.data() + sizeof head) != "file") {
                return reply(head.unique, ENOENT, {});
            }
            entry.nodeid = kFileNode;
            entry.attr = attributes_of(kFileNode);
            return reply(head.unique, 0, bytes_of(entry));
        case FUSE_GETATTR:
        case FUSE_SETATTR:
            attributes.attr = attributes_of(head.nodeid);
            return reply(head.unique, 0, bytes_of(attributes));
        case FUSE_OPEN:
        case FUSE_OPENDIR: {
            const bool reads = (body_of<fuse_open_in>(request).flags & O_ACCMODE) == O_RDONLY;
            if (hangs_ && head.opcode == FUSE_OPEN && reads) {
                caught_ = true;
                return;
            }
            return reply(head.unique, 0, bytes_of(fuse_open_out{}));
        }
        case FUSE_WRITE: {
            fuse_write_out out{};
            out.size = body_of<fuse_write_in>(request).size;
            return reply(head.unique, 0, bytes_of(out));
        }
        case FUSE_READ:
        case FUSE_FLUSH:
        case FUSE_RELEASE:
        case FUSE_RELEASEDIR:
            return reply(head.unique, 0, {});
        case FUSE_FORGET:
        case FUSE_BATCH_FORGET:
        case FUSE_INTERRUPT:
            return;  // these want no answer
        default:
            return reply(head.unique, ENOSYS, {});
    }
}

void FuseServer::reply(std::uint64_t to, int error, std::span<const char> body) {
    fuse_out_header head{};
    head.len = static_cast<std::uint32_t>(sizeof head + body.size());
    head.error = -error;
    head.unique = to;
    const std::array<iovec, 2> parts{iovec{&head, sizeof head},
                                     iovec{const_cast<char*>(body.data()), body.size()}};
    (void)!::writev(device_.get(), parts.data(), parts.size());
}

}  // namespace vigia::test
