// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A context in hands that it was not meant for: its fd passed to another process, its mm shared with one, a
 * second thread in RUN, descriptors and result pages that can't take what a call returns. raw_share PART runs
 * one part; without one, all of them, each in a child.
 */
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <ucontext.h>
#include "raw.h"

#define SKIP INT_MAX /* would change the state of the context */

static int failures, checks;

static void expect(const char *when, const char *what, long got, long wanted)
{
	checks++;
	if (got == wanted)
		return;
	failures++;
	printf("%s, %s: got %ld (%s), wanted %ld (%s)\n", when, what, got, strerror(-got), wanted,
	       strerror(-wanted));
}

/* The kernel's answer as it gives it. */
static long plain(long result)
{
	return result < 0 ? -errno : result;
}

/* The guest spins: `jmp .` */
static const char spin[] = "\xeb\xfe";

/* ---- passing descriptors ---- */

static void send_fd(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = {}, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	if (sendmsg(socket, &msg, 0) != 1)
		raw_die("sendmsg: %m");
}

static int receive_fd(int socket)
{
	char control[CMSG_SPACE(sizeof(int))] = {}, byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int fd;

	if (recvmsg(socket, &msg, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&msg))
		raw_die("recvmsg: %m");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return fd;
}

/* ---- what another process can do with the fd, in each state of the context ---- */

static long try_attach(int fd)
{
	return raw_attach(fd);
}

static long try_attach_other(int fd)
{
	long ret;

	if (seteuid(1000))
		raw_die("seteuid: %m");
	ret = raw_attach(fd);
	if (seteuid(0))
		raw_die("seteuid: %m");
	prctl(PR_SET_DUMPABLE, 1);
	return ret;
}

static long try_write(int fd)
{
	return raw_write(fd, RAW_CODE, spin, 2);
}

static long try_write_bad(int fd)
{
	return raw_write(fd, -1, NULL, -1);
}

static long try_lock(int fd)
{
	return raw_lock(fd);
}

static long try_lock_bad(int fd)
{
	struct dune_lock lock = { .abi = DUNE_ABI_VERSION };

	return plain(ioctl(fd, DUNE_LOCK, &lock));
}

static long try_run(int fd)
{
	return plain(lseek(fd, 0, DUNE_RUN));
}

static long try_signal(int fd)
{
	return plain(lseek(fd, 0, DUNE_RUN_SIGNAL));
}

static long try_seek(int fd)
{
	return plain(lseek(fd, 0, SEEK_END));
}

static long try_area(int fd)
{
	return raw_map_area(fd);
}

static long try_run_page(int fd)
{
	return mmap((void *)DUNE_RUN_ADDR, 4096, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, fd,
		    DUNE_MMAP_RUN) == MAP_FAILED ?
		       -errno :
		       0;
}

static long try_unknown(int fd)
{
	return plain(ioctl(fd, _IO('D', 0x30), 0));
}

static long try_info(int fd)
{
	struct dune_info info = {};

	return plain(ioctl(fd, DUNE_INFO, &info));
}

static long try_read(int fd)
{
	char byte;

	return plain(read(fd, &byte, 1));
}

static long try_pwrite(int fd)
{
	return plain(pwrite(fd, "x", 1, 0));
}

static long try_truncate(int fd)
{
	return plain(ftruncate(fd, 0));
}

enum { NEW, ATTACHED, RUNNING, ENDED, NR_STATES };
static const char *const state_names[] = { "new", "attached", "running", "ended" };

#define ALL(err)                   \
	{                          \
		err, err, err, err \
	}

/* clang-format off */
static const struct {
	const char *name;
	long (*try)(int fd);
	long wanted[NR_STATES];
} rows[] = {
	{ "ATTACH", try_attach, { SKIP, -EEXIST, -EEXIST, -EEXIST } },
	{ "ATTACH by another user", try_attach_other, ALL(-EPERM) },
	{ "PRIVATE_WRITE", try_write, ALL(-EXDEV) },
	{ "PRIVATE_WRITE, bad", try_write_bad, ALL(-EXDEV) },
	{ "LOCK", try_lock, ALL(-EXDEV) },
	{ "LOCK, bad", try_lock_bad, ALL(-EXDEV) },
	{ "RUN", try_run, ALL(-EXDEV) },
	{ "RUN_SIGNAL", try_signal, ALL(-EXDEV) },
	{ "lseek", try_seek, ALL(-EINVAL) },
	{ "mmap of the trampoline", try_area, { -ENXIO, -EXDEV, -EXDEV, -ENXIO } },
	{ "mmap of the run page", try_run_page, { -ENXIO, -EXDEV, -EXDEV, -ENXIO } },
	{ "an unknown ioctl", try_unknown, ALL(-ENOTTY) },
	{ "INFO", try_info, ALL(-ENOTTY) },
	{ "read", try_read, ALL(-EINVAL) },
	{ "pwrite", try_pwrite, ALL(-ESPIPE) },
	{ "ftruncate", try_truncate, ALL(-EINVAL) },
};
/* clang-format on */

