/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * connect(), sendto(), recvfrom() and close() of sockets, in the context of the caller: refuses
 * what the list blocks, and tells of UDP flows.
 */
#include "vigia_lists.h"
#include "vigia_udp.h"

char LICENSE[] SEC("license") = "GPL";

#define VIGIA_UDP_PEERS 64 /* of one socket, ended when it is closed; the daemon ends the rest */
#define VIGIA_SOCK_DGRAM 2

static __always_inline bool vigia_is_udp(struct bpf_sock_addr *ctx)
{
	return ctx->type == VIGIA_SOCK_DGRAM && ctx->protocol == VIGIA_IPPROTO_UDP;
}

/* 1 to go on, 0 to refuse with EPERM. */
static __noinline int vigia_judge(struct bpf_sock_addr *ctx, const __u8 *remote, __u8 stop)
{
	struct vigia_config *config = vigia_settings();
	struct task_struct *task;
	struct vigia_flow flow = {};
	__u32 mode;

	if (!config)
		return 1;
	mode = config->block_mode;
	if (mode == VIGIA_BLOCK_OFF || !vigia_is_listed(remote))
		return 1;
	task = vigia_current();
	vigia_owner_of(task, &flow.owner);
	flow.opened_ns = vigia_now();
	__builtin_memcpy(flow.remote, remote, sizeof(flow.remote));
	flow.remote_port = bpf_ntohs(ctx->user_port);
	flow.family = vigia_is_mapped(remote) ? 4 : 6;
	flow.protocol = ctx->protocol;
	flow.direction = VIGIA_DIRECTION_OUT;
	flow.owner_source = VIGIA_OWNER_CALLER;
	flow.network_namespace = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
	flow.stop = stop;
	flow.denied = mode == VIGIA_BLOCK_DENY;
	vigia_send_flow(ctx, &flow, VIGIA_KIND_BLOCK, VIGIA_CLASS_BLOCK);
	return mode != VIGIA_BLOCK_DENY;
}

/* Puts a new flow before the others of its socket. */
static __always_inline void vigia_udp_chain(const struct vigia_udp_key *key,
					    struct vigia_udp_flow *fresh)
{
	struct vigia_udp_socket *known, entry = {};
	__u64 cookie = key->socket;

	known = bpf_map_lookup_elem(&vigia_udp_sockets, &cookie);
	if (known) {
		__builtin_memcpy(fresh->previous, known->last, sizeof(fresh->previous));
		fresh->previous_port = known->last_port;
		fresh->has_previous = 1;
	}
	__builtin_memcpy(entry.last, key->remote, sizeof(entry.last));
	entry.last_port = key->remote_port;
	bpf_map_update_elem(&vigia_udp_sockets, &cookie, &entry, BPF_ANY);
}

static __always_inline void vigia_udp_key_of(struct bpf_sock_addr *ctx, const __u8 *remote,
					     struct vigia_udp_key *key)
{
	key->socket = bpf_get_socket_cookie(ctx);
	__builtin_memcpy(key->remote, remote, sizeof(key->remote));
	key->remote_port = bpf_ntohs(ctx->user_port);
}

/* The caller's socket talks with this peer: 1 if that is the beginning of a flow. */
static __noinline int vigia_udp_touch(struct bpf_sock_addr *ctx, const __u8 *remote, __u8 direction)
{
	struct vigia_udp_key key = {};
	struct vigia_udp_flow fresh = {};
	struct bpf_sock *sk = ctx->sk;
	struct task_struct *task;
	__u64 *waiting;
	long error;

	vigia_udp_key_of(ctx, remote, &key);
	if (bpf_map_lookup_elem(&vigia_udp_flows, &key))
		return 0;
	task = vigia_current();
	vigia_owner_of(task, &fresh.owner);
	fresh.id = vigia_new_id();
	fresh.opened_ns = vigia_now();
	fresh.last_ns = fresh.opened_ns;
	fresh.family = vigia_is_mapped(remote) ? 4 : 6;
	fresh.direction = direction;
	fresh.network_namespace = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
	if (sk)
		fresh.local_port = sk->src_port;
	waiting = bpf_map_lookup_elem(&vigia_udp_waiting, &key);
	if (waiting) {
		fresh.direction = VIGIA_DIRECTION_IN; /* the peer began */
		fresh.bytes_received = *waiting;
	}
	vigia_udp_chain(&key, &fresh);
	error = bpf_map_update_elem(&vigia_udp_flows, &key, &fresh, BPF_NOEXIST);
	if (waiting)
		bpf_map_delete_elem(&vigia_udp_waiting, &key);
	if (error &&
	    !bpf_map_lookup_elem(&vigia_udp_flows, &key)) /* else another thread was first */
		vigia_udp_not_followed(&fresh.owner);
	return !error;
}

/*
 * Not called by vigia_udp_touch(): a chain of calls has 512 bytes of stack, and older kernels (seen
 * on 5.10) round each frame up to 32.
 */
static __noinline int vigia_udp_announce(struct bpf_sock_addr *ctx, const __u8 *remote)
{
	struct vigia_udp_key key = {};
	struct vigia_udp_flow *begun;
	struct vigia_flow flow = {};

	vigia_udp_key_of(ctx, remote, &key);
	begun = bpf_map_lookup_elem(&vigia_udp_flows, &key);
	if (!begun)
		return 0; /* closed since by another thread, and its end was told */
	vigia_udp_record(&flow, &key, begun);
	vigia_send_flow(ctx, &flow, VIGIA_KIND_UDP_BEGIN, VIGIA_CLASS_UDP);
	return 1;
}

