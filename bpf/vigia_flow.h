/* SPDX-License-Identifier: GPL-2.0-only */
/* What TCP, UDP and the block list have in common: addresses and the record of a flow. */
#ifndef VIGIA_FLOW_H
#define VIGIA_FLOW_H

#include "vigia_task.h"

#include <bpf/bpf_endian.h>

static __always_inline void vigia_put_ipv4(__u8 *address, __be32 ip)
{
	__u32 *words = (__u32 *)address;

	words[0] = 0;
	words[1] = 0;
	words[2] = bpf_htonl(0xffff);
	words[3] = ip;
}

static __always_inline bool vigia_is_mapped(const __u8 *address)
{
	const __u32 *words = (const __u32 *)address;

	return !words[0] && !words[1] && words[2] == bpf_htonl(0xffff);
}

static __always_inline bool vigia_is_loopback(const __u8 *address)
{
	const __u32 *words = (const __u32 *)address;

	if (vigia_is_mapped(address))
		return address[12] == 127;
	return !words[0] && !words[1] && !words[2] && words[3] == bpf_htonl(1);
}

static __always_inline __u64 vigia_new_id(void)
{
	return ((__u64)bpf_get_prandom_u32() << 32) | bpf_get_prandom_u32() | 1;
}

static __always_inline void vigia_send_flow(void *ctx, struct vigia_flow *flow, __u16 kind,
					    __u16 event_class)
{
	if (vigia_admit(event_class, &flow->owner, vigia_is_loopback(flow->remote)))
		vigia_send(ctx, &flow->header, sizeof(*flow), kind, event_class);
}

#endif
