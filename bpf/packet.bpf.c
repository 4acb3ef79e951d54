/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets of local sockets. Two pairs of programs, attached only while they are needed: bytes of
 * UDP flows; and the list, for what the address hooks do not see (raw sockets, connections that
 * exist already, what comes in).
 */
#include "vigia_lists.h"
#include "vigia_tcp.h"
#include "vigia_udp.h"

char LICENSE[] SEC("license") = "GPL";

#define VIGIA_TELL_AGAIN_NS 60000000000ULL
#define VIGIA_ETH_P_IP 0x0800
#define VIGIA_ETH_P_IPV6 0x86dd

struct vigia_packet {
	__u8 local[VIGIA_ADDRESS_SIZE];
	__u8 remote[VIGIA_ADDRESS_SIZE];
	__u16 local_port;
	__u16 remote_port;
	__u32 payload; /* of UDP, bytes */
	__u8 family;
	__u8 protocol;
	__u16 pad;
};

struct vigia_met_key {
	__u8 remote[VIGIA_ADDRESS_SIZE];
	__u32 out;
};

/* When a listed address was told of: a flood of packets is one event a minute. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct vigia_met_key);
	__type(value, __u64);
} vigia_met SEC(".maps");

struct vigia_ipv4_header {
	__u8 version_length;
	__u8 tos;
	__u16 total;
	__u16 id;
	__u16 fragment;
	__u8 ttl;
	__u8 protocol;
	__u16 sum;
	__be32 source;
	__be32 destination;
};

struct vigia_ipv6_header {
	__u32 flow;
	__u16 payload;
	__u8 protocol;
	__u8 hops;
	__u8 source[16];
	__u8 destination[16];
};

static __always_inline bool vigia_parse(struct __sk_buff *skb, bool out,
					struct vigia_packet *packet)
{
	struct vigia_ipv6_header ip6;
	struct vigia_ipv4_header ip4;
	__u16 ports[2];
	__u32 length;

	if (skb->protocol == bpf_htons(VIGIA_ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, 0, &ip4, sizeof(ip4)))
			return false;
		packet->family = 4;
		packet->protocol = ip4.protocol;
		length = (ip4.version_length & 15) * 4;
		vigia_put_ipv4(packet->local, out ? ip4.source : ip4.destination);
		vigia_put_ipv4(packet->remote, out ? ip4.destination : ip4.source);
		if (ip4.fragment & bpf_htons(0x1fff))
			return true; /* not the first: no ports in it */
	} else if (skb->protocol == bpf_htons(VIGIA_ETH_P_IPV6)) {
		if (bpf_skb_load_bytes(skb, 0, &ip6, sizeof(ip6)))
			return false;
		packet->family = 6;
		packet->protocol = ip6.protocol;
		length = sizeof(ip6);
		__builtin_memcpy(packet->local, out ? ip6.source : ip6.destination, 16);
		__builtin_memcpy(packet->remote, out ? ip6.destination : ip6.source, 16);
	} else {
		return false;
	}
	if (packet->protocol != VIGIA_IPPROTO_TCP && packet->protocol != VIGIA_IPPROTO_UDP)
		return true;
	if (bpf_skb_load_bytes(skb, length, ports, sizeof(ports)))
		return true;
	packet->local_port = bpf_ntohs(out ? ports[0] : ports[1]);
	packet->remote_port = bpf_ntohs(out ? ports[1] : ports[0]);
	if (packet->protocol == VIGIA_IPPROTO_UDP && skb->len >= length + 8)
		packet->payload = skb->len - length - 8;
	return true;
}

static __always_inline void vigia_count_bytes(struct __sk_buff *skb, bool out)
{
	struct bpf_sock *sk = skb->sk;
	struct vigia_packet packet = {};
	struct vigia_udp_key key = {};
	struct vigia_udp_flow *flow;
	__u64 *waiting, bytes;

	if (!sk)
		return;
	sk = bpf_sk_fullsock(sk);
	if (!sk || sk->protocol != VIGIA_IPPROTO_UDP || !vigia_parse(skb, out, &packet) ||
	    packet.protocol != VIGIA_IPPROTO_UDP || !packet.remote_port)
		return;
	key.socket = bpf_get_socket_cookie(skb);
	__builtin_memcpy(key.remote, packet.remote, sizeof(key.remote));
	key.remote_port = packet.remote_port;
	bytes = packet.payload;
	flow = bpf_map_lookup_elem(&vigia_udp_flows, &key);
	if (flow) {
		vigia_add(out ? &flow->bytes_sent : &flow->bytes_received, bytes);
		flow->last_ns = vigia_now();
		flow->local_port = packet.local_port;
		__builtin_memcpy(flow->local, packet.local, sizeof(flow->local));
	} else if (!out) {
		waiting = bpf_map_lookup_elem(&vigia_udp_waiting, &key);
		if (waiting)
			vigia_add(waiting, bytes);
		else
			bpf_map_update_elem(&vigia_udp_waiting, &key, &bytes, BPF_NOEXIST);
	}
}