static __always_inline void vigia_udp(struct bpf_sock_addr *ctx, const __u8 *remote, __u8 direction)
{
	if (vigia_is_udp(ctx) && vigia_udp_touch(ctx, remote, direction))
		vigia_udp_announce(ctx, remote);
}

static __always_inline void vigia_address4(struct bpf_sock_addr *ctx, __u8 *remote)
{
	vigia_put_ipv4(remote, ctx->user_ip4);
}

static __always_inline void vigia_address6(struct bpf_sock_addr *ctx, __u8 *remote)
{
	__u32 *words = (__u32 *)remote;

	words[0] = ctx->user_ip6[0];
	words[1] = ctx->user_ip6[1];
	words[2] = ctx->user_ip6[2];
	words[3] = ctx->user_ip6[3];
}

static __always_inline int vigia_outgoing(struct bpf_sock_addr *ctx, const __u8 *remote, __u8 stop)
{
	if (!vigia_judge(ctx, remote, stop))
		return 0;
	vigia_udp(ctx, remote, VIGIA_DIRECTION_OUT);
	return 1;
}

SEC("cgroup/connect4")
int vigia_connect4(struct bpf_sock_addr *ctx)
{
	__u8 remote[VIGIA_ADDRESS_SIZE] __attribute__((aligned(8)));

	vigia_address4(ctx, remote);
	return vigia_outgoing(ctx, remote, VIGIA_STOP_CONNECT);
}

SEC("cgroup/connect6")
int vigia_connect6(struct bpf_sock_addr *ctx)
{
	__u8 remote[VIGIA_ADDRESS_SIZE] __attribute__((aligned(8)));

	vigia_address6(ctx, remote);
	return vigia_outgoing(ctx, remote, VIGIA_STOP_CONNECT);
}

SEC("cgroup/sendmsg4")
int vigia_sendmsg4(struct bpf_sock_addr *ctx)
{
	__u8 remote[VIGIA_ADDRESS_SIZE] __attribute__((aligned(8)));

	vigia_address4(ctx, remote);
	return vigia_outgoing(ctx, remote, VIGIA_STOP_SEND);
}

SEC("cgroup/sendmsg6")
int vigia_sendmsg6(struct bpf_sock_addr *ctx)
{
	__u8 remote[VIGIA_ADDRESS_SIZE] __attribute__((aligned(8)));

	vigia_address6(ctx, remote);
	return vigia_outgoing(ctx, remote, VIGIA_STOP_SEND);
}

SEC("cgroup/recvmsg4")
int vigia_recvmsg4(struct bpf_sock_addr *ctx)
{
	__u8 remote[VIGIA_ADDRESS_SIZE] __attribute__((aligned(8)));

	vigia_address4(ctx, remote);
	vigia_udp(ctx, remote, VIGIA_DIRECTION_IN);
	return 1;
}

SEC("cgroup/recvmsg6")
int vigia_recvmsg6(struct bpf_sock_addr *ctx)
{
	__u8 remote[VIGIA_ADDRESS_SIZE] __attribute__((aligned(8)));

	vigia_address6(ctx, remote);
	vigia_udp(ctx, remote, VIGIA_DIRECTION_IN);
	return 1;
}

/* false: there is no such flow (any more). Steps on to the one before. */
static __noinline bool vigia_udp_end(void *ctx, struct vigia_udp_key *key, __u32 closer)
{
	struct vigia_udp_flow *ended = bpf_map_lookup_elem(&vigia_udp_flows, key);
	struct vigia_udp_key at = *key;
	struct vigia_flow flow = {};

	if (!ended)
		return false;
	vigia_udp_record(&flow, key, ended);
	flow.closer_pid = closer;
	__builtin_memcpy(key->remote, ended->previous, sizeof(key->remote));
	key->remote_port = ended->previous_port;
	if (!ended->has_previous)
		key->socket = 0; /* no socket has this cookie: the search ends */
	if (!bpf_map_delete_elem(&vigia_udp_flows, &at)) /* else the daemon has just ended it */
		vigia_send_flow(ctx, &flow, VIGIA_KIND_UDP_END, VIGIA_CLASS_UDP);
	return true;
}

SEC("cgroup/sock_release")
int vigia_sock_release(struct bpf_sock *ctx)
{
	struct vigia_udp_socket *known;
	struct vigia_udp_key key = {};
	__u32 closer;
	int i;

	if (ctx->protocol != VIGIA_IPPROTO_UDP)
		return 1;
	key.socket = bpf_get_socket_cookie(ctx);
	known = bpf_map_lookup_elem(&vigia_udp_sockets, &key.socket);
	if (!known)
		return 1;
	__builtin_memcpy(key.remote, known->last, sizeof(key.remote));
	key.remote_port = known->last_port;
	bpf_map_delete_elem(&vigia_udp_sockets, &key.socket);
	closer = BPF_CORE_READ(vigia_current(), tgid);
	for (i = 0; i < VIGIA_UDP_PEERS; i++)
		if (!vigia_udp_end(ctx, &key, closer))
			break;
	return 1;
}
