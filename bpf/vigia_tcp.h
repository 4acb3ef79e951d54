/* SPDX-License-Identifier: GPL-2.0-only */
/* TCP connections: what is known of each. */
#ifndef VIGIA_TCP_H
#define VIGIA_TCP_H

#include "vigia_flow.h"

struct vigia_tcp {
	struct vigia_owner owner;
	__u64 socket; /* the key once more, as a number: a typed pointer may not be read through */
	__u64 id;
	__u64 opened_ns;
	__u32 closer_pid;
	__u8 direction;
	__u8 owner_source;
	__u16 pad;
};

/* By address of the socket: entered when it leaves CLOSE, removed when it comes back there. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct vigia_tcp);
} vigia_tcp_flows __weak SEC(".maps");

static __always_inline void vigia_fill_state(struct vigia_flow *flow, const struct vigia_tcp *state)
{
	if (!state)
		return;
	flow->owner = state->owner;
	flow->id = state->id;
	flow->opened_ns = state->opened_ns;
	flow->direction = state->direction;
	flow->owner_source = state->owner_source;
	flow->closer_pid = state->closer_pid;
}

#endif