SEC("cgroup_skb/ingress")
int vigia_bytes_in(struct __sk_buff *skb)
{
	vigia_count_bytes(skb, false);
	return 1;
}

SEC("cgroup_skb/egress")
int vigia_bytes_out(struct __sk_buff *skb)
{
	vigia_count_bytes(skb, true);
	return 1;
}

/* The connection that a packet belongs to, if it is one that we follow. */
static __always_inline void vigia_whose(struct __sk_buff *skb, const struct vigia_packet *packet,
					struct vigia_flow *flow)
{
	struct bpf_sock *sk = skb->sk;
	struct vigia_udp_key key = {};
	struct vigia_udp_flow *udp;
	__u64 socket;

	if (!sk)
		return;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return;
	if (packet->protocol == VIGIA_IPPROTO_TCP) {
		socket = (__u64)sk;
		vigia_fill_state(flow, bpf_map_lookup_elem(&vigia_tcp_flows, &socket));
	} else if (packet->protocol == VIGIA_IPPROTO_UDP) {
		key.socket = bpf_get_socket_cookie(skb);
		__builtin_memcpy(key.remote, packet->remote, sizeof(key.remote));
		key.remote_port = packet->remote_port;
		udp = bpf_map_lookup_elem(&vigia_udp_flows, &key);
		if (udp) {
			flow->owner = udp->owner;
			flow->owner_source = VIGIA_OWNER_CALLER;
			flow->id = udp->id;
		}
	}
}

static __always_inline void vigia_tell_packet(struct __sk_buff *skb,
					      const struct vigia_packet *packet, bool out)
{
	__u64 *last, now = vigia_now();
	struct vigia_met_key key = {.out = out};
	struct vigia_flow flow = {};

	__builtin_memcpy(key.remote, packet->remote, sizeof(key.remote));
	last = bpf_map_lookup_elem(&vigia_met, &key);
	if (last && now - *last < VIGIA_TELL_AGAIN_NS)
		return;
	bpf_map_update_elem(&vigia_met, &key, &now, BPF_ANY);
	flow.opened_ns = now;
	__builtin_memcpy(flow.local, packet->local, sizeof(flow.local));
	__builtin_memcpy(flow.remote, packet->remote, sizeof(flow.remote));
	flow.local_port = packet->local_port;
	flow.remote_port = packet->remote_port;
	flow.family = packet->family;
	flow.protocol = packet->protocol;
	flow.direction = out ? VIGIA_DIRECTION_OUT : VIGIA_DIRECTION_IN;
	vigia_whose(skb, packet, &flow);
	flow.stop = out ? VIGIA_STOP_PACKET_OUT : VIGIA_STOP_PACKET_IN;
	flow.denied = 1;
	vigia_send_flow(skb, &flow, VIGIA_KIND_BLOCK, VIGIA_CLASS_BLOCK);
}

/* 1 to let it through, 0 to drop it. */
static __always_inline int vigia_judge_packet(struct __sk_buff *skb, bool out)
{
	struct vigia_config *config = vigia_settings();
	struct vigia_packet packet = {};

	if (!config || config->block_mode != VIGIA_BLOCK_DENY || !vigia_parse(skb, out, &packet) ||
	    !vigia_is_listed(packet.remote))
		return 1;
	vigia_tell_packet(skb, &packet, out);
	return 0;
}

SEC("cgroup_skb/ingress")
int vigia_block_in(struct __sk_buff *skb)
{
	return vigia_judge_packet(skb, false);
}

SEC("cgroup_skb/egress")
int vigia_block_out(struct __sk_buff *skb)
{
	return vigia_judge_packet(skb, true);
}
