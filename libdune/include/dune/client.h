/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libdune's client side: talks to duned, the service that owns the contexts of a host.
 *
 * Functions return 0 or a negative errno; outputs come last and are untouched on failure. After a
 * failed call dune_client_error_name() tells the Varlink error that the service replied with, if it
 * did, and dune_client_error_text() says in one line what went wrong.
 *
 * Results are allocated by the library and freed with the function named beside them; everything they
 * point to lives as long. Structs may grow at their end, so never allocate, copy or compare whole ones.
 *
 * A client is one connection and is used by one thread at a time.
 */
#ifndef DUNE_CLIENT_H
#define DUNE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library is built with hidden symbols; what stands here is exported. */
#pragma GCC visibility push(default)

/* Where the service listens, unless $DUNE_SOCKET says otherwise. */
#define DUNE_CLIENT_SOCKET "/run/dune/io.dune.Manager"

/* Longest wait for one reply when nothing else is set. */
#define DUNE_CLIENT_TIMEOUT_MS 10000

struct dune_client;

/* 0 in a call: the service's default. In a result: the host's ceiling. */
struct dune_client_limits {
	uint64_t vcpus;
	uint64_t private_pages; /* of 4096 bytes */
	uint64_t ept_pages;
	uint64_t contexts; /* of the owner */
};

struct dune_client_context {
	uint64_t id;
	const char *name;
	uint32_t owner; /* uid */
	int32_t pid; /* 0: no process */
	const char *state; /* "new", "attached", "running", "ended" */
	const char *cause; /* why it ended; NULL before */
	const char *command; /* NULL without a process */
	uint64_t created_usec; /* CLOCK_MONOTONIC */
	struct dune_client_limits limits;
	struct dune_client_limits usage; /* contexts: always 0 */
};

struct dune_client_counter {
	const char *name;
	uint64_t value;
};

struct dune_client_counters {
	size_t nr;
	const struct dune_client_counter *values;
};

struct dune_client_registers {
	uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rip, rflags, cs, ss;
	uint64_t cr0, cr2, cr3, cr4;
};

/* How a guest fault ended a context. */
struct dune_client_report {
	const char *cause;
	const char *exit_reason;
	uint32_t cpl;
	uint32_t vector; /* with error_code: valid for the cause "panic" */
	uint64_t error_code;
	uint64_t exit_qualification;
	uint64_t guest_physical;
	uint64_t guest_linear;
	struct dune_client_registers registers;
};

struct dune_client_list {
	size_t nr;
	const struct dune_client_context *const *contexts; /* by ascending id */
};

struct dune_client_inspection {
	const struct dune_client_context *context;
	struct dune_client_counters counters;
	struct dune_client_counters exits; /* by reason; their sum is the counter "exits" */
	const struct dune_client_report *report; /* NULL unless a guest fault ended it */
};

struct dune_client_sample {
	const struct dune_client_context *context;
	struct dune_client_counters counters;
	struct dune_client_counters exits;
};

struct dune_client_stats {
	uint64_t time_usec; /* CLOCK_MONOTONIC */
	size_t nr;
	const struct dune_client_sample *const *samples;
};

/* What the kernel module has allocated now. */
struct dune_client_allocation {
	uint64_t contexts;
	uint64_t vcpus;
	uint64_t ept_pages;
	uint64_t private_pages;
	uint64_t run_pages;
	uint64_t vmcs_pages;
};

/* A bug of the processor, and what it means for guests. */
struct dune_client_bug {
	const char *name; /* as in /proc/cpuinfo */
	const char *state; /* mitigated, not_affected, as_process, vulnerable, unknown */
	const char *how;
};

struct dune_client_module {
	bool loaded;
	const char *
		problem; /* NULL: usable; else an errno's name, and what follows abi_expected is 0 */
	uint64_t abi; /* 0: can't be told */
	uint64_t abi_expected; /* by the service */
	const char *version;
	size_t nr_features;
	const char *const *features;
	size_t nr_bugs;
	const struct dune_client_bug *const *bugs;
	uint64_t gpa_bits;
	uint64_t slots;
	const char *vmx_holder; /* nobody, module, kvm */
	struct dune_client_allocation allocated;
	uint64_t created;
	uint64_t refused;
	uint64_t assertions;
};

struct dune_client_quotas {
	uint64_t contexts_per_user;
	uint64_t contexts_per_host;
	struct dune_client_limits defaults;
	struct dune_client_limits maximum;
};

