// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * watch trace COMMAND...: runs the command with all its children under PTRACE_SYSCALL and prints how many
 * getpid calls stopped. watch audit: tells the kernel to audit getpid, from now on, for new processes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRACED_MAX 64

static void die(const char *what)
{
	fprintf(stderr, "watch: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* ---- ptrace ---- */

static struct {
	pid_t pid;
	int inside;
} traced[TRACED_MAX];

/* Is this stop the entry of a call? They alternate. */
static int is_entry(pid_t pid)
{
	for (int i = 0; i < TRACED_MAX; i++) {
		if (!traced[i].pid)
			traced[i].pid = pid;
		if (traced[i].pid == pid)
			return traced[i].inside = !traced[i].inside;
	}
	errno = ENOSPC;
	die("too many threads");
	return 0;
}

static int trace(char **command)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			     PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
	int status, code = 0, stops = 0;
	pid_t child = fork(), pid;

	if (!child) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		execv(command[0], command);
		die(command[0]);
	}
	if (waitpid(child, &status, 0) != child || ptrace(PTRACE_SETOPTIONS, child, 0, options) ||
	    ptrace(PTRACE_SYSCALL, child, 0, 0))
		die("ptrace");
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		struct user_regs_struct regs;
		int signal = 0;

		if (!WIFSTOPPED(status)) {
			if (pid == child)
				code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
			continue;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			if (is_entry(pid) && !ptrace(PTRACE_GETREGS, pid, 0, &regs))
				stops += regs.orig_rax == SYS_getpid;
		} else if (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != SIGSTOP) {
			signal = WSTOPSIG(status);
		}
		ptrace(PTRACE_SYSCALL, pid, 0, signal);
	}
	printf("getpid stops: %d\n", stops);
	return code;
}

/* ---- audit ---- */

static void audit_send(int fd, int type, const void *data, size_t size_bytes)
{
	struct {
		struct nlmsghdr header;
		char data[4096];
	} message = { .header = { NLMSG_LENGTH(size_bytes), (unsigned short)type,
				  NLM_F_REQUEST | NLM_F_ACK, 1, 0 } };
	struct nlmsgerr *answer = (struct nlmsgerr *)message.data;

	memcpy(message.data, data, size_bytes);
	if (send(fd, &message, message.header.nlmsg_len, 0) < 0 ||
	    recv(fd, &message, sizeof(message), 0) < 0)
		die("audit");
	if (message.header.nlmsg_type != NLMSG_ERROR || answer->error) {
		errno = -answer->error;
		die("audit answered");
	}
}

static int audit(void)
{
	struct audit_status status = { .mask = AUDIT_STATUS_ENABLED, .enabled = 1 };
	struct audit_rule_data rule = { .flags = AUDIT_FILTER_EXIT, .action = AUDIT_ALWAYS };
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);

	if (fd < 0)
		die("socket");
	rule.mask[AUDIT_WORD(SYS_getpid)] = AUDIT_BIT(SYS_getpid);
	audit_send(fd, AUDIT_SET, &status, sizeof(status));
	audit_send(fd, AUDIT_ADD_RULE, &rule, sizeof(rule));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 3 && !strcmp(argv[1], "trace"))
		return trace(argv + 2);
	if (argc == 2 && !strcmp(argv[1], "audit"))
		return audit();
	fprintf(stderr, "usage: watch trace COMMAND... | watch audit\n");
	return 2;
}
