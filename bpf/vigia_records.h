/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel side tells the daemon, and the settings the daemon writes for it. Included by
 * both: fixed-width fields, host byte order, no padding that the compiler chooses, sizes asserted
 * below.
 *
 * Numbers: pid is the process (thread group) in the initial pid namespace. Times are nanoseconds of
 * CLOCK_BOOTTIME. A process is {pid, start}: the start time tells it from a later one of that
 * number.
 */
#ifndef VIGIA_RECORDS_H
#define VIGIA_RECORDS_H

#include <linux/types.h>

#define VIGIA_COMM_SIZE 16
#define VIGIA_ADDRESS_SIZE 16
#define VIGIA_EXEC_DATA_SIZE 4096
#define VIGIA_EXEC_PATH_SIZE 2048
#define VIGIA_EXEC_NAME_SIZE 512
#define VIGIA_EXEC_ARGS_SIZE 1024

/* What is accounted on its own: index into vigia_counters. */
enum vigia_class {
	VIGIA_CLASS_EXEC = 0,
	VIGIA_CLASS_FORK = 1,
	VIGIA_CLASS_EXIT = 2,
	VIGIA_CLASS_CONNECT = 3, /* TCP, established or failed */
	VIGIA_CLASS_ACCEPT = 4,	 /* TCP, established */
	VIGIA_CLASS_CLOSE = 5,	 /* TCP */
	VIGIA_CLASS_UDP = 6,	 /* a flow begins or ends */
	VIGIA_CLASS_OWNER = 7,	 /* an accepted connection turns out to be another process's */
	VIGIA_CLASS_BLOCK = 8,	 /* an address of the block list was met */
	VIGIA_CLASSES = 9,
};

/* Why an event is not delivered although nothing was lost. */
enum vigia_reason {
	VIGIA_REASON_POLICY = 0,   /* the class is not wanted */
	VIGIA_REASON_OVERLOAD = 1, /* the class is left out at this level */
	VIGIA_REASON_EXCLUDED = 2, /* an excluded process, or a child of one */
	VIGIA_REASON_LOOPBACK = 3,
	VIGIA_REASON_OWN = 4,	/* the daemon and its children */
	VIGIA_REASON_TABLE = 5, /* the table of UDP flows is full: this one is not followed */
	VIGIA_REASONS = 6,
};

enum vigia_kind {
	VIGIA_KIND_EXEC = 1,
	VIGIA_KIND_FORK = 2,
	VIGIA_KIND_EXIT = 3,
	VIGIA_KIND_CONNECT = 4,
	VIGIA_KIND_ACCEPT = 5,
	VIGIA_KIND_CLOSE = 6,
	VIGIA_KIND_UDP_BEGIN = 7,
	VIGIA_KIND_UDP_END = 8,
	VIGIA_KIND_OWNER = 9,
	VIGIA_KIND_BLOCK = 10,
	VIGIA_KIND_TASK = 11,	/* iterator: a process that exists */
	VIGIA_KIND_SOCKET = 12, /* iterator: a socket that somebody has open */
};

struct vigia_counters {
	__u64 offered; /* == delivered + sum of filtered + lost */
	__u64 delivered;
	__u64 lost;
	__u64 filtered[VIGIA_REASONS];
};

/* Bit n of a mask is class n. */
struct vigia_config {
	__u32 wanted;	      /* by policy */
	__u32 admitted;	      /* at this level of overload */
	__u32 no_loopback;    /* loopback is left out of these */
	__u32 block_mode;     /* enum vigia_block_mode */
	__u32 max_args;	      /* bytes of the command line; 0: none */
	__u32 kill_memfd;     /* end what executes an unnamed memory file */
	__u32 quiet_loopback; /* loopback is left out of these at this level of overload */
	__u32 pad;
	__s64 boot_offset; /* CLOCK_BOOTTIME less CLOCK_MONOTONIC: perf buffer only */
};

enum vigia_block_mode {
	VIGIA_BLOCK_OFF = 0,
	VIGIA_BLOCK_AUDIT = 1,
	VIGIA_BLOCK_DENY = 2,
};

