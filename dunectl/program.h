/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Programs: finding the one to launch and dune-exec, running it as a foreground job and waiting for it.
 */
#ifndef DUNECTL_PROGRAM_H
#define DUNECTL_PROGRAM_H

/*
 * Finds a command as a shell does: by $PATH unless it has a slash. *ret_path is malloc'ed.
 * -ENOENT no such file, -EACCES found but not an executable file, -ENOMEM.
 */
int program_find(const char *command, char **ret_path);

/*
 * The path of dune-exec: $DUNE_EXEC, beside this program's folder in a build tree, or where it is
 * installed. *ret_path is malloc'ed. -ENOENT with the place in *ret_path all the same, -ENOMEM.
 */
int program_find_loader(char **ret_path);

/*
 * Runs `loader` with these arguments, context_fd open in it, and waits until it ended. Signals sent to
 * this process are passed on; what the terminal sends reaches the program by itself. When the program
 * stops, so does this process. *ret_status is as waitpid() gives it. Negative errno when there is no
 * process.
 */
int program_run(const char *loader, char *const arguments[], int context_fd, int *ret_status);

#endif
