/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP connections from their changes of state. Passive opens and many closes happen in an
 * interrupt, where the current task is anybody: so the owner is kept per socket, from calls made in
 * process context, and an accepted socket inherits that of the listener through socket storage.
 */
#include "vigia_lists.h"
#include "vigia_tcp.h"

char LICENSE[] SEC("license") = "GPL";

#define VIGIA_ECANCELED 125

struct vigia_port {
	__u32 network_namespace;
	__u32 port;
};

struct vigia_listener {
	struct vigia_owner owner;
	__u64 socket;
};

/* For listeners older than the sensor, and where socket storage is not to be had. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct vigia_port);
	__type(value, struct vigia_listener);
} vigia_listeners SEC(".maps");

/* Who called listen(); the kernel copies it to each socket the listener begets. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct vigia_owner);
} vigia_listener_storage SEC(".maps");

/* skc_num is gone already when the socket comes to CLOSE; this stays. */
static __always_inline __u16 vigia_local_port(struct sock *sk)
{
	struct inet_sock *inet = (struct inet_sock *)sk;

	return bpf_ntohs(BPF_CORE_READ(inet, inet_sport));
}

static __always_inline void vigia_fill_socket(struct vigia_flow *flow, struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	flow->family = 4;
	if (family == VIGIA_AF_INET6) {
		BPF_CORE_READ_INTO(&flow->local, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&flow->remote, sk, __sk_common.skc_v6_daddr);
		if (!vigia_is_mapped(flow->remote))
			flow->family = 6;
	} else {
		vigia_put_ipv4(flow->local, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
		vigia_put_ipv4(flow->remote, BPF_CORE_READ(sk, __sk_common.skc_daddr));
	}
	flow->local_port = vigia_local_port(sk);
	flow->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	flow->protocol = VIGIA_IPPROTO_TCP;
	flow->network_namespace = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

static __always_inline void vigia_fill_bytes(struct vigia_flow *flow, struct sock *sk)
{
	struct tcp_sock *tcp = (struct tcp_sock *)sk;

	flow->bytes_sent = BPF_CORE_READ(tcp, bytes_sent) - BPF_CORE_READ(tcp, bytes_retrans);
	flow->bytes_received = BPF_CORE_READ(tcp, bytes_received);
	/* A FIN takes a sequence number and is counted with the bytes. */
	if (BPF_CORE_READ(sk, __sk_common.skc_flags) & (1UL << VIGIA_SOCK_DONE) &&
	    flow->bytes_received)
		flow->bytes_received--;
}

static __always_inline struct vigia_port vigia_port_of(struct sock *sk)
{
	struct vigia_port port = {
		.network_namespace = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum),
		.port = vigia_local_port(sk),
	};

	return port;
}

static __always_inline void vigia_connecting(struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct vigia_tcp state = {
		.socket = (__u64)sk,
		.id = vigia_new_id(),
		.opened_ns = vigia_now(),
		.direction = VIGIA_DIRECTION_OUT,
		.owner_source = VIGIA_OWNER_CALLER,
	};

	vigia_owner_of(vigia_current(), &state.owner);
	bpf_map_update_elem(&vigia_tcp_flows, &key, &state, BPF_ANY);
}

static __always_inline void vigia_connected(void *ctx, struct sock *sk, struct vigia_tcp *state,
					    int error)
{
	struct vigia_flow flow = {};

	vigia_fill_socket(&flow, sk);
	vigia_fill_state(&flow, state);
	flow.direction = VIGIA_DIRECTION_OUT;
	flow.error = error;
	vigia_send_flow(ctx, &flow, VIGIA_KIND_CONNECT, VIGIA_CLASS_CONNECT);
	if (state)
		state->opened_ns = flow.header.time_ns ? flow.header.time_ns : vigia_now();
}

static __always_inline void vigia_accepted(void *ctx, struct sock *sk)
{
	struct vigia_port port = vigia_port_of(sk);
	struct vigia_listener *listener;
	struct vigia_tcp *known, fresh = {};
	struct vigia_flow flow = {};
	__u64 key = (__u64)sk;

	known = bpf_map_lookup_elem(&vigia_tcp_flows, &key);
	if (!known) {
		fresh.socket = (__u64)sk;
		fresh.id = vigia_new_id();
		fresh.opened_ns = vigia_now();
		fresh.direction = VIGIA_DIRECTION_IN;
		listener = bpf_map_lookup_elem(&vigia_listeners, &port);
		if (listener) {
			fresh.owner = listener->owner;
			fresh.owner_source = VIGIA_OWNER_PORT;
		}
		bpf_map_update_elem(&vigia_tcp_flows, &key, &fresh, BPF_NOEXIST);
	}
	vigia_fill_socket(&flow, sk);
	vigia_fill_state(&flow, known ? known : &fresh);
	vigia_send_flow(ctx, &flow, VIGIA_KIND_ACCEPT, VIGIA_CLASS_ACCEPT);
}

static __always_inline void vigia_listening(struct sock *sk)
{
	struct vigia_port port = vigia_port_of(sk);
	struct vigia_listener listener = {.socket = (__u64)sk};

	vigia_owner_of(vigia_current(), &listener.owner);
	bpf_map_update_elem(&vigia_listeners, &port, &listener, BPF_ANY);
}

static __always_inline void vigia_not_listening(struct sock *sk)
{
	struct vigia_port port = vigia_port_of(sk);
	struct vigia_listener *listener = bpf_map_lookup_elem(&vigia_listeners, &port);

	if (listener && listener->socket == (__u64)sk)
		bpf_map_delete_elem(&vigia_listeners, &port);
}

static __always_inline void vigia_closed(void *ctx, struct sock *sk, struct vigia_tcp *state)
{
	struct vigia_flow flow = {};

	vigia_fill_socket(&flow, sk);
	vigia_fill_state(&flow, state);
	vigia_fill_bytes(&flow, sk);
	flow.error = BPF_CORE_READ(sk, sk_err);
	vigia_send_flow(ctx, &flow, VIGIA_KIND_CLOSE, VIGIA_CLASS_CLOSE);
}

static __always_inline void vigia_to_close(void *ctx, struct sock *sk, int from)
{
	__u64 key = (__u64)sk;
	struct vigia_tcp *state = bpf_map_lookup_elem(&vigia_tcp_flows, &key);
	int error;

	if (from == VIGIA_TCP_LISTEN) {
		vigia_not_listening(sk);
		return;
	}
	if (from == VIGIA_TCP_SYN_SENT ||
	    (from == VIGIA_TCP_SYN_RECV && state && state->direction == VIGIA_DIRECTION_OUT)) {
		error = BPF_CORE_READ(sk, sk_err);
		vigia_connected(ctx, sk, state, error ? error : VIGIA_ECANCELED);
	} else if (from != VIGIA_TCP_SYN_RECV && from != VIGIA_TCP_CLOSE) {
		vigia_closed(ctx, sk, state);
	}
	bpf_map_delete_elem(&vigia_tcp_flows, &key);
}

SEC("raw_tp/inet_sock_set_state")
int BPF_PROG(vigia_tcp_state, struct sock *sk, int from, int to)
{
	__u64 key = (__u64)sk;
	struct vigia_tcp *state;
	__u16 protocol;

	if (bpf_core_field_exists(sk->sk_protocol)) {
		protocol = BPF_CORE_READ_BITFIELD_PROBED(sk, sk_protocol);
		if (protocol != VIGIA_IPPROTO_TCP)
			return 0;
	}
	if (to == VIGIA_TCP_SYN_SENT) {
		vigia_connecting(sk);
	} else if (to == VIGIA_TCP_LISTEN) {
		vigia_listening(sk);
	} else if (to == VIGIA_TCP_ESTABLISHED) {
		state = bpf_map_lookup_elem(&vigia_tcp_flows, &key);
		if (from == VIGIA_TCP_SYN_SENT ||
		    (state && state->direction == VIGIA_DIRECTION_OUT))
			vigia_connected(ctx, sk, state, 0);
		else
			vigia_accepted(ctx, sk);
	} else if (to == VIGIA_TCP_FIN_WAIT1 || to == VIGIA_TCP_LAST_ACK) {
		/* Only close() and shutdown() lead here, in the context of the caller. */
		state = bpf_map_lookup_elem(&vigia_tcp_flows, &key);
		if (state && !state->closer_pid)
			state->closer_pid = bpf_get_current_pid_tgid() >> 32;
	} else if (to == VIGIA_TCP_CLOSE) {
		vigia_to_close(ctx, sk, from);
	}
	return 0;
}

/* Never touches ctx->reply: another's program, or the kernel's default, stays in force. */
SEC("sockops")
int vigia_sockops(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct vigia_owner *owner;
	struct vigia_tcp state = {};
	__u64 key;

	if (!sk)
		return 1;
	if (ctx->op == BPF_SOCK_OPS_TCP_LISTEN_CB) {
		owner = bpf_sk_storage_get(&vigia_listener_storage, sk, 0,
					   BPF_SK_STORAGE_GET_F_CREATE);
		if (owner)
			vigia_owner_of(vigia_current(), owner);
	} else if (ctx->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB) {
		owner = bpf_sk_storage_get(&vigia_listener_storage, sk, 0, 0);
		if (!owner)
			return 1;
		key = (__u64)sk;
		state.owner = *owner;
		state.socket = (__u64)sk;
		state.id = vigia_new_id();
		state.opened_ns = vigia_now();
		state.direction = VIGIA_DIRECTION_IN;
		state.owner_source = VIGIA_OWNER_LISTENER;
		bpf_map_update_elem(&vigia_tcp_flows, &key, &state, BPF_NOEXIST);
	}
	return 1;
}

/*
 * accept() with an address, and getpeername(), come along here in the context of whoever uses the
 * socket: the cheap way to learn that a listener's child or a receiver of the descriptor serves it.
 */
static __always_inline int vigia_peer_asked(struct bpf_sock_addr *ctx)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct bpf_sock *sk = ctx->sk;
	struct vigia_flow flow = {};
	struct vigia_tcp *state;
	__u64 key;

	if (!sk || ctx->protocol != VIGIA_IPPROTO_TCP)
		return 1;
	key = (__u64)sk;
	state = bpf_map_lookup_elem(&vigia_tcp_flows, &key);
	if (!state || state->direction != VIGIA_DIRECTION_IN ||
	    state->owner_source == VIGIA_OWNER_CALLER)
		return 1;
	state->owner_source = VIGIA_OWNER_CALLER;
	if (state->owner.pid == pid)
		return 1;
	vigia_owner_of(vigia_current(), &state->owner);
	vigia_fill_socket(&flow, (struct sock *)state->socket);
	vigia_fill_state(&flow, state);
	vigia_send_flow(ctx, &flow, VIGIA_KIND_OWNER, VIGIA_CLASS_OWNER);
	return 1;
}