/* What somebody's contexts together may be promised. */
#define DUNE_CLIENT_KEEP      INT64_MIN /* stays as it is */
#define DUNE_CLIENT_UNLIMITED (-1)
struct dune_client_budget {
	int64_t contexts;
	int64_t vcpus;
	int64_t private_pages;
	int64_t ept_pages;
	int64_t create_rate; /* contexts created within a minute */
};

/* One resource of one quota; which rule decides stands at QuotaRule in io.dune.Manager.varlink. */
struct dune_client_quota {
	const char *scope; /* host, user, group, cgroup, process */
	const char *name; /* NULL: the host, or every user or process */
	const char *resource; /* contexts, vcpus, private_pages, ept_pages, create_rate */
	bool limited;
	uint64_t maximum; /* when limited */
	bool counted;
	uint64_t used; /* when counted */
	const char *origin;
};

struct dune_client_quota_list {
	size_t nr;
	const struct dune_client_quota *const *quotas;
};

struct dune_client_info {
	const char *version; /* of the service */
	struct dune_client_module module;
	struct dune_client_quotas quotas;
};

/*
 * Sums over all contexts that ever existed, whoever owns them: never less than before while the module
 * is loaded, but for the counters that show a present amount (..._now).
 */
struct dune_client_totals {
	uint64_t time_usec; /* CLOCK_MONOTONIC */
	struct dune_client_counters counters;
	struct dune_client_counters exits; /* by reason; one that never occurred may be absent */
	struct dune_client_counters ends; /* contexts that ended, by cause */
	struct dune_client_counters states; /* contexts that exist, by state; may be empty */
	struct dune_client_counters service; /* of the service itself; may be empty */
	/* The following may be empty, too. */
	struct dune_client_counters calls; /* of the service, by method, or "other" */
	struct dune_client_counters errors; /* that it replied, by name, or "other" */
	struct dune_client_counters messages; /* of its log, by kind */
	uint64_t created; /* contexts */
};

/* Something that happened to a context. */
struct dune_client_event {
	const char *type; /* "created", "attached", "running", "ended", "freed", "limit" */
	uint64_t time_usec; /* CLOCK_MONOTONIC */
	uint64_t id;
	const char *name;
	uint32_t owner;
	int32_t pid; /* 0: no process */
	const char *cause; /* of "ended"; else NULL */
	uint64_t rip; /* of "ended" by a fault; else 0 */
	const char *limit; /* of "limit"; else NULL */
	uint64_t maximum;
};

struct dune_client_events {
	bool first; /* shows `contexts`, the state that the later ones change */
	struct dune_client_list contexts;
	size_t nr;
	const struct dune_client_event *const *events;
	uint64_t dropped; /* events that are missing, for the client or the service was too slow */
};

/*
 * Connects to the service. address: a path, also as "unix:PATH"; NULL: $DUNE_SOCKET, else
 * DUNE_CLIENT_SOCKET. -ENOENT and -ECONNREFUSED: no service; -EACCES, -ENAMETOOLONG, -EINVAL,
 * -ETIMEDOUT, -ENOMEM.
 */
int dune_client_new(const char *address, struct dune_client **ret_client);

/* As above from a connected stream socket, which the client owns from then on (also on failure). */
int dune_client_new_fd(int fd, struct dune_client **ret_client);

/* Closes the connection. Takes NULL. */
void dune_client_free(struct dune_client *client);

/*
 * The longest that a call waits for its whole reply, in milliseconds; 0: DUNE_CLIENT_TIMEOUT_MS.
 * A call that waited longer fails with -ETIMEDOUT and ends the connection.
 */
void dune_client_set_timeout(struct dune_client *client, uint64_t timeout_ms);

/* What the last failed call on this client met; valid until the next call. */
const char *dune_client_error_name(const struct dune_client *client); /* NULL: no error reply */
const char *dune_client_error_text(const struct dune_client *client); /* never NULL */

/*
 * The functions below send one call. Beside the errnos that they name, all of them give:
 * -ETIMEDOUT, -ECONNRESET (the service closed the connection), -ENOTCONN (an earlier call ended it),
 * -EBADMSG (the reply is not JSON), -EPROTO (it is not what the interface promises, or brings
 * descriptors it shouldn't), -EMSGSIZE, -ENOMEM, -EACCES (PermissionDenied), -EINVAL (InvalidParameter),
 * -ENODEV (ModuleNotLoaded), -EPROTONOSUPPORT (ModuleMismatch), -EIO (ModuleFailed), -EDQUOT
 * (QuotaExceeded), -EOPNOTSUPP (the service does not know the method), -EREMOTEIO (any other error).
 *
 * A context is named by its id, or, when that is 0, by its name: -ENOENT (NoSuchContext), -ENOTUNIQ
 * (AmbiguousName).
 */

