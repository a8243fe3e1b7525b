// SPDX-License-Identifier: GPL-2.0-only
/*
 * The two kinds of file: /dev/dune, for the service, and a context's fd, for its process. Owns decoding and
 * checking of ioctl arguments: every struct is copied once, refused if it has anything unknown in it, and
 * given to the code behind it.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "kmod/area.h"
#include "kmod/context.h"
#include "kmod/hw.h"
#include "kmod/dev.h"
#include "kmod/event.h"
#include "kmod/vcpu.h"

/* Largest ioctl argument, in bytes. */
#define ARGUMENT_MAX	512

struct ioctl_row {
	unsigned int cmd;
	bool versioned;		/* starts with abi and flags */
	long (*call)(struct file *file, void *arg);
	/* Instead, for a call that must know that its caller has got the result. */
	long (*call_user)(void *arg, void __user *user);
};

/* ---- /dev/dune ---- */

static const struct file_operations ctx_fops;

static long dev_get_info(struct file *file, void *arg)
{
	struct dune_info *info = arg;

	if (info->flags)
		return -EINVAL;
	memset(info, 0, sizeof(*info));
	info->abi = DUNE_ABI_VERSION;
	hw_info(info);
	info->nr_slots =
		min_t(u64, (1ull << (info->gpa_bits - DUNE_SLOT_SHIFT)), DUNE_SLOTS_MAX) - 1;
	info->max_contexts = dune_ceilings[DUNE_LIMIT_CONTEXTS];
	info->max_vcpus = dune_ceilings[DUNE_LIMIT_VCPUS];
	info->max_private = dune_ceilings[DUNE_LIMIT_PRIVATE];
	info->max_ept = dune_ceilings[DUNE_LIMIT_EPT];
	info->contexts = atomic64_read(&dune_allocated.contexts);
	info->vcpus = atomic64_read(&dune_allocated.vcpus);
	info->ept_pages = atomic64_read(&dune_allocated.ept_pages);
	info->private_pages = atomic64_read(&dune_allocated.private_pages);
	info->run_pages = atomic64_read(&dune_allocated.run_pages);
	info->vmcs_pages = atomic64_read(&dune_allocated.vmcs_pages);
	info->created = atomic64_read(&dune_allocated.created);
	info->refused = atomic64_read(&dune_allocated.refused);
	info->assertions = atomic64_read(&dune_allocated.assertions);
	strscpy(info->version, THIS_MODULE->version, sizeof(info->version));
	return 0;
}

/* The descriptor appears last: nobody can close it, or never learn of it, before that. */
static long dev_create(void *arg, void __user *user)
{
	struct dune_create *create = arg;
	struct dune_context *ctx;
	struct file *file;
	int fd;

	ctx = context_create(create);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	create->ret_id = ctx->id;
	/* The file takes over the context's reference. */
	file = anon_inode_getfile("[dune]", &ctx_fops, ctx, O_RDWR);
	if (IS_ERR(file)) {
		context_put(ctx);
		return PTR_ERR(file);
	}
	file->f_mode |= FMODE_LSEEK;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		fput(file);
		return fd;
	}
	create->ret_fd = fd;
	if (copy_to_user(user, create, sizeof(*create))) {
		put_unused_fd(fd);
		fput(file);
		return -EFAULT;
	}
	fd_install(fd, file);
	return 0;
}

#define DEV_CALL(name, type)                                                 \
	static long dev_##name(struct file *file, void *arg)                 \
	{                                                                    \
		return context_##name((struct type *)arg);                   \
	}

DEV_CALL(stats, dune_stats_call)
DEV_CALL(totals, dune_totals_call)
DEV_CALL(report, dune_report)
DEV_CALL(set_limits, dune_set_limits)
DEV_CALL(kill, dune_kill)

/* clang-format off */
static const struct ioctl_row dev_rows[] = {
	{ DUNE_INFO, false, dev_get_info },
	{ DUNE_CREATE, true, .call_user = dev_create },
	{ DUNE_STATS, true, dev_stats },
	{ DUNE_REPORT, true, dev_report },
	{ DUNE_SET_LIMITS, true, dev_set_limits },
	{ DUNE_KILL, true, dev_kill },
	{ DUNE_TOTALS, true, dev_totals },
};
/* clang-format on */

/* ---- context fds ---- */

/* The fd is no authority: only the process that attached may go on. */
static int check_mm(struct dune_context *ctx)
{
	/* pairs with attach_bind */
	bool attached = smp_load_acquire(&ctx->state) != DUNE_STATE_NEW;

	return attached && ctx->mm == current->mm ? 0 : -EXDEV;
}

static long ctx_attach(struct file *file, void *arg)
{
	return context_attach(file->private_data, arg);
}

