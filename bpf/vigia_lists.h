/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The list of addresses. One slot per family holds the whole list: the daemon fills a new one and
 * puts it into the slot, so there is no moment without a list. Allowed and blocked prefixes stand
 * in the same list, so one search decides.
 */
#ifndef VIGIA_LISTS_H
#define VIGIA_LISTS_H

#include "vigia_flow.h"

struct vigia_list4 {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(key_size, sizeof(struct vigia_prefix4));
	__uint(value_size, sizeof(__u32));
};

struct vigia_list6 {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(key_size, sizeof(struct vigia_prefix6));
	__uint(value_size, sizeof(__u32));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct vigia_list4);
} vigia_slot4 __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct vigia_list6);
} vigia_slot6 __weak SEC(".maps");

/* `address` as in struct vigia_flow: IPv4 is mapped. */
static __always_inline bool vigia_is_listed(const __u8 *address)
{
	struct vigia_prefix4 prefix4 = {};
	struct vigia_prefix6 prefix6 = {};
	__u32 *listed = 0, zero = 0;
	void *list;

	/* Not in the initialiser: it would be a constant in .rodata, a section without a variable,
	 * for which kernels before 5.12 refuse the types of the whole object. */
	prefix4.bits = 32;
	prefix6.bits = 128;
	if (vigia_is_mapped(address)) {
		list = bpf_map_lookup_elem(&vigia_slot4, &zero);
		__builtin_memcpy(prefix4.address, address + 12, sizeof(prefix4.address));
		if (list)
			listed = bpf_map_lookup_elem(list, &prefix4);
	} else {
		list = bpf_map_lookup_elem(&vigia_slot6, &zero);
		__builtin_memcpy(prefix6.address, address, sizeof(prefix6.address));
		if (list)
			listed = bpf_map_lookup_elem(list, &prefix6);
	}
	return listed && *listed == VIGIA_LISTED_BLOCK;
}

#endif