/*
 * A new context, charged to the caller. name: NULL: the service makes one up. limits: NULL: defaults.
 * *ret_fd is the context's close-on-exec descriptor; the context lives at least as long.
 * -EEXIST (NameTaken), -EINVAL (InvalidName), -ERANGE (InvalidLimit), -EDQUOT (QuotaExceeded),
 * -EBUSY (VirtualizationBusy).
 */
int dune_client_create(struct dune_client *client, const char *name,
		       const struct dune_client_limits *limits, uint64_t *ret_id, int *ret_fd);

/* The contexts that the caller may see. */
int dune_client_list(struct dune_client *client, struct dune_client_list **ret_list);
void dune_client_list_free(struct dune_client_list *list);

int dune_client_inspect(struct dune_client *client, uint64_t id, const char *name,
			struct dune_client_inspection **ret_inspection);
void dune_client_inspection_free(struct dune_client_inspection *inspection);

/* Counters of one context, or of all that the caller may see when id is 0 and name is NULL. */
int dune_client_stats(struct dune_client *client, uint64_t id, const char *name,
		      struct dune_client_stats **ret_stats);
void dune_client_stats_free(struct dune_client_stats *stats);

/*
 * As dune_client_stats(), again every interval_ms (100 to 3600000; 0: the service's default), until the
 * function given returns other than 0; that is returned then. The statistics passed to it are freed
 * when it returns. Ends the connection.
 */
int dune_client_watch(struct dune_client *client, uint64_t id, const char *name,
		      uint64_t interval_ms,
		      int (*sampled)(const struct dune_client_stats *stats, void *data),
		      void *data);

/*
 * What happens to contexts, until the function given returns other than 0, which is returned then, or,
 * with an id, until that context was freed or the caller may not see it any more. name: contexts of
 * that name, later ones too; neither: all that the caller may see. types: nr_types names of
 * dune_client_event.type; 0: all. What is passed to the function is freed when it returns. The timeout
 * holds for the first reply only. Ends the connection.
 */
int dune_client_events(struct dune_client *client, uint64_t id, const char *name,
		       const char *const *types, size_t nr_types,
		       int (*happened)(const struct dune_client_events *events, void *data),
		       void *data);

/* SIGKILL to the context's process. -ESRCH (NoProcess). */
int dune_client_kill(struct dune_client *client, uint64_t id, const char *name);

/*
 * Other limits for a context; 0: as it is, and `contexts` has to be 0. -ERANGE (InvalidLimit), -EDQUOT.
 */
int dune_client_set_limits(struct dune_client *client, uint64_t id, const char *name,
			   const struct dune_client_limits *limits);

/* Quotas in force that the caller may see; scope and name may be NULL: all. -EINVAL (InvalidQuota). */
int dune_client_get_quota(struct dune_client *client, const char *scope, const char *name,
			  struct dune_client_quota_list **ret_list);
void dune_client_quota_list_free(struct dune_client_quota_list *list);

/*
 * Changes a quota at run time, kept over restarts; reset: forgets what was set so before, with scope NULL
 * all of it. budget: NULL: nothing is set. -EACCES, -EINVAL (InvalidQuota), -EIO (QuotaNotSaved), -EBADMSG
 * (InvalidConfiguration).
 */
int dune_client_set_quota(struct dune_client *client, const char *scope, const char *name,
			  const struct dune_client_budget *budget, bool reset);

/* Makes the service read its configuration again. -EACCES, -EBADMSG (InvalidConfiguration). */
int dune_client_reload(struct dune_client *client);

/*
 * A string or number among the last error reply's parameters; NULL, or 0, when there is none. Valid until
 * the next call.
 */
const char *dune_client_error_string(const struct dune_client *client, const char *parameter);
uint64_t dune_client_error_number(const struct dune_client *client, const char *parameter);

/* The service, the module and the quotas in force; works without the module. */
int dune_client_info(struct dune_client *client, struct dune_client_info **ret_info);
void dune_client_info_free(struct dune_client_info *info);

/* The sums over all contexts. -EOPNOTSUPP: a service that has them not yet. */
int dune_client_totals(struct dune_client *client, struct dune_client_totals **ret_totals);
void dune_client_totals_free(struct dune_client_totals *totals);

/* A sentence for people about why a context ended, from dune_client_context.cause; static text. */
const char *dune_client_cause_text(const char *cause);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
