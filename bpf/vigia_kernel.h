/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fields of kernel structures that we read. Offsets are corrected at load (CO-RE), so only
 * names and types have to be right. A name with ___ is another kernel's form of the same structure.
 */
#ifndef VIGIA_KERNEL_H
#define VIGIA_KERNEL_H

#include <linux/types.h>

typedef _Bool bool;
#define true 1
#define false 0

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	__u32 val;
} vigia_kid;

typedef struct {
	int counter;
} atomic_t;

struct ns_common {
	unsigned int inum;
};

struct mnt_namespace {
	struct ns_common ns;
};

struct pid_namespace {
	struct ns_common ns;
};

struct net {
	struct ns_common ns;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
	struct net *net_ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct qstr {
	const unsigned char *name;
};

struct super_block {
	__u32 s_dev;
	unsigned long s_magic;
};

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
	unsigned int i_nlink;
	struct super_block *i_sb;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
};

struct mm_struct {
	unsigned long arg_start;
	unsigned long arg_end;
	struct file *exe_file;
};

struct linux_binprm {
	struct file *file;
	const char *filename;
};

/* Two words of 32 bits before 6.3: read as a whole. */
struct vigia_capabilities {
	__u64 bits;
};

struct cred {
	vigia_kid uid;
	vigia_kid gid;
	vigia_kid suid;
	vigia_kid sgid;
	vigia_kid euid;
	vigia_kid egid;
	struct vigia_capabilities cap_effective;
};

struct signal_struct {
	atomic_t live;
	int group_exit_code;
	unsigned int flags;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct fs_struct {
	struct path root;
};

struct task_struct {
	unsigned int flags;
	int pid;
	int tgid;
	int exit_code;
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	struct pid *thread_pid;
	struct mm_struct *mm;
	struct nsproxy *nsproxy;
	struct fs_struct *fs;
	struct signal_struct *signal;
	struct css_set *cgroups;
	const struct cred *real_cred;
	const struct cred *cred;
	__u64 start_boottime;
	vigia_kid loginuid;
	unsigned int sessionid;
	char comm[16];
};

struct task_struct___before_5_5 {
	__u64 real_start_time;
};

typedef struct {
	struct net *net;
} vigia_net;

struct in6_addr {
	__u8 bytes[16];
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	unsigned long skc_flags;
	volatile unsigned char skc_state;
	vigia_net skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct socket;

struct sock {
	struct sock_common __sk_common;
	int sk_err;
	__u16 sk_protocol;
};

struct socket {
	struct sock *sk;
};

struct inet_sock {
	__be16 inet_sport;
};

struct tcp_sock {
	__u64 bytes_sent;
	__u64 bytes_retrans;
	__u64 bytes_received;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} __attribute__((aligned(8)));

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute pop

#define VIGIA_PF_KTHREAD 0x00200000
#define VIGIA_SIGNAL_GROUP_EXIT 0x00000004
#define VIGIA_TMPFS_MAGIC 0x01021994
#define VIGIA_AF_INET 2
#define VIGIA_AF_INET6 10
#define VIGIA_SOCK_DONE 1 /* bit: the other side has sent its FIN */
#define VIGIA_S_IFMT 0170000
#define VIGIA_S_IFSOCK 0140000
#define VIGIA_IPPROTO_TCP 6
#define VIGIA_IPPROTO_UDP 17

enum vigia_tcp_state {
	VIGIA_TCP_ESTABLISHED = 1,
	VIGIA_TCP_SYN_SENT = 2,
	VIGIA_TCP_SYN_RECV = 3,
	VIGIA_TCP_FIN_WAIT1 = 4,
	VIGIA_TCP_CLOSE = 7,
	VIGIA_TCP_LAST_ACK = 9,
	VIGIA_TCP_LISTEN = 10,
	VIGIA_TCP_CLOSING = 11,
};

#endif
