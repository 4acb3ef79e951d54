/* SPDX-License-Identifier: GPL-2.0-only */
/* Processes: exec, fork, exit, and those that exist when the sensor starts. */
#include "vigia_task.h"

char LICENSE[] SEC("license") = "GPL";

#define VIGIA_PATH_DEPTH 40
#define VIGIA_NAME_MAX 256

#ifdef VIGIA_PERF_BUFFER /* kernels before 5.3 know neither loops nor bpf_send_signal() */
#define VIGIA_UNROLLED _Pragma("unroll")
#define VIGIA_CAN_KILL bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_send_signal)
#else
#define VIGIA_UNROLLED
#define VIGIA_CAN_KILL true
#endif

/* A record that is too large for the stack. Tracing programs do not nest on a processor. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vigia_exec);
} vigia_scratch SEC(".maps");

/* The iterator runs in process context and may be interrupted by an exec: a record of its own. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vigia_exec);
} vigia_iter_scratch SEC(".maps");

struct vigia_ended {
	__u64 start_ns;
	__u32 pid;
	__u32 pad;
};

/* Two threads that end at once both see nobody alive: the first to enter itself here tells it. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct vigia_ended);
	__type(value, __u8);
} vigia_ended_map SEC(".maps");

static __always_inline void vigia_fill_credentials(struct vigia_exec *exec,
						   struct task_struct *task)
{
	const struct cred *cred = BPF_CORE_READ(task, real_cred);

	exec->uid = BPF_CORE_READ(cred, uid.val);
	exec->euid = BPF_CORE_READ(cred, euid.val);
	exec->suid = BPF_CORE_READ(cred, suid.val);
	exec->gid = BPF_CORE_READ(cred, gid.val);
	exec->egid = BPF_CORE_READ(cred, egid.val);
	exec->sgid = BPF_CORE_READ(cred, sgid.val);
	bpf_core_read(&exec->capabilities, sizeof(exec->capabilities), &cred->cap_effective);
	exec->login_uid = ~0U;
	exec->session = ~0U;
	if (bpf_core_field_exists(task->loginuid))
		exec->login_uid = BPF_CORE_READ(task, loginuid.val);
	if (bpf_core_field_exists(task->sessionid))
		exec->session = BPF_CORE_READ(task, sessionid);
}

static __always_inline void vigia_fill_namespaces(struct vigia_exec *exec, struct task_struct *task)
{
	struct nsproxy *proxy = BPF_CORE_READ(task, nsproxy);
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	unsigned int level = BPF_CORE_READ(pid, level);
	struct upid number = {};

	exec->network_namespace = BPF_CORE_READ(proxy, net_ns, ns.inum);
	exec->mount_namespace = 0;
	if (bpf_core_type_exists(struct mnt_namespace))
		exec->mount_namespace = BPF_CORE_READ(proxy, mnt_ns, ns.inum);
	bpf_core_read(&number.nr, sizeof(number.nr),
		      (void *)pid + bpf_core_field_offset(struct pid, numbers) +
			      level * bpf_core_type_size(struct upid));
	bpf_core_read(&number.ns, sizeof(number.ns),
		      (void *)pid + bpf_core_field_offset(struct pid, numbers) +
			      level * bpf_core_type_size(struct upid) +
			      bpf_core_field_offset(struct upid, ns));
	exec->namespace_pid = number.nr;
	exec->pid_namespace = BPF_CORE_READ(number.ns, ns.inum);
}

/*
 * Components from the leaf up to the root of the mount namespace's tree, across mount points, into
 * exec->data; exec->path_size tells how far. It is kept in memory on purpose: the verifier forgets
 * what it knows of it, so the ways through one turn of the loop are one state to it, not 2^40.
 */
static __always_inline void vigia_fill_path(struct vigia_exec *exec, struct file *file)
{
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	struct vfsmount *vfs = BPF_CORE_READ(file, f_path.mnt);
	struct dentry *parent, *root;
	struct mount *mount, *above;
	__u32 used;
	long n;
	int i;

	exec->path_size = 0;
	if (!bpf_core_type_exists(struct mount)) {
		exec->flags |= VIGIA_EXEC_NO_PATH;
		return;
	}
	mount = (void *)vfs - bpf_core_field_offset(struct mount, mnt);
	VIGIA_UNROLLED
	for (i = 0; i < VIGIA_PATH_DEPTH; i++) {
		parent = BPF_CORE_READ(dentry, d_parent);
		root = BPF_CORE_READ(mount, mnt.mnt_root);
		if (dentry == root) {
			above = BPF_CORE_READ(mount, mnt_parent);
			if (above == mount)
				return;
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = above;
			continue;
		}
		used = exec->path_size;
		if (used > VIGIA_EXEC_PATH_SIZE - VIGIA_NAME_MAX)
			break;
		n = bpf_probe_read_kernel_str(&exec->data[used], VIGIA_NAME_MAX,
					      BPF_CORE_READ(dentry, d_name.name));
		if (n <= 0)
			break;
		exec->path_size = used + n;
		if (dentry == parent)
			return; /* an unnamed file that hangs nowhere */
		dentry = parent;
	}
	exec->flags |= VIGIA_EXEC_PATH_CUT;
}