/* Which file a process runs. */
struct vigia_program {
	__u64 device; /* as the kernel numbers it: major << 20 | minor */
	__u64 inode;
};

/* Value of excluded_programs and of excluded. */
struct vigia_exclusion {
	__u32 rule;	/* the daemon's number */
	__u32 uid;	/* only if run by this one; ~0: whoever */
	__u32 children; /* 1: and all that it starts */
	__u32 reason;	/* VIGIA_REASON_EXCLUDED or _OWN */
};

/* Key of vigia_programs. */
struct vigia_program_user {
	struct vigia_program program;
	__u32 uid;
	__u32 unused; /* zero */
};

struct vigia_program_counters {
	__u64 events[VIGIA_CLASSES]; /* offered */
	__u64 last_ns;
	__u32 last_pid;
	__u32 unused;
	char comm[VIGIA_COMM_SIZE];
};

struct vigia_header {
	__u32 size; /* of the whole record */
	__u16 kind;
	__u16 event_class;
	__u64 time_ns;
};

struct vigia_owner {
	__u32 pid; /* 0: unknown */
	__u32 uid;
	__u64 start_ns;
	__u64 cgroup;
	struct vigia_program program;
	char comm[VIGIA_COMM_SIZE];
};

enum vigia_exec_flag {
	VIGIA_EXEC_UNLINKED = 1U << 0U, /* the file has no name */
	VIGIA_EXEC_MEMFD = 1U << 1U,	/* and never had one */
	VIGIA_EXEC_KILLED = 1U << 2U,	/* by kill_memfd, before its first instruction */
	VIGIA_EXEC_PATH_CUT = 1U << 3U, /* the path is longer: what is given is its end */
	VIGIA_EXEC_NO_PATH = 1U << 4U,	/* this kernel does not tell the path: name only */
	VIGIA_EXEC_ARGS_CUT = 1U << 5U,
	VIGIA_EXEC_ARGS_UNREAD = 1U << 6U, /* the command line could not be read */
	VIGIA_EXEC_BY_THREAD = 1U << 7U,   /* a thread other than the first called execve */
	VIGIA_EXEC_KERNEL = 1U << 8U,	   /* iterator only: a kernel thread */
};

/* VIGIA_KIND_EXEC and _TASK. `data` holds path_size bytes of components, leaf first, each ended by
 * a NUL; name_size bytes of what was given to execve; args_size bytes of arguments, NUL between. */
struct vigia_exec {
	struct vigia_header header;
	__u64 start_ns;
	__u64 parent_start_ns;
	__u64 cgroup;
	__u64 capabilities; /* effective */
	struct vigia_program program;
	__u32 pid;
	__u32 parent_pid;
	__u32 namespace_pid; /* its number in its own pid namespace */
	__u32 uid;
	__u32 euid;
	__u32 suid;
	__u32 gid;
	__u32 egid;
	__u32 sgid;
	__u32 login_uid; /* ~0: none */
	__u32 session;	 /* of audit */
	__u32 mount_namespace;
	__u32 pid_namespace;
	__u32 network_namespace;
	__u32 flags;
	__u32 args_total; /* bytes of the command line, read or not */
	__u16 path_size;
	__u16 name_size;
	__u16 args_size;
	__u16 file_mode;
	char comm[VIGIA_COMM_SIZE];
	char data[VIGIA_EXEC_DATA_SIZE];
};

/* VIGIA_KIND_FORK and _EXIT */
struct vigia_life {
	struct vigia_header header;
	struct vigia_owner process;
	__u64 parent_start_ns;
	__u32 parent_pid;
	__u32 creator_pid; /* fork: who called it; with CLONE_PARENT not the parent */
	__s32 exit_code;   /* as wait(2) gives it */
	__u32 pad;
};

enum vigia_direction {
	VIGIA_DIRECTION_UNKNOWN = 0,
	VIGIA_DIRECTION_OUT = 1,
	VIGIA_DIRECTION_IN = 2,
};

/* How the owner is known. */
enum vigia_owner_source {
	VIGIA_OWNER_NONE = 0,
	VIGIA_OWNER_CALLER = 1,	  /* it made the call itself */
	VIGIA_OWNER_LISTENER = 2, /* who called listen(); whoever accepts may be another */
	VIGIA_OWNER_PORT = 3,	  /* who listens at this port */
	VIGIA_OWNER_HOLDER = 4,	  /* had it open when the sensor started */
};

