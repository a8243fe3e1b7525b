// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Finding and running programs; see program.h. Between fork and exec the child only does what may be done
 * there (async-signal-safe calls).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dunectl/dunectl.h"
#include "dunectl/program.h"

/* What the shell uses without $PATH. */
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

/* 0 when it is a file that may be executed. */
static int check_executable(const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return errno == ENOTDIR ? -ENOENT : -errno;
	if (!S_ISREG(status.st_mode))
		return -EACCES;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? -EACCES : 0;
}

static int try_path(const char *folder, size_t length, const char *command, char **ret_path)
{
	char *path;
	int r;

	if (length == 0)
		r = asprintf(&path, "./%s", command);
	else
		r = asprintf(&path, "%.*s/%s", (int)length, folder, command);
	if (r < 0)
		return -ENOMEM;
	r = check_executable(path);
	if (r < 0)
		free(path);
	else
		*ret_path = path;
	return r;
}

int program_find(const char *command, char **ret_path)
{
	const char *folders = getenv("PATH");
	bool denied = false;
	size_t length;
	int r;

	if (!command[0])
		return -ENOENT;
	if (strchr(command, '/')) {
		r = check_executable(command);
		if (r < 0)
			return r;
		*ret_path = strdup(command);
		return *ret_path ? 0 : -ENOMEM;
	}
	if (!folders)
		folders = DEFAULT_PATH;
	for (;; folders += length + 1) {
		length = strcspn(folders, ":");
		r = try_path(folders, length, command, ret_path);
		if (r == 0 || r == -ENOMEM)
			return r;
		denied |= r == -EACCES;
		if (!folders[length])
			return denied ? -EACCES : -ENOENT;
	}
}

/* In a build tree this program is BUILD/dunectl/dunectl and the loader BUILD/dune-exec. */
static int find_built_loader(char **ret_path)
{
	char self[4096], *slash;
	ssize_t length;

	length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (length < 0)
		return -errno;
	self[length] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	slash = strrchr(self, '/');
	if (!slash || strcmp(slash, "/dunectl") != 0)
		return -ENOENT;
	return try_path(self, (size_t)(slash - self), "dune-exec", ret_path);
}

int program_find_loader(char **ret_path)
{
	const char *path = secure_getenv("DUNE_EXEC");
	char *copy;

	if (!path || !path[0]) {
		if (find_built_loader(ret_path) == 0)
			return 0;
		path = DUNE_LIBEXECDIR "/dune-exec";
	}
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	*ret_path = copy;
	return check_executable(path) < 0 ? -ENOENT : 0;
}

/* Signals that are passed on, and SIGCHLD. */
static const int watched_signals[] = {
	SIGCHLD, SIGINT,  SIGTERM, SIGHUP,   SIGQUIT, SIGUSR1,
	SIGUSR2, SIGCONT, SIGTSTP, SIGWINCH, SIGALRM,
};

/* What this process changes about signals, for the child to have it as it was. */
struct signal_state {
	sigset_t mask;
	struct sigaction child;
};

_Noreturn static void run_child(const char *loader, char *const arguments[], int context_fd,
				const struct signal_state *before)
{
	int flags = fcntl(context_fd, F_GETFD);

	if (flags >= 0 && fcntl(context_fd, F_SETFD, flags & ~FD_CLOEXEC) == 0 &&
	    sigaction(SIGCHLD, &before->child, NULL) == 0 &&
	    sigprocmask(SIG_SETMASK, &before->mask, NULL) == 0)
		execv(loader, arguments);
	dunectl_error("cannot execute %s: %s", loader, strerror(errno));
	_exit(STATUS_LAUNCH);
}

/*
 * The terminal's signals go to the whole foreground group, the program included; but a hangup to the session's
 * leader alone, and an alarm that was set before to whom it was set for.
 */
static bool went_to_group(const siginfo_t *info)
{
	if (info->si_signo == SIGHUP)
		return info->si_code == SI_KERNEL && getsid(0) != getpid();
	return info->si_code == SI_KERNEL && info->si_signo != SIGALRM;
}

/* Waits for one signal and does what it asks for; true when the child ended. */
static bool handle_signal(pid_t child, const sigset_t *watched, int *ret_status)
{
	siginfo_t info;
	int status;

	if (sigwaitinfo(watched, &info) < 0)
		return false;
	if (info.si_signo != SIGCHLD) {
		if (!went_to_group(&info))
			kill(child, info.si_signo);
		return false;
	}
	while (waitpid(child, &status, WNOHANG | WUNTRACED) == child) {
		if (!WIFSTOPPED(status)) {
			*ret_status = status;
			return true;
		}
		/* So that the shell sees its job stop. SIGSTOP, as the signal itself is blocked here. */
		raise(SIGSTOP);
	}
	return false;
}

/*
 * Blocks what is watched, before the fork so that none is lost between the fork and the first wait. An
 * ignored SIGCHLD, which is inherited, would reap the child before it can be asked for its status.
 */
static int prepare_signals(sigset_t *ret_watched, struct signal_state *ret_before)
{
	struct sigaction standard = { .sa_handler = SIG_DFL };

	sigemptyset(ret_watched);
	for (size_t i = 0; i < sizeof(watched_signals) / sizeof(watched_signals[0]); i++)
		sigaddset(ret_watched, watched_signals[i]);
	if (sigaction(SIGCHLD, &standard, &ret_before->child) < 0 ||
	    sigprocmask(SIG_BLOCK, ret_watched, &ret_before->mask) < 0)
		return -errno;
	return 0;
}

static void restore_signals(const struct signal_state *before)
{
	sigprocmask(SIG_SETMASK, &before->mask, NULL);
	sigaction(SIGCHLD, &before->child, NULL);
}

int program_run(const char *loader, char *const arguments[], int context_fd, int *ret_status)
{
	struct signal_state before;
	sigset_t watched;
	pid_t child;
	int r;

	fflush(stdout);
	r = prepare_signals(&watched, &before);
	if (r < 0)
		return r;
	child = fork();
	if (child == 0)
		run_child(loader, arguments, context_fd, &before);
	r = child < 0 ? -errno : 0;
	while (child > 0 && !handle_signal(child, &watched, ret_status))
		;
	restore_signals(&before);
	return r;
}
