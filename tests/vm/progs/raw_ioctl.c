// SPDX-License-Identifier: LGPL-2.1-or-later
/* Every ioctl with every argument bad, one field at a time, and its exact errno. */
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "raw.h"

static int failures, checks;

static void expect(const char *what, int got, int wanted)
{
	checks++;
	if (got == wanted)
		return;
	failures++;
	printf("%s: got %d (%s), wanted %d (%s)\n", what, got, strerror(-got), wanted,
	       strerror(-wanted));
}

static int call(int fd, unsigned long cmd, void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

static int run(int fd, int whence)
{
	return lseek(fd, 0, whence) < 0 ? -errno : 0;
}

/* arg with one 64-bit, 32-bit or 8-bit field at `offset` set to `value`. */
struct bad {
	const char *what;
	size_t offset, width;
	uint64_t value;
	int wanted;
};

static void try_each(int fd, unsigned long cmd, const void *good, size_t size,
		     const struct bad *bad, size_t count)
{
	uint64_t copy[64];

	for (size_t i = 0; i < count; i++) {
		memcpy(copy, good, size);
		memcpy((char *)copy + bad[i].offset, &bad[i].value, bad[i].width);
		expect(bad[i].what, call(fd, cmd, copy), bad[i].wanted);
	}
}

#define BAD(type, field, bad_value, err)                                         \
	{                                                                        \
#type "." #field " = " #bad_value, offsetof(struct type, field), \
			sizeof(((struct type *)0)->field), bad_value, err        \
	}

static void test_device(int device)
{
	struct dune_info info = {};
	struct dune_create create = { .abi = DUNE_ABI_VERSION, .owner = 1000 };
	struct dune_stats one;
	struct dune_stats_call stats = { .abi = DUNE_ABI_VERSION,
					 .buffer = (uint64_t)&one,
					 .capacity = 1 };
	struct dune_kill kill = { .abi = DUNE_ABI_VERSION, .id = 1 };
	struct dune_report report = { .abi = DUNE_ABI_VERSION, .id = 1 };
	struct dune_set_limits limits = { .abi = DUNE_ABI_VERSION, .id = 1 };
	const struct bad bad_info[] = { BAD(dune_info, flags, 1, -EINVAL) };
	const struct bad bad_create[] = {
		BAD(dune_create, abi, DUNE_ABI_VERSION + 1, -EPROTONOSUPPORT),
		BAD(dune_create, abi, 0, -EPROTONOSUPPORT),
		BAD(dune_create, flags, 1, -EINVAL),
		BAD(dune_create, owner, 0xffffffff, -EINVAL),
		BAD(dune_create, limits[DUNE_LIMIT_VCPUS], DUNE_MAX_VCPUS + 1, -ERANGE),
		BAD(dune_create, limits[DUNE_LIMIT_PRIVATE], 1ull << 40, -ERANGE),
		BAD(dune_create, limits[DUNE_LIMIT_CONTEXTS], 1ull << 40, -ERANGE),
		BAD(dune_create, limits[DUNE_LIMIT_EPT], 262145, -ERANGE),
		BAD(dune_create, limits[DUNE_LIMIT_EPT], 1, -ERANGE),
		BAD(dune_create, limits[DUNE_LIMIT_EPT], DUNE_EPT_PAGES_MIN - 1, -ERANGE),
		BAD(dune_create, name[0], 0x0a, -EINVAL),
		BAD(dune_create, name[0], 0xff, -EINVAL),
		BAD(dune_create, name[0], ' ', -EINVAL),
		BAD(dune_create, kvm_fd, 12345, -EBADF),
		BAD(dune_create, kvm_fd, 1, -EINVAL), /* no VM */
		BAD(dune_create, pad, 1, -EINVAL),
		BAD(dune_create, labels.cgroup[0], 0x0a, -EINVAL),
		BAD(dune_create, reserved[2], 1, -EINVAL),
	};
	const struct bad bad_stats[] = {
		BAD(dune_stats_call, abi, 9, -EPROTONOSUPPORT),
		BAD(dune_stats_call, flags, 1, -EINVAL),
		BAD(dune_stats_call, capacity, 0, -EINVAL),
		BAD(dune_stats_call, capacity, 65537, -EINVAL),
	};
	struct dune_totals sums;
	struct dune_totals_call totals = { .abi = DUNE_ABI_VERSION, .buffer = (uint64_t)&sums };
	const struct bad bad_totals[] = {
		BAD(dune_totals_call, abi, 9, -EPROTONOSUPPORT),
		BAD(dune_totals_call, flags, 1, -EINVAL),
		BAD(dune_totals_call, buffer, 0, -EFAULT),
		BAD(dune_totals_call, buffer, 0xffff888000000000, -EFAULT),
	};
	const struct bad bad_kill[] = {
		BAD(dune_kill, abi, 9, -EPROTONOSUPPORT),
		BAD(dune_kill, flags, 1, -EINVAL),
		BAD(dune_kill, id, 0, -ENOENT),
		BAD(dune_kill, id, -1ull, -ENOENT),
	};
	const struct bad bad_limits[] = {
		BAD(dune_set_limits, abi, 9, -EPROTONOSUPPORT),
		BAD(dune_set_limits, flags, 1, -EINVAL),
		BAD(dune_set_limits, id, 99, -ENOENT),
	};
	const struct bad bad_values[] = {
		BAD(dune_set_limits, limits[DUNE_LIMIT_VCPUS], DUNE_MAX_VCPUS + 1, -ERANGE),
		BAD(dune_set_limits, limits[DUNE_LIMIT_EPT], 262145, -ERANGE),
		BAD(dune_set_limits, limits[DUNE_LIMIT_EPT], DUNE_EPT_PAGES_MIN - 1, -ERANGE),
	};
	const struct bad bad_report[] = {
		BAD(dune_report, abi, 9, -EPROTONOSUPPORT),
		BAD(dune_report, flags, 1, -EINVAL),
		BAD(dune_report, id, 99, -ENOENT),
	};
	char event[sizeof(struct dune_event) - 1];
	int fd;

	try_each(device, DUNE_INFO, &info, sizeof(info), bad_info, 1);
	try_each(device, DUNE_CREATE, &create, sizeof(create), bad_create,
		 sizeof(bad_create) / sizeof(*bad_create));
	memset(create.name, 'a', sizeof(create.name));
	expect("name without end", call(device, DUNE_CREATE, &create), -EINVAL);
	memset(create.name, 0, sizeof(create.name));
	memset(create.labels.cgroup, 'a', sizeof(create.labels.cgroup));
	expect("cgroup without end", call(device, DUNE_CREATE, &create), -EINVAL);
	try_each(device, DUNE_TOTALS, &totals, sizeof(totals), bad_totals,
		 sizeof(bad_totals) / sizeof(*bad_totals));
	expect("totals", call(device, DUNE_TOTALS, &totals), 0);
	expect("contexts created by refused calls", (int)sums.created, 0);
	try_each(device, DUNE_STATS, &stats, sizeof(stats), bad_stats,
		 sizeof(bad_stats) / sizeof(*bad_stats));
	try_each(device, DUNE_KILL, &kill, sizeof(kill), bad_kill,
		 sizeof(bad_kill) / sizeof(*bad_kill));
	try_each(device, DUNE_SET_LIMITS, &limits, sizeof(limits), bad_limits,
		 sizeof(bad_limits) / sizeof(*bad_limits));
	try_each(device, DUNE_REPORT, &report, sizeof(report), bad_report,
		 sizeof(bad_report) / sizeof(*bad_report));
	for (unsigned long nr = 0; nr < 256; nr++)
		for (unsigned long dir = 0; dir < 4; dir++) {
			unsigned long cmd = dir << 30 | 8 << 16 | 'D' << 8 | nr;

			expect("unknown ioctl", call(device, cmd, &info), -ENOTTY);
		}
	expect("info at a bad address", call(device, DUNE_INFO, (void *)8), -EFAULT);
	expect("create at a bad address", call(device, DUNE_CREATE, (void *)-4096), -EFAULT);
	expect("RUN on the device", run(device, DUNE_RUN), -ESPIPE);
	expect("ATTACH on the device", call(device, DUNE_ATTACH, &info), -ENOTTY);
	fcntl(device, F_SETFL, O_NONBLOCK);
	fd = raw_create(device, 1000, "events");
	stats.buffer = 8;
	expect("stats to a bad address", call(device, DUNE_STATS, &stats), -EFAULT);
	try_each(device, DUNE_SET_LIMITS, &limits, sizeof(limits), bad_values,
		 sizeof(bad_values) / sizeof(*bad_values));
	limits.limits[DUNE_LIMIT_EPT] = DUNE_EPT_PAGES_MIN;
	expect("the least of EPT tables", call(device, DUNE_SET_LIMITS, &limits), 0);
	kill.id = 1;
	expect("kill of an unattached context", call(device, DUNE_KILL, &kill), -ESRCH);
	expect("short read", read(device, event, sizeof(event)) < 0 ? -errno : 0, -EINVAL);
	expect("read at a bad address", syscall(SYS_read, device, 8, 4096) < 0 ? -errno : 0,
	       -EFAULT);
	expect("INFO on a context", call(fd, DUNE_INFO, &info), -ENOTTY);
	close(fd);
	expect("totals", call(device, DUNE_TOTALS, &totals), 0);
	expect("contexts created", (int)sums.created, 1);
	expect("contexts freed without a process", (int)sums.ended[DUNE_END_NONE], 1);
}

static void test_attach(int device)
{
	struct dune_attach attach = { .abi = DUNE_ABI_VERSION };
	const struct bad bad[] = {
		BAD(dune_attach, abi, DUNE_ABI_VERSION + 1, -EPROTONOSUPPORT),
		BAD(dune_attach, flags, 4, -EINVAL),
		BAD(dune_attach, reserved[0], 1, -EINVAL),
		BAD(dune_attach, reserved[1], 1, -EINVAL),
	};
	int other = raw_create(device, 1000, "foreign"), mine = raw_create(device, 0, "mine");

	try_each(mine, DUNE_ATTACH, &attach, sizeof(attach), bad, 4);
	expect("attach to another's", call(other, DUNE_ATTACH, &attach), -EPERM);
	prctl(PR_SET_DUMPABLE, 0);
	expect("attach when not dumpable", call(mine, DUNE_ATTACH, &attach), -EACCES);
	prctl(PR_SET_DUMPABLE, 1);
	prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
	expect("attach where RDTSC is forbidden", call(mine, DUNE_ATTACH, &attach), -EOPNOTSUPP);
	prctl(PR_SET_TSC, PR_TSC_ENABLE);
	expect("map before attach", raw_map_area(mine), -ENXIO);
	expect("attach", call(mine, DUNE_ATTACH, &attach), 0);
	attach.ret_id = 0;
	expect("attach twice", call(mine, DUNE_ATTACH, &attach), -EEXIST);
	close(other);
	other = raw_create(device, 0, "second");
	expect("second context", call(other, DUNE_ATTACH, &attach), -EEXIST);
	if (!fork())
		exit(-raw_write(mine, 0x1000, "x", 1));
	int status;
	wait(&status);
	expect("use by another process", -WEXITSTATUS(status), -EXDEV);
	close(other);
	close(mine);
}

static void expect_mmap(const char *what, int fd, unsigned long address, int prot, int flags,
			unsigned long offset, unsigned long size, int wanted)
{
	void *got = mmap((void *)address, size, prot, flags | MAP_FIXED_NOREPLACE, fd, offset);

	expect(what, got == MAP_FAILED ? -errno : 0, wanted);
}

static void test_area(int fd)
{
	const unsigned long t = DUNE_TRAMPOLINE_ADDR, r = DUNE_RUN_ADDR;

	expect_mmap("trampoline elsewhere", fd, t + 4096, PROT_READ | PROT_EXEC, MAP_SHARED, 0,
		    4096, -EINVAL);
	expect_mmap("trampoline writable", fd, t, PROT_READ | PROT_WRITE, MAP_SHARED, 0, 4096,
		    -EACCES);
	expect_mmap("trampoline private", fd, t, PROT_READ | PROT_EXEC, MAP_PRIVATE, 0, 4096,
		    -EACCES);
	expect_mmap("trampoline too long", fd, t, PROT_READ | PROT_EXEC, MAP_SHARED, 0, 8192,
		    -EINVAL);
	expect_mmap("run page writable", fd, r, PROT_READ | PROT_WRITE, MAP_SHARED, DUNE_MMAP_RUN,
		    4096, -EACCES);
	expect_mmap("run page executable", fd, r, PROT_READ | PROT_EXEC, MAP_SHARED, DUNE_MMAP_RUN,
		    4096, -EACCES);
	expect_mmap("run page of no vcpu", fd, r + DUNE_VCPU_STRIDE, PROT_READ, MAP_SHARED,
		    DUNE_MMAP_RUN + DUNE_VCPU_STRIDE, 4096, -ENXIO);
	expect_mmap("hole in the offsets", fd, t + 4096, PROT_READ, MAP_SHARED, 4096, 4096, -ENXIO);
	expect_mmap("offset far out", fd, t, PROT_READ, MAP_SHARED, 1ul << 40, 4096, -ENXIO);
}

static void test_private(int fd)
{
	const struct {
		const char *what;
		struct dune_private_write write;
		int wanted;
	} rows[] = {
		{ "no bytes", { 0x1000, 0, 0 }, -EINVAL },
		{ "too many bytes", { 0, 0, (16 << 20) + 1 }, -EINVAL },
		{ "outside", { DUNE_PRIVATE_END, 0, 1 }, -ERANGE },
		{ "over the end", { DUNE_PRIVATE_END - 1, 0, 2 }, -ERANGE },
		{ "wraps", { -1ull, 0, 2 }, -ERANGE },
		{ "bad source", { 0x1000, 8, 8 }, -EFAULT },
		{ "kernel source", { 0x1000, 0xffffffff81000000ull, 8 }, -EFAULT },
		{ "over the limit", { 0x100000, 0, 16 << 20 }, -EDQUOT },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct dune_private_write write = rows[i].write;

		expect(rows[i].what, call(fd, DUNE_PRIVATE_WRITE, &write), rows[i].wanted);
	}
}

static void test_lock(int fd)
{
	struct dune_lock lock = raw_state();
	const uint64_t low = 0x400000, hole = 0x8000000000000000ull;
	const struct bad bad[] = {
		BAD(dune_lock, abi, 3, -EPROTONOSUPPORT),
		BAD(dune_lock, flags, 1, -EINVAL),
		BAD(dune_lock, pad, 1, -EINVAL),
		BAD(dune_lock, signal_vector, 31, -EINVAL),
		BAD(dune_lock, signal_vector, 256, -EINVAL),
		BAD(dune_lock, state.rip, low, -EINVAL),
		BAD(dune_lock, state.rip, hole, -EINVAL),
		BAD(dune_lock, state.rsp, hole, -EINVAL),
		BAD(dune_lock, state.cr3, 0x1001, -EINVAL),
		BAD(dune_lock, state.cr3, DUNE_PRIVATE_END, -EINVAL),
		BAD(dune_lock, state.cr3, 1ull << 45, -EINVAL),
		BAD(dune_lock, state.gdt_base, low, -EINVAL),
		BAD(dune_lock, state.gdt_limit, 0x10000, -EINVAL),
		BAD(dune_lock, state.idt_base, low, -EINVAL),
		BAD(dune_lock, state.idt_limit, 0x10000, -EINVAL),
		BAD(dune_lock, state.tr_base, low, -EINVAL),
		BAD(dune_lock, state.tr_limit, 0x66, -EINVAL),
		BAD(dune_lock, state.tr_selector, 0, -EINVAL),
		BAD(dune_lock, state.tr_selector, 0x23, -EINVAL),
		BAD(dune_lock, state.cs_selector, 0, -EINVAL),
		BAD(dune_lock, state.cs_selector, 0x33, -EINVAL),
		BAD(dune_lock, state.ss_selector, 0x2b, -EINVAL),
		BAD(dune_lock, state.pad[1], 1, -EINVAL),
		BAD(dune_lock, state.lstar, low, -EINVAL),
		BAD(dune_lock, state.fmask, 1ull << 32, -EINVAL),
		BAD(dune_lock, state.fs_base, hole, -EINVAL),
		BAD(dune_lock, state.gs_base, hole, -EINVAL),
	};

	try_each(fd, DUNE_LOCK, &lock, sizeof(lock), bad, sizeof(bad) / sizeof(*bad));
	expect("lock without the area", call(fd, DUNE_LOCK, &lock), -ENXIO);
	expect("area", raw_map_area(fd), 0);
	expect("run before lock", run(fd, DUNE_RUN), -EPERM);
	expect("lock", call(fd, DUNE_LOCK, &lock), 0);
	expect("lock twice", call(fd, DUNE_LOCK, &lock), -EBUSY);
	expect("write after lock", raw_write(fd, 0x1000, "x", 1), -EBUSY);
	expect("run from elsewhere", run(fd, DUNE_RUN), -EPERM);
	expect("signal from elsewhere", run(fd, DUNE_RUN_SIGNAL), -EPERM);
	for (int whence = 2; whence < 5; whence++)
		expect("another whence", run(fd, whence), -EINVAL);
}

static void test_context(int device)
{
	struct dune_create create = { .abi = DUNE_ABI_VERSION,
				      .limits = { [DUNE_LIMIT_PRIVATE] = 100 } };

	if (ioctl(device, DUNE_CREATE, &create))
		raw_die("create: %m");
	expect("attach", raw_attach(create.ret_fd), 0);
	test_area(create.ret_fd);
	test_private(create.ret_fd);
	test_lock(create.ret_fd);
}

/* Private memory that is spread over all of its place has no more tables than the least limit. */
static void test_sparse(int device)
{
	struct dune_create create = { .abi = DUNE_ABI_VERSION,
				      .limits = { [DUNE_LIMIT_EPT] = DUNE_EPT_PAGES_MIN } };
	struct dune_stats one;
	struct dune_stats_call stats = { .abi = DUNE_ABI_VERSION,
					 .buffer = (uint64_t)&one,
					 .capacity = 1 };

	if (ioctl(device, DUNE_CREATE, &create))
		raw_die("create: %m");
	expect("attach", raw_attach(create.ret_fd), 0);
	for (uint64_t gpa = 0; gpa < DUNE_PRIVATE_END; gpa += 2 << 20)
		expect("a byte in every 2 MB", raw_write(create.ret_fd, gpa, "x", 1), 0);
	stats.after_id = create.ret_id - 1;
	expect("stats", call(device, DUNE_STATS, &stats), 0);
	printf("EPT pages of spread private memory: %llu\n",
	       (unsigned long long)one.counters[DUNE_COUNT_EPT_NOW]);
	expect("more than its bytes", one.counters[DUNE_COUNT_EPT_NOW] > 256, 1);
	expect("at most 261", one.counters[DUNE_COUNT_EPT_NOW] <= 261, 1);
}

int main(void)
{
	void (*const parts[])(int) = { test_device, test_attach, test_context, test_sparse };
	int status = 0, all = 0;

	for (int i = 0; i < 4; i++) {
		fflush(stdout);
		if (!fork()) {
			int device = raw_device();

			parts[i](device);
			printf("part %d: %d checks, %d failures\n", i, checks, failures);
			exit(failures || !checks);
		}
		wait(&status);
		all |= status;
	}
	return !!all;
}