/* Its process: from one state to the next, when told to. */
static void owner(int device, int socket)
{
	int fd = raw_create(device, 0, "shared");
	char byte;

	send_fd(socket, fd);
	read(socket, &byte, 1);
	if (raw_attach(fd) || raw_map_area(fd))
		raw_die("attach");
	raw_fill(fd, spin, 2);
	write(socket, "a", 1);
	read(socket, &byte, 1);
	if (raw_lock(fd))
		raw_die("lock");
	write(socket, "l", 1);
	raw_go(fd);
}

static void part_passed(int device)
{
	int pair[2], fd;
	char byte = 0;
	pid_t pid;

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	pid = fork();
	if (!pid)
		owner(device, pair[1]);
	fd = receive_fd(pair[0]);
	for (int state = NEW; state < NR_STATES; state++) {
		if (state == ATTACHED || state == RUNNING) {
			write(pair[0], "n", 1);
			read(pair[0], &byte, 1);
		}
		if (state == ENDED) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
		}
		for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
			if (rows[i].wanted[state] != SKIP)
				expect(state_names[state], rows[i].name, rows[i].try(fd),
				       rows[i].wanted[state]);
		/* Nothing of that was noticed. */
		expect(state_names[state], "the owner", kill(pid, 0) ? -errno : 0,
		       state == ENDED ? -ESRCH : 0);
	}
	/* With the context gone the process that tried can still have one of its own. */
	close(fd);
	fd = raw_create(device, 0, "own");
	expect("afterwards", "ATTACH", raw_attach(fd), 0);
}

/* ---- an mm that another process shares ---- */

static char stacks[2][65536] __attribute__((aligned(16)));
static volatile int thread_id;

static int stay(void *unused)
{
	thread_id = syscall(SYS_gettid);
	while (thread_id)
		syscall(SYS_pause);
	return 0;
}

static int leave_thread(void *unused)
{
	clone(stay, stacks[1] + sizeof(stacks[1]),
	      CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FILES, NULL);
	syscall(SYS_exit, 0);
	return 0;
}

/* A process whose first thread has exited and whose other thread lives on, in this mm. */
static pid_t leaderless(void)
{
	char path[64], line[256] = "";
	pid_t pid;

	thread_id = 0;
	pid = clone(leave_thread, stacks[0] + sizeof(stacks[0]), CLONE_VM | SIGCHLD, NULL);
	if (pid < 0)
		raw_die("clone: %m");
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	while (!thread_id || !strstr(line, ") Z ")) {
		int fd = open(path, O_RDONLY);

		if (fd < 0 || read(fd, line, sizeof(line) - 1) < 0)
			raw_die("%s: %m", path);
		close(fd);
		usleep(1000);
	}
	return pid;
}

static void part_leaderless(int device)
{
	int fd = raw_create(device, 0, "leaderless");
	pid_t pid = leaderless();

	expect("mm shared by a thread", "ATTACH", raw_attach(fd), -EBUSY);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	expect("mm not shared any more", "ATTACH", raw_attach(fd), 0);
}

static void end_of_orphan(int device, int fd, uint64_t id, pid_t pid)
{
	struct dune_kill call = { .abi = DUNE_ABI_VERSION, .id = id };
	struct dune_stats stats = {};
	struct dune_stats_call list = { .abi = DUNE_ABI_VERSION,
					.after_id = id - 1,
					.buffer = (uint64_t)&stats,
					.capacity = 1 };

	if (ioctl(device, DUNE_KILL, &call))
		raw_die("DUNE_KILL: %m");
	waitpid(pid, NULL, 0);
	for (int i = 0; i < 200 && stats.state != DUNE_STATE_ENDED; i++) {
		usleep(10000);
		if (ioctl(device, DUNE_STATS, &list))
			raw_die("DUNE_STATS: %m");
	}
	expect("after KILL, an mm kept by a thread", "state", stats.state, DUNE_STATE_ENDED);
	close(fd);
}

/* KILL has to end whoever else keeps the mm, made natively after ATTACH. */
static void part_orphan(int device)
{
	struct dune_create create = { .abi = DUNE_ABI_VERSION };
	int pair[2];
	char byte;
	pid_t pid;

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	if (ioctl(device, DUNE_CREATE, &create))
		raw_die("create: %m");
	pid = fork();
	if (!pid) {
		if (raw_attach(create.ret_fd))
			raw_die("attach");
		leaderless();
		write(pair[1], "r", 1);
		for (;;)
			pause();
	}
	read(pair[0], &byte, 1);
	end_of_orphan(device, create.ret_fd, create.ret_id, pid);
}

/* ---- another program in the place of the one that attached ---- */

static int left_by_exec[2]; /* the write end is closed by the exec */

/* Keeps the mm of a process that runs another program, and has the context ended if it is told to. */
static __attribute__((noreturn)) int keep_mm(void *unmaps)
{
	char byte;

	close(left_by_exec[1]);
	read(left_by_exec[0], &byte, 1);
	if (unmaps)
		munmap((void *)DUNE_TRAMPOLINE_ADDR, 4096);
	for (;;)
		pause();
}