static long ctx_private_write(struct file *file, void *arg)
{
	struct dune_context *ctx = file->private_data;
	struct dune_private_write *write = arg;
	int err = check_mm(ctx);

	if (err)
		return err;
	/* Its holder may wait for user memory, as long as the owner of that likes. */
	if (mutex_lock_killable(&ctx->lock))
		return -EINTR;
	err = ctx->state == DUNE_STATE_ATTACHED ?
		      private_write(ctx, write->gpa, write->source, write->size_bytes) :
		      -EBUSY;
	mutex_unlock(&ctx->lock);
	return err;
}

static long ctx_lock(struct file *file, void *arg)
{
	return check_mm(file->private_data) ?: context_lock(file->private_data, arg);
}

static const struct ioctl_row ctx_rows[] = {
	{ DUNE_ATTACH, true, ctx_attach },
	{ DUNE_PRIVATE_WRITE, false, ctx_private_write },
	{ DUNE_LOCK, true, ctx_lock },
};

/* RUN changes the caller's registers, so it is taken from the trampoline's own instructions only. */
static loff_t ctx_llseek(struct file *file, loff_t arg, int whence)
{
	struct pt_regs *regs = task_pt_regs(current);
	struct dune_context *ctx = file->private_data;
	struct dune_vcpu *vcpu;
	bool is_signal = whence == DUNE_RUN_SIGNAL;
	unsigned long from;

	from = is_signal ? DUNE_TRAMPOLINE_SIGNAL_SYSCALL : DUNE_TRAMPOLINE_RUN_SYSCALL;
	if (whence != DUNE_RUN && !is_signal)
		return -EINVAL;
	if (unlikely(ctx->mm != current->mm))
		return -EXDEV;
	if (!user_64bit_mode(regs) || regs->ip != DUNE_TRAMPOLINE_ADDR + from + 2)
		return -EPERM;
	/* pairs with context_lock */
	if (unlikely(smp_load_acquire(&ctx->state) != DUNE_STATE_RUNNING))
		return -EBUSY;
	vcpu = context_vcpu(ctx);
	return vcpu ? vcpu_run(vcpu, regs, is_signal, arg) : -ESRCH;
}

/* ---- common ---- */

static long ioctl_call(const struct ioctl_row *row, struct file *file, unsigned long user)
{
	u64 buffer[ARGUMENT_MAX / sizeof(u64)];
	size_t size_bytes = _IOC_SIZE(row->cmd);
	u32 *header = (u32 *)buffer;
	long ret;

	if (copy_from_user(buffer, (void __user *)user, size_bytes))
		return -EFAULT;
	if (row->versioned && header[0] != DUNE_ABI_VERSION)
		return -EPROTONOSUPPORT;
	if (row->versioned && header[1])
		return -EINVAL;
	/* A result that could not be told is an error before anything has happened. */
	if ((_IOC_DIR(row->cmd) & _IOC_READ) &&
	    copy_to_user((void __user *)user, buffer, size_bytes))
		return -EFAULT;
	if (row->call_user)
		return row->call_user(buffer, (void __user *)user);
	ret = row->call(file, buffer);
	if (ret >= 0 && (_IOC_DIR(row->cmd) & _IOC_READ) &&
	    copy_to_user((void __user *)user, buffer, size_bytes))
		return -EFAULT;
	return ret;
}

static long ioctl_find(const struct ioctl_row *rows, size_t count, struct file *file,
		       unsigned int cmd, unsigned long user)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (rows[i].cmd == cmd)
			return ioctl_call(&rows[i], file, user);
	return -ENOTTY;
}

static long ctx_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return ioctl_find(ctx_rows, ARRAY_SIZE(ctx_rows), file, cmd, arg);
}

static int ctx_release(struct inode *inode, struct file *file)
{
	context_put(file->private_data);
	return 0;
}

static const struct file_operations ctx_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = ctx_ioctl,
	.mmap = area_mmap,
	.release = ctx_release,
	.llseek = ctx_llseek,
};

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return ioctl_find(dev_rows, ARRAY_SIZE(dev_rows), file, cmd, arg);
}

static int dev_open(struct inode *inode, struct file *file)
{
	file->private_data = event_reader_new();
	return file->private_data ? nonseekable_open(inode, file) : -ENOMEM;
}

static int dev_release(struct inode *inode, struct file *file)
{
	kfree(file->private_data);
	return 0;
}

static ssize_t dev_read(struct file *file, char __user *buffer, size_t size_bytes, loff_t *unused)
{
	return event_read(file->private_data, buffer, size_bytes, !(file->f_flags & O_NONBLOCK));
}

static const struct file_operations dev_fops = {
	.owner = THIS_MODULE,
	.open = dev_open,
	.release = dev_release,
	.read = dev_read,
	.poll = event_poll,
	.unlocked_ioctl = dev_ioctl,
};

static struct miscdevice dev_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dune",
	.fops = &dev_fops,
	.mode = 0600,
};

int dev_init(void)
{
	return misc_register(&dev_misc);
}

void dev_done(void)
{
	misc_deregister(&dev_misc);
}