static __always_inline __u32 vigia_fill_args(struct vigia_exec *exec, struct task_struct *task,
					     __u32 used)
{
	unsigned long begin = BPF_CORE_READ(task, mm, arg_start);
	unsigned long end = BPF_CORE_READ(task, mm, arg_end);
	struct vigia_config *config = vigia_settings();
	__u32 size;

	exec->args_total = end > begin ? end - begin : 0;
	size = exec->args_total;
	if (!config || used > VIGIA_EXEC_PATH_SIZE + VIGIA_EXEC_NAME_SIZE)
		return 0;
	if (size > config->max_args)
		size = config->max_args;
	if (size > VIGIA_EXEC_ARGS_SIZE)
		size = VIGIA_EXEC_ARGS_SIZE;
	if (size < exec->args_total)
		exec->flags |= VIGIA_EXEC_ARGS_CUT;
	if (!size)
		return 0;
	if (bpf_probe_read_user(&exec->data[used], size, (void *)begin)) {
		exec->flags |= VIGIA_EXEC_ARGS_UNREAD;
		return 0;
	}
	return size;
}

static __always_inline void vigia_fill_file(struct vigia_exec *exec, struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	char name[8] = {};

	vigia_program_of(file, &exec->program);
	exec->file_mode = BPF_CORE_READ(inode, i_mode);
	if (BPF_CORE_READ(inode, i_nlink))
		return;
	exec->flags |= VIGIA_EXEC_UNLINKED;
	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(dentry, d_name.name));
	/* A deleted file may be called so as well, but it has a parent. */
	if (BPF_CORE_READ(inode, i_sb, s_magic) == VIGIA_TMPFS_MAGIC && name[0] == 'm' &&
	    name[1] == 'e' && name[2] == 'm' && name[3] == 'f' && name[4] == 'd' &&
	    name[5] == ':' && BPF_CORE_READ(dentry, d_parent) == dentry)
		exec->flags |= VIGIA_EXEC_MEMFD;
}

static __always_inline void vigia_fill_task(struct vigia_exec *exec, struct task_struct *task)
{
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);

	exec->pid = BPF_CORE_READ(task, tgid);
	exec->start_ns = vigia_start_of(task);
	exec->parent_pid = BPF_CORE_READ(parent, tgid);
	exec->parent_start_ns = vigia_start_of(parent);
	exec->cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	BPF_CORE_READ_STR_INTO(&exec->comm, task, comm);
	vigia_fill_credentials(exec, task);
	vigia_fill_namespaces(exec, task);
}

/* An exclusion without children is one of the program, not of what it turns into. */
static __always_inline void vigia_reconsider(const struct vigia_exec *exec)
{
	struct vigia_exclusion *held, *by_program;
	struct vigia_exclusion entry;
	__u32 pid = exec->pid;

	held = bpf_map_lookup_elem(&vigia_excluded, &pid);
	if (held && !held->children && held->reason != VIGIA_REASON_OWN)
		bpf_map_delete_elem(&vigia_excluded, &pid);
	else if (held)
		return;
	by_program = bpf_map_lookup_elem(&vigia_excluded_programs, &exec->program);
	if (!by_program || (by_program->uid != ~0U && by_program->uid != exec->uid))
		return;
	entry = *by_program;
	bpf_map_update_elem(&vigia_excluded, &pid, &entry, BPF_ANY);
}

SEC("raw_tp/sched_process_exec")
int BPF_PROG(vigia_exec_done, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct file *file = BPF_CORE_READ(bprm, file);
	struct vigia_config *config = vigia_settings();
	struct vigia_owner owner = {};
	struct vigia_exec *exec;
	__u32 zero = 0, used;
	long n;

	exec = bpf_map_lookup_elem(&vigia_scratch, &zero);
	if (!exec || !config)
		return 0;
	exec->flags = old_pid != BPF_CORE_READ(task, pid) ? VIGIA_EXEC_BY_THREAD : 0;
	vigia_fill_task(exec, task);
	vigia_fill_file(exec, file);
	vigia_reconsider(exec);
	if (exec->flags & VIGIA_EXEC_MEMFD && config->kill_memfd && VIGIA_CAN_KILL &&
	    !bpf_send_signal(9))
		exec->flags |= VIGIA_EXEC_KILLED;
	owner.pid = exec->pid;
	owner.uid = exec->uid;
	owner.program = exec->program;
	__builtin_memcpy(owner.comm, exec->comm, sizeof(owner.comm));
	if (!vigia_admit(VIGIA_CLASS_EXEC, &owner, false))
		return 0;
	vigia_fill_path(exec, file);
	used = exec->path_size;
	if (used > VIGIA_EXEC_PATH_SIZE)
		used = VIGIA_EXEC_PATH_SIZE;
	n = bpf_probe_read_kernel_str(&exec->data[used], VIGIA_EXEC_NAME_SIZE,
				      BPF_CORE_READ(bprm, filename));
	exec->name_size = n > 0 && n <= VIGIA_EXEC_NAME_SIZE ? n : 0;
	used += exec->name_size;
	n = vigia_fill_args(exec, task, used);
	exec->args_size = n;
	used += n;
	if (used > VIGIA_EXEC_DATA_SIZE)
		used = VIGIA_EXEC_DATA_SIZE;
	vigia_send(ctx, &exec->header, offsetof(struct vigia_exec, data) + used, VIGIA_KIND_EXEC,
		   VIGIA_CLASS_EXEC);
	return 0;
}

