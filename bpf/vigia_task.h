/* SPDX-License-Identifier: GPL-2.0-only */
/* Who a task is. */
#ifndef VIGIA_TASK_H
#define VIGIA_TASK_H

#include "vigia_common.h"

static __always_inline __u64 vigia_start_of(struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct task_struct___before_5_5 *old;

	if (bpf_core_field_exists(leader->start_boottime))
		return BPF_CORE_READ(leader, start_boottime);
	old = (void *)leader;
	return BPF_CORE_READ(old, real_start_time);
}

static __always_inline void vigia_program_of(struct file *file, struct vigia_program *program)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);

	program->device = BPF_CORE_READ(inode, i_sb, s_dev);
	program->inode = BPF_CORE_READ(inode, i_ino);
}

static __always_inline void vigia_owner_of(struct task_struct *task, struct vigia_owner *owner)
{
	owner->pid = BPF_CORE_READ(task, tgid);
	owner->uid = BPF_CORE_READ(task, real_cred, uid.val);
	owner->start_ns = vigia_start_of(task);
	owner->cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	vigia_program_of(BPF_CORE_READ(task, mm, exe_file), &owner->program);
	BPF_CORE_READ_STR_INTO(&owner->comm, task, comm);
}

static __always_inline struct task_struct *vigia_current(void)
{
	return (struct task_struct *)bpf_get_current_task();
}

#endif
