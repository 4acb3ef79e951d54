/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Settings, counters and the way out, the same for every domain. The daemon lets the objects share
 * these maps. __weak: several files of one object may include this.
 */
#ifndef VIGIA_COMMON_H
#define VIGIA_COMMON_H

#include <linux/bpf.h>

#include "vigia_kernel.h"
#include "vigia_records.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vigia_config);
} vigia_config_map __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VIGIA_CLASSES);
	__type(key, __u32);
	__type(value, struct vigia_counters);
} vigia_counter_map __weak SEC(".maps");

/* By process: what must not be told of it. Children are entered at fork, all leave at exit. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct vigia_exclusion);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} vigia_excluded __weak SEC(".maps");

/* By program: entered at exec, before anything of it is told. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct vigia_program);
	__type(value, struct vigia_exclusion);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} vigia_excluded_programs __weak SEC(".maps");

/* Who causes the events, told or not, but for our own. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct vigia_program_user);
	__type(value, struct vigia_program_counters);
} vigia_programs __weak SEC(".maps");

/* Stays zero: what a new entry of the above begins with; the stack has no room for it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vigia_program_counters);
} vigia_no_counters __weak SEC(".maps");

/*
 * The way out. Large enough for the machine; the daemon sets the size. The objects are built twice:
 * kernels before 5.8 have no ring buffer, and what else came as late is done without in that build.
 */
#ifdef VIGIA_PERF_BUFFER
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} vigia_ring __weak SEC(".maps");
#else
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} vigia_ring __weak SEC(".maps");
#endif

static __always_inline struct vigia_config *vigia_settings(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&vigia_config_map, &zero);
}

/* CLOCK_BOOTTIME. */
static __always_inline __u64 vigia_now(void)
{
#ifdef VIGIA_PERF_BUFFER
	struct vigia_config *config = vigia_settings();

	return bpf_ktime_get_ns() + (config ? config->boot_offset : 0);
#else
	return bpf_ktime_get_boot_ns();
#endif
}

static __always_inline struct vigia_counters *vigia_count(__u32 event_class)
{
	return bpf_map_lookup_elem(&vigia_counter_map, &event_class);
}

/* An interrupt may come in the middle of counting on the same processor: atomic, or the sum is off.
 */
static __always_inline void vigia_add(__u64 *counter, __u64 n)
{
	__sync_fetch_and_add(counter, n);
}

static __always_inline void vigia_note_program(__u32 event_class, const struct vigia_owner *owner)
{
	struct vigia_program_counters *known, *fresh;
	struct vigia_program_user key = {};
	__u32 zero = 0;

	if (event_class >= VIGIA_CLASSES || !owner->program.inode)
		return;
	key.program = owner->program;
	key.uid = owner->uid;
	known = bpf_map_lookup_elem(&vigia_programs, &key);
	if (!known) {
		fresh = bpf_map_lookup_elem(&vigia_no_counters, &zero);
		if (!fresh)
			return;
		bpf_map_update_elem(&vigia_programs, &key, fresh, BPF_NOEXIST);
		known = bpf_map_lookup_elem(&vigia_programs, &key);
		if (!known)
			return;
	}
	vigia_add(&known->events[event_class], 1);
	known->last_ns = vigia_now();
	known->last_pid = owner->pid;
	__builtin_memcpy(known->comm, owner->comm, sizeof(known->comm));
}

/*
 * Is this event to be told? Counts it as offered, and as filtered with the first reason that holds.
 * After true exactly one vigia_send() or vigia_lose() must follow.
 */
static __always_inline bool vigia_admit(__u32 event_class, const struct vigia_owner *owner,
					bool loopback)
{
	struct vigia_counters *counters = vigia_count(event_class);
	struct vigia_config *config = vigia_settings();
	struct vigia_exclusion *exclusion;
	__u32 bit = 1U << event_class;
	__u32 pid = owner->pid;
	__u32 reason;

	if (!counters || !config)
		return false; /* cannot be: arrays */
	vigia_add(&counters->offered, 1);
	exclusion = bpf_map_lookup_elem(&vigia_excluded, &pid);
	if (!exclusion || exclusion->reason != VIGIA_REASON_OWN)
		vigia_note_program(event_class, owner);
	if (exclusion && exclusion->reason == VIGIA_REASON_OWN)
		reason = VIGIA_REASON_OWN;
	else if (!(config->wanted & bit))
		reason = VIGIA_REASON_POLICY;
	else if (exclusion && event_class != VIGIA_CLASS_BLOCK)
		reason = VIGIA_REASON_EXCLUDED; /* who is left in peace is still refused, and that
						   is told */
	else if (loopback && (config->no_loopback & bit))
		reason = VIGIA_REASON_LOOPBACK;
	else if (!(config->admitted & bit) || (loopback && (config->quiet_loopback & bit)))
		reason = VIGIA_REASON_OVERLOAD;
	else
		return true;
	vigia_add(&counters->filtered[reason], 1);
	return false;
}

static __always_inline void vigia_settle(__u32 event_class, bool delivered)
{
	struct vigia_counters *counters = vigia_count(event_class);

	if (counters)
		vigia_add(delivered ? &counters->delivered : &counters->lost, 1);
}

#ifdef VIGIA_PERF_BUFFER
static __always_inline bool vigia_put_out(void *ctx, struct vigia_header *header, __u32 size,
					  __u16 event_class)
{
	return bpf_perf_event_output(ctx, &vigia_ring, BPF_F_CURRENT_CPU, header, size) == 0;
}
#else
/*
 * The reader, once woken, gathers for a while. What a quarter of the ring holds by then, or what
 * must be told at once, wakes it again; anything else only if the ring was empty.
 */
static __always_inline __u64 vigia_wake_up(__u16 event_class)
{
	__u64 waiting = bpf_ringbuf_query(&vigia_ring, BPF_RB_AVAIL_DATA);
	__u64 size = bpf_ringbuf_query(&vigia_ring, BPF_RB_RING_SIZE);

	return event_class == VIGIA_CLASS_BLOCK || waiting > size / 4 ? BPF_RB_FORCE_WAKEUP : 0;
}

static __always_inline bool vigia_put_out(void *ctx, struct vigia_header *header, __u32 size,
					  __u16 event_class)
{
	return bpf_ringbuf_output(&vigia_ring, header, size, vigia_wake_up(event_class)) == 0;
}
#endif

/* Hands a record on, or counts it as lost. Its header is filled in here. */
static __always_inline void vigia_send(void *ctx, struct vigia_header *header, __u32 size,
				       __u16 kind, __u16 event_class)
{
	header->size = size;
	header->kind = kind;
	header->event_class = event_class;
	header->time_ns = vigia_now();
	vigia_settle(event_class, vigia_put_out(ctx, header, size, event_class));
}

#endif