SEC("cgroup/getpeername4")
int vigia_getpeername4(struct bpf_sock_addr *ctx)
{
	return vigia_peer_asked(ctx);
}

SEC("cgroup/getpeername6")
int vigia_getpeername6(struct bpf_sock_addr *ctx)
{
	return vigia_peer_asked(ctx);
}

/* Every socket that a process has open, for what exists at the start. */
SEC("iter/task_file")
int vigia_sockets(struct bpf_iter__task_file *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct vigia_listener listener = {};
	struct vigia_tcp state = {};
	struct vigia_flow flow = {};
	struct vigia_port port;
	struct socket *socket;
	struct sock *sk;
	__u16 family;

	if (!task || !file ||
	    (BPF_CORE_READ(file, f_inode, i_mode) & VIGIA_S_IFMT) != VIGIA_S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family != VIGIA_AF_INET && family != VIGIA_AF_INET6)
		return 0;
	vigia_fill_socket(&flow, sk);
	flow.protocol = BPF_CORE_READ_BITFIELD_PROBED(sk, sk_protocol);
	if (flow.protocol != VIGIA_IPPROTO_TCP && flow.protocol != VIGIA_IPPROTO_UDP)
		return 0;
	vigia_owner_of(task, &flow.owner);
	flow.state = BPF_CORE_READ(sk, __sk_common.skc_state);
	flow.owner_source = VIGIA_OWNER_HOLDER;
	port = vigia_port_of(sk);
	if (flow.protocol == VIGIA_IPPROTO_TCP && flow.state == VIGIA_TCP_LISTEN) {
		listener.owner = flow.owner;
		listener.socket = (__u64)sk;
		bpf_map_update_elem(&vigia_listeners, &port, &listener, BPF_NOEXIST);
	} else if (flow.protocol == VIGIA_IPPROTO_TCP && flow.state == VIGIA_TCP_ESTABLISHED) {
		__u64 key = (__u64)sk;
		struct vigia_tcp *known;

		if (bpf_map_lookup_elem(&vigia_listeners, &port))
			flow.direction = VIGIA_DIRECTION_IN;
		state.owner = flow.owner;
		state.socket = (__u64)sk;
		state.id = vigia_new_id();
		state.opened_ns = vigia_now();
		state.direction = flow.direction;
		state.owner_source = VIGIA_OWNER_HOLDER;
		bpf_map_update_elem(&vigia_tcp_flows, &key, &state, BPF_NOEXIST);
		known = bpf_map_lookup_elem(&vigia_tcp_flows, &key);
		if (known) {
			if (known->direction == VIGIA_DIRECTION_UNKNOWN)
				known->direction =
					flow.direction; /* the listener was met after it */
			flow.direction = known->direction;
			flow.id = known->id;
		}
		vigia_fill_bytes(&flow, sk);
	}
	if (flow.state == VIGIA_TCP_ESTABLISHED)	 /* UDP: connected */
		if (flow.state == VIGIA_TCP_ESTABLISHED) /* of UDP: connected */
			flow.listed = vigia_is_listed(flow.remote);
	flow.header.size = sizeof(flow);
	flow.header.kind = VIGIA_KIND_SOCKET;
	flow.header.time_ns = vigia_now();
	bpf_seq_write(seq, &flow, sizeof(flow));
	return 0;
}