static __always_inline void vigia_fill_life(struct vigia_life *life, struct task_struct *task)
{
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);

	vigia_owner_of(task, &life->process);
	life->parent_pid = BPF_CORE_READ(parent, tgid);
	life->parent_start_ns = vigia_start_of(parent);
}

SEC("raw_tp/sched_process_fork")
int BPF_PROG(vigia_forked, struct task_struct *parent, struct task_struct *child)
{
	struct vigia_exclusion *held, entry;
	struct vigia_life life = {};
	__u32 creator = BPF_CORE_READ(parent, tgid);

	/* Threads are not processes; the kernel's own are nobody's. */
	if (BPF_CORE_READ(child, pid) != BPF_CORE_READ(child, tgid) ||
	    BPF_CORE_READ(child, flags) & VIGIA_PF_KTHREAD)
		return 0;
	vigia_fill_life(&life, child);
	life.creator_pid = creator;
	held = bpf_map_lookup_elem(&vigia_excluded, &creator);
	if (held && held->children) {
		entry = *held;
		bpf_map_update_elem(&vigia_excluded, &life.process.pid, &entry, BPF_ANY);
	}
	if (vigia_admit(VIGIA_CLASS_FORK, &life.process, false))
		vigia_send(ctx, &life.header, sizeof(life), VIGIA_KIND_FORK, VIGIA_CLASS_FORK);
	return 0;
}

SEC("raw_tp/sched_process_exit")
int BPF_PROG(vigia_exited, struct task_struct *task)
{
	struct signal_struct *signal = BPF_CORE_READ(task, signal);
	struct vigia_ended ended = {};
	struct vigia_life life = {};
	__u8 one = 1;

	if (BPF_CORE_READ(signal, live.counter) || BPF_CORE_READ(task, flags) & VIGIA_PF_KTHREAD)
		return 0;
	vigia_fill_life(&life, task);
	ended.pid = life.process.pid;
	ended.start_ns = life.process.start_ns;
	if (bpf_map_update_elem(&vigia_ended_map, &ended, &one, BPF_NOEXIST))
		return 0;
	if (BPF_CORE_READ(signal, flags) & VIGIA_SIGNAL_GROUP_EXIT)
		life.exit_code = BPF_CORE_READ(signal, group_exit_code);
	else
		life.exit_code = BPF_CORE_READ(task, exit_code);
	if (vigia_admit(VIGIA_CLASS_EXIT, &life.process, false))
		vigia_send(ctx, &life.header, sizeof(life), VIGIA_KIND_EXIT, VIGIA_CLASS_EXIT);
	bpf_map_delete_elem(&vigia_excluded, &life.process.pid);
	return 0;
}

SEC("iter/task")
int vigia_tasks(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct vigia_exec *exec;
	struct file *file;
	__u32 zero = 0, used;

	if (!task || task->pid != task->tgid)
		return 0;
	exec = bpf_map_lookup_elem(&vigia_iter_scratch, &zero);
	if (!exec)
		return 0;
	exec->flags = task->flags & VIGIA_PF_KTHREAD ? VIGIA_EXEC_KERNEL : 0;
	vigia_fill_task(exec, task);
	exec->program.device = 0;
	exec->program.inode = 0;
	exec->file_mode = 0;
	file = BPF_CORE_READ(task, mm, exe_file);
	exec->path_size = 0;
	if (file) {
		vigia_fill_file(exec, file);
		vigia_fill_path(exec, file);
	}
	used = exec->path_size;
	if (used > VIGIA_EXEC_PATH_SIZE)
		used = VIGIA_EXEC_PATH_SIZE;
	exec->name_size = 0;
	exec->args_size = 0;
	exec->args_total = 0;
	exec->header.size = offsetof(struct vigia_exec, data) + used;
	exec->header.kind = VIGIA_KIND_TASK;
	exec->header.event_class = VIGIA_CLASS_EXEC;
	exec->header.time_ns = vigia_now();
	bpf_seq_write(seq, exec, offsetof(struct vigia_exec, data) + used);
	return 0;
}
