// SPDX-License-Identifier: GPL-2.0-or-later
#ifdef VIGIA_TEST_HOOKS

#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string>

#include "base/escape_proof.h"
#include "base/unique_fd.h"

namespace vigia::escape {
namespace {

constexpr std::size_t kPage = 4096;
constexpr int kNetlink = 16;    // AF_NETLINK
constexpr int kPacket = 17;     // AF_PACKET
constexpr int kAlgorithm = 38;  // AF_ALG
constexpr int kVsock = 40;      // AF_VSOCK

// A descriptor that came to be is an escape, and is closed.
bool opened(long descriptor) {
    return static_cast<bool>(UniqueFd{static_cast<int>(descriptor)});
}

bool opens_socket(int family, int type) {
    return opened(::socket(family, type | SOCK_CLOEXEC, 0));
}

bool maps_executable(int protection) {
    void* memory =
        ::mmap(nullptr, kPage, protection | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    ::munmap(memory, kPage);
    return true;
}

// `number`: mprotect, or pkey_mprotect without a key.
bool makes_executable(long number) {
    void* memory =
        ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    const bool made = ::syscall(number, memory, kPage, PROT_READ | PROT_EXEC, -1) == 0;
    ::munmap(memory, kPage);
    return made;
}

bool shares_executable(const Target& /*target*/) {
    const int id = ::shmget(IPC_PRIVATE, kPage, IPC_CREAT | 0700);
    if (id < 0) {
        return false;
    }
    ::shmctl(id, IPC_RMID, nullptr);
    return true;
}

bool connects(const Target& /*target*/) {
    const UniqueFd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(9);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return socket &&
           ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
               0;
}

// Without an address the kernel would choose an abstract one.
bool binds(const Target& target) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    return ::bind(target.socket,
                  reinterpret_cast<const sockaddr*>(&address),
                  sizeof address.sun_family) == 0;
}

bool loads_bpf(const Target& /*target*/) {
    bpf_attr attributes{};
    attributes.map_type = BPF_MAP_TYPE_ARRAY;
    attributes.key_size = sizeof(std::uint32_t);
    attributes.value_size = sizeof(std::uint32_t);
    attributes.max_entries = 1;
    return opened(::syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes));
}

bool counts_events(const Target& /*target*/) {
    perf_event_attr attributes{};
    attributes.type = PERF_TYPE_SOFTWARE;
    attributes.size = sizeof attributes;
    attributes.config = PERF_COUNT_SW_DUMMY;
    attributes.exclude_kernel = 1;
    return opened(::syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}

constexpr auto kAttempts = std::to_array<Attempt>({
    {"map_executable", [](auto&) { return maps_executable(PROT_READ); }},
    {"map_writable_executable", [](auto&) { return maps_executable(PROT_READ | PROT_WRITE); }},
    {"make_executable", [](auto&) { return makes_executable(SYS_mprotect); }},
    {"make_executable_by_key", [](auto&) { return makes_executable(SYS_pkey_mprotect); }},
    {"share_executable", shares_executable},
    {"memory_file", [](auto&) { return opened(::memfd_create("escape", MFD_CLOEXEC)); }},
    {"secret_memory", [](auto&) { return opened(::syscall(SYS_memfd_secret, 0)); }},
    {"read_implies_execute", [](auto&) { return ::personality(READ_IMPLIES_EXEC) >= 0; }},
    {"socket_inet", [](auto&) { return opens_socket(AF_INET, SOCK_STREAM); }},
    {"socket_inet6", [](auto&) { return opens_socket(AF_INET6, SOCK_DGRAM); }},
    {"socket_unix", [](auto&) { return opens_socket(AF_UNIX, SOCK_STREAM); }},
    {"socket_netlink", [](auto&) { return opens_socket(kNetlink, SOCK_RAW); }},
    {"socket_packet", [](auto&) { return opens_socket(kPacket, SOCK_RAW); }},
    {"socket_algorithm", [](auto&) { return opens_socket(kAlgorithm, SOCK_SEQPACKET); }},
    {"socket_vsock", [](auto&) { return opens_socket(kVsock, SOCK_STREAM); }},
    {"connect", connects},
    {"bind", binds},
    {"listen", [](auto& t) { return ::listen(t.socket, 1) == 0; }},
    {"set_socket_option",
     [](auto& t) {
         const int size = 1 << 20;
         return ::setsockopt(t.socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0;
     }},
    {"bpf", loads_bpf},
    {"perf_event", counts_events},
    {"userfaultfd", [](auto&) { return opened(::syscall(SYS_userfaultfd, 1)); }},
    {"io_uring",
     [](auto&) {
         io_uring_params parameters{};
         return opened(::syscall(SYS_io_uring_setup, 1, &parameters));
     }},
    {"add_key",
     [](auto&) { return ::syscall(SYS_add_key, "user", "vigia-escape", "x", 1UL, -2L) >= 0; }},
    {"keyring", [](auto&) { return ::syscall(SYS_keyctl, 0, -3, 0, 0, 0) >= 0; }},
    {"load_module", [](auto& t) { return ::syscall(SYS_finit_module, t.file, "", 0) == 0; }},
    {"set_time", [](auto&) { return ::syscall(SYS_settimeofday, nullptr, nullptr) == 0; }},
    {"adjust_time",
     [](auto&) {
         timex nothing{};
         return ::adjtimex(&nothing) >= 0;
     }},
    {"kernel_log", [](auto&) { return ::klogctl(10, nullptr, 0) >= 0; }},
    {"inotify", [](auto&) { return opened(::inotify_init1(IN_CLOEXEC)); }},
    {"fanotify", [](auto&) { return opened(::syscall(SYS_fanotify_init, 0x201, 0)); }},
    {"message_queue", [](auto&) { return ::msgget(IPC_PRIVATE, 0700) >= 0; }},
    {"semaphore", [](auto&) { return ::semget(IPC_PRIVATE, 1, 0700) >= 0; }},
    {"new_filter",
     [](auto&) {
         const unsigned action = SECCOMP_RET_ALLOW;
         return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
     }},
    {"new_landlock_rules",
     [](auto&) { return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1) >= 0; }},
    {"host_name", [](auto&) { return ::sethostname("escape", 6) == 0; }},
});

}  // namespace

std::span<const Attempt> attempts_on_kernel() {
    return kAttempts;
}

}  // namespace vigia::escape

#endif