static void replace_program(int fd, int unmaps)
{
	static char stack[65536] __attribute__((aligned(16)));

	if (pipe2(left_by_exec, O_CLOEXEC) || raw_attach(fd) || raw_map_area(fd))
		raw_die("attach");
	/* Its end is told to nobody: only the mm is shared. */
	if (clone(keep_mm, stack + sizeof(stack), CLONE_VM, unmaps ? "" : NULL) < 0)
		raw_die("clone: %m");
	execl("/bin/busybox", "busybox", "sleep", "1000", NULL);
	raw_die("exec: %m");
}

/* Whoever attached is not to be killed for what its old program left: it may have other rights by now. */
static void part_replaced(int device)
{
	for (int unmaps = 0; unmaps < 2; unmaps++) {
		struct dune_create create = { .abi = DUNE_ABI_VERSION };
		struct dune_kill call = { .abi = DUNE_ABI_VERSION };
		pid_t pid;

		if (ioctl(device, DUNE_CREATE, &create))
			raw_die("create: %m");
		pid = fork();
		if (!pid)
			replace_program(create.ret_fd, unmaps);
		call.id = create.ret_id;
		usleep(300000);
		if (!unmaps)
			expect("the mm is kept", "KILL", plain(ioctl(device, DUNE_KILL, &call)), 0);
		close(create.ret_fd);
		for (int i = 0; i < 500 && raw_info(device).contexts; i++)
			usleep(10000);
		expect("the mm was kept", "contexts", raw_info(device).contexts, 0);
		expect("the new program", "waitpid", waitpid(pid, NULL, WNOHANG), 0);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

/* ---- a thread that has no vcpu ---- */

static int thread_fd;

/* The trampoline meets an error with UD2: what it had got is in RAX. */
static void on_ill(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	long rax = uc->uc_mcontext.gregs[REG_RAX];

	_exit(rax < 0 && rax > -128 ? -rax : 127);
}

static void *second_thread(void *unused)
{
	usleep(50000);
	raw_go(thread_fd);
	return NULL;
}

static void part_thread(int device)
{
	struct sigaction action = { .sa_sigaction = on_ill, .sa_flags = SA_SIGINFO };
	pthread_t thread;
	int status;

	if (!fork()) {
		sigaction(SIGILL, &action, NULL);
		thread_fd = raw_setup(device, "threads", spin, 2);
		pthread_create(&thread, NULL, second_thread, NULL);
		raw_go(thread_fd);
	}
	wait(&status);
	expect("a second thread", "RUN, exit status", WEXITSTATUS(status), ESRCH);
	expect("a second thread", "RUN, signal", status & 0x7f, 0);
}

/* ---- results that can't be given ---- */

static void part_results(int device)
{
	struct dune_create create = { .abi = DUNE_ABI_VERSION };
	struct dune_attach *attach =
		mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rlimit all, none = { 0, 4096 };
	uint64_t contexts = raw_info(device).contexts;
	int fd;

	mprotect((char *)attach + 4096, 4096, PROT_NONE);
	getrlimit(RLIMIT_NOFILE, &all);
	none.rlim_max = all.rlim_max;
	setrlimit(RLIMIT_NOFILE, &none);
	expect("no descriptors", "CREATE", plain(ioctl(device, DUNE_CREATE, &create)), -EMFILE);
	setrlimit(RLIMIT_NOFILE, &all);
	expect("no descriptors", "contexts", raw_info(device).contexts, contexts);
	memset(attach, 0, sizeof(create));
	attach->abi = DUNE_ABI_VERSION;
	mprotect(attach, 4096, PROT_READ);
	expect("a read-only page", "CREATE", plain(ioctl(device, DUNE_CREATE, attach)), -EFAULT);
	expect("a read-only page", "contexts", raw_info(device).contexts, contexts);
	fd = raw_create(device, 0, "results");
	expect("a read-only page", "ATTACH", plain(ioctl(fd, DUNE_ATTACH, attach)), -EFAULT);
	expect("a page at the end", "ATTACH",
	       plain(ioctl(fd, DUNE_ATTACH, (char *)attach + 4096 - 8)), -EFAULT);
	expect("after that", "vcpus", raw_info(device).vcpus, 0);
	expect("a good page", "ATTACH", raw_attach(fd), 0);
}

static const struct {
	const char *name;
	void (*run)(int device);
} parts[] = {
	{ "passed", part_passed }, { "leaderless", part_leaderless },
	{ "orphan", part_orphan }, { "replaced", part_replaced },
	{ "thread", part_thread }, { "results", part_results },
};

/* Parts count vcpus and contexts, so each starts with none. */
static void settle(int device)
{
	while (raw_info(device).contexts)
		usleep(1000);
}

int main(int argc, char **argv)
{
	int device = raw_device(), status, all = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		if (argc > 1 && strcmp(argv[1], parts[i].name))
			continue;
		fflush(stdout);
		if (!fork()) {
			parts[i].run(device);
			printf("%s: %d checks, %d failures\n", parts[i].name, checks, failures);
			exit(failures || !checks);
		}
		wait(&status);
		all |= status;
		settle(device);
	}
	return !!all;
}
