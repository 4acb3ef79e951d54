/* SPDX-License-Identifier: GPL-2.0-only */
/* UDP flows: a socket and a peer. */
#ifndef VIGIA_UDP_H
#define VIGIA_UDP_H

#include "vigia_flow.h"

/* Plain, not LRU: a flow that is forgotten would never end. Full: counted, not followed. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct vigia_udp_key);
	__type(value, struct vigia_udp_flow);
} vigia_udp_flows __weak SEC(".maps");

/* Bytes that came before anybody asked for them. LRU: who scans our ports fills only this. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct vigia_udp_key);
	__type(value, __u64);
} vigia_udp_waiting __weak SEC(".maps");

struct vigia_udp_socket {
	__u8 last[VIGIA_ADDRESS_SIZE]; /* the newest flow: its value leads to the one before */
	__u16 last_port;
	__u16 pad[3];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct vigia_udp_socket);
} vigia_udp_sockets __weak SEC(".maps");

static __always_inline void vigia_udp_record(struct vigia_flow *flow,
					     const struct vigia_udp_key *key,
					     const struct vigia_udp_flow *from)
{
	flow->owner = from->owner;
	flow->id = from->id;
	flow->opened_ns = from->opened_ns;
	flow->bytes_sent = from->bytes_sent;
	flow->bytes_received = from->bytes_received;
	__builtin_memcpy(flow->local, from->local, sizeof(flow->local));
	__builtin_memcpy(flow->remote, key->remote, sizeof(flow->remote));
	flow->local_port = from->local_port;
	flow->remote_port = key->remote_port;
	flow->family = from->family;
	flow->protocol = VIGIA_IPPROTO_UDP;
	flow->direction = from->direction;
	flow->owner_source = VIGIA_OWNER_CALLER;
	flow->network_namespace = from->network_namespace;
}

static __always_inline void vigia_udp_not_followed(const struct vigia_owner *owner)
{
	struct vigia_counters *counters = vigia_count(VIGIA_CLASS_UDP);

	vigia_note_program(VIGIA_CLASS_UDP, owner);
	if (counters) {
		vigia_add(&counters->offered, 1);
		vigia_add(&counters->filtered[VIGIA_REASON_TABLE], 1);
	}
}

#endif