enum vigia_stop {
	VIGIA_STOP_CONNECT = 1,
	VIGIA_STOP_SEND = 2,
	VIGIA_STOP_PACKET_IN = 3,
	VIGIA_STOP_PACKET_OUT = 4,
};

/* All kinds of flows. IPv4 addresses are ::ffff:a.b.c.d; ports in host order. */
struct vigia_flow {
	struct vigia_header header;
	struct vigia_owner owner;
	__u64 id; /* the same from begin to end; 0: not followed */
	__u64 opened_ns;
	__u64 bytes_sent;
	__u64 bytes_received;
	__u8 local[VIGIA_ADDRESS_SIZE];
	__u8 remote[VIGIA_ADDRESS_SIZE];
	__u16 local_port; /* 0: not yet known */
	__u16 remote_port;
	__u8 family;   /* 4, 6 */
	__u8 protocol; /* 6, 17, … */
	__u8 direction;
	__u8 owner_source;
	__u32 network_namespace;
	__s32 error;	  /* connect: errno, 0 established */
	__u32 closer_pid; /* close: who; 0 the kernel */
	__u8 stop;	  /* block: enum vigia_stop */
	__u8 denied;	  /* block: 1 refused or dropped, 0 only seen */
	__u8 state;	  /* iterator: TCP state */
	__u8 listed;	  /* iterator: the block list has its remote address */
};

/* Lists of addresses: longest prefix wins. The daemon has taken out what an allowed prefix covers.
 */
enum vigia_listed {
	VIGIA_LISTED_BLOCK = 1,
	VIGIA_LISTED_ALLOW = 2,
};

struct vigia_prefix4 {
	__u32 bits;
	__u8 address[4];
};

struct vigia_prefix6 {
	__u32 bits;
	__u8 address[16];
};

/* A UDP flow: key and value, read by the daemon to end those that are idle. */
struct vigia_udp_key {
	__u64 socket; /* cookie */
	__u8 remote[VIGIA_ADDRESS_SIZE];
	__u16 remote_port;
	__u16 pad[3];
};

struct vigia_udp_flow {
	struct vigia_owner owner;
	__u64 id;
	__u64 opened_ns;
	__u64 last_ns;
	__u64 bytes_sent;
	__u64 bytes_received;
	__u8 local[VIGIA_ADDRESS_SIZE];
	__u8 previous[VIGIA_ADDRESS_SIZE]; /* of the same socket */
	__u16 previous_port;
	__u16 local_port;
	__u8 announced; /* its begin was offered */
	__u8 direction;
	__u8 family;
	__u8 has_previous;
	__u32 network_namespace;
	__u32 pad;
};

#ifdef __cplusplus
#define VIGIA_ASSERT_SIZE(type, size) static_assert(sizeof(type) == (size))
#else
#define VIGIA_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
#endif
VIGIA_ASSERT_SIZE(struct vigia_counters, 72);
VIGIA_ASSERT_SIZE(struct vigia_config, 40);
VIGIA_ASSERT_SIZE(struct vigia_program, 16);
VIGIA_ASSERT_SIZE(struct vigia_exclusion, 16);
VIGIA_ASSERT_SIZE(struct vigia_program_counters, 104);
VIGIA_ASSERT_SIZE(struct vigia_header, 16);
VIGIA_ASSERT_SIZE(struct vigia_owner, 56);
VIGIA_ASSERT_SIZE(struct vigia_exec, 152 + VIGIA_EXEC_DATA_SIZE);
VIGIA_ASSERT_SIZE(struct vigia_life, 96);
VIGIA_ASSERT_SIZE(struct vigia_flow, 160);
VIGIA_ASSERT_SIZE(struct vigia_prefix4, 8);
VIGIA_ASSERT_SIZE(struct vigia_prefix6, 20);
VIGIA_ASSERT_SIZE(struct vigia_udp_key, 32);
VIGIA_ASSERT_SIZE(struct vigia_udp_flow, 144);

#endif
