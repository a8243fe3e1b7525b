// SPDX-License-Identifier: LGPL-2.1-or-later
/* The table of families; see families.h. */
#include "duned/exporter/families.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/names.h"

#define MAX_LABELS 256

#define COUNT(name)   offsetof(struct sample, counters[DUNE_COUNT_##name])
#define FIELD(name)   offsetof(struct sample, name)
#define SERVICE(name) offsetof(struct sample, service[SERVICE_##name])
#define OWN(name)     offsetof(struct own, name)
#define ROWS(...)                                           \
	.rows = (const struct family_row[]){ __VA_ARGS__ }, \
	.nr_rows = sizeof((const struct family_row[]){ __VA_ARGS__ }) / sizeof(struct family_row)
#define ONE(offset) ROWS({ NULL, offset, 0 })
#define PAGES	    .unit = "bytes", .scale = SAMPLE_PAGE_BYTES

/* A label whose values are names by number; numbers without a name have no series. */
static void write_named(struct family_writer *writer, const char *label, const uint64_t *values,
			unsigned int nr, const char *(*name_of)(unsigned int number))
{
	char labels[MAX_LABELS];

	for (unsigned int i = 0; i < nr; i++) {
		if (!name_of(i))
			continue;
		snprintf(labels, sizeof(labels), "%s=\"%s\"", label, name_of(i));
		family_value(writer, labels, values[i]);
	}
}

static void write_exits(struct family_writer *writer, const struct sample *sample,
			const struct own *own)
{
	write_named(writer, "reason", sample->exits, DUNE_NR_EXITS, dune_exit_name);
}

/* The slot of "no end" holds ends for causes that this version has no name for. */
static void write_ends(struct family_writer *writer, const struct sample *sample,
		       const struct own *own)
{
	write_named(writer, "cause", sample->ends, DUNE_NR_ENDS, dune_cause_name);
	family_value(writer, "cause=\"unused\"", sample->unused);
	family_value(writer, "cause=\"other\"", sample->ends[DUNE_END_NONE]);
}

static void write_states(struct family_writer *writer, const struct sample *sample,
			 const struct own *own)
{
	write_named(writer, "state", sample->states, SAMPLE_NR_STATES, dune_state_name);
}

static void write_up(struct family_writer *writer, const struct sample *sample,
		     const struct own *own)
{
	family_value(writer, NULL, sample->up);
}

static void write_module_up(struct family_writer *writer, const struct sample *sample,
			    const struct own *own)
{
	family_value(writer, NULL, sample->module);
}

/* Text from elsewhere as a label's value: what would need escaping becomes a question mark. */
static void safe(char *to, size_t size, const char *from)
{
	size_t i = 0;

	for (; from[i] && i + 1 < size; i++)
		to[i] = from[i] == '"' || from[i] == '\\' || from[i] < ' ' ? '?' : from[i];
	to[i] = '\0';
}

static void write_build(struct family_writer *writer, const struct sample *sample,
			const struct own *own)
{
	char service[SAMPLE_MAX_TEXT], module[SAMPLE_MAX_TEXT], labels[MAX_LABELS];

	safe(service, sizeof(service), sample->service_version);
	safe(module, sizeof(module), sample->module_version);
	snprintf(labels, sizeof(labels),
		 "exporter_version=\"%s\",module_abi=\"%" PRIu64
		 "\",module_version=\"%s\",version=\"%s\"",
		 DUNE_VERSION, sample->abi, module, service);
	family_value(writer, labels, 1);
}

static void write_took(struct family_writer *writer, const struct sample *sample,
		       const struct own *own)
{
	family_value_double(writer, NULL, sample->took_s);
}

static void write_time(struct family_writer *writer, const struct sample *sample,
		       const struct own *own)
{
	family_value_double(writer, NULL, (double)sample->time_ms / 1000);
}

static void write_holder(struct family_writer *writer, const struct sample *sample,
			 const struct own *own)
{
	char labels[MAX_LABELS];

	for (unsigned int i = DUNE_VMX_OFF; i <= DUNE_VMX_KVM; i++) {
		const char *name = dune_vmx_holder_name(i);

		snprintf(labels, sizeof(labels), "holder=\"%s\"", name);
		family_value(writer, labels, !__builtin_strcmp(name, sample->vmx_holder));
	}
}

/* ---- the service ---- */

static void write_names(struct family_writer *writer, const char *label,
			const struct sample_names *names)
{
	char labels[MAX_LABELS];

	for (size_t i = 0; i < names->nr; i++) {
		snprintf(labels, sizeof(labels), "%s=\"%s\"", label, names->rows[i].name);
		family_value(writer, labels, names->rows[i].value);
	}
}

static void write_calls(struct family_writer *writer, const struct sample *sample,
			const struct own *own)
{
	write_names(writer, "method", &sample->calls);
}

static void write_errors(struct family_writer *writer, const struct sample *sample,
			 const struct own *own)
{
	write_names(writer, "error", &sample->errors);
}

static void write_messages(struct family_writer *writer, const struct sample *sample,
			   const struct own *own)
{
	write_names(writer, "kind", &sample->messages);
}

/* ---- by user ---- */

static void write_users(struct family_writer *writer, const struct sample *sample, size_t offset,
			uint64_t scale)
{
	char labels[MAX_LABELS];

	for (size_t i = 0; i < sample->nr_users; i++) {
		const struct sample_user *user = &sample->users[i];
		const uint64_t *value = (const uint64_t *)((const char *)user + offset);

		if (user->uid == SAMPLE_OTHER_USERS)
			snprintf(labels, sizeof(labels), "uid=\"other\"");
		else
			snprintf(labels, sizeof(labels), "uid=\"%" PRIu32 "\"", user->uid);
		family_value(writer, labels, *value * scale);
	}
}

#define WRITE_USERS(function, field, scale)                                              \
	static void function(struct family_writer *writer, const struct sample *sample,  \
			     const struct own *own)                                      \
	{                                                                                \
		write_users(writer, sample, offsetof(struct sample_user, field), scale); \
	}

WRITE_USERS(write_user_contexts, contexts, 1)
WRITE_USERS(write_user_vcpus, vcpus, 1)
WRITE_USERS(write_user_private, private_pages, SAMPLE_PAGE_BYTES)
WRITE_USERS(write_user_ept, ept_pages, SAMPLE_PAGE_BYTES)

/* ---- quotas ---- */

#define WRITE_QUOTA(function, limit, field, scale)                                        \
	static void function(struct family_writer *writer, const struct sample *sample,   \
			     const struct own *own)                                       \
	{                                                                                 \
		if (sample->quotas[limit].known)                                          \
			family_value(writer, NULL, sample->quotas[limit].field *(scale)); \
	}

WRITE_QUOTA(write_contexts_used, DUNE_LIMIT_CONTEXTS, used, 1)
WRITE_QUOTA(write_contexts_limit, DUNE_LIMIT_CONTEXTS, maximum, 1)
WRITE_QUOTA(write_vcpus_used, DUNE_LIMIT_VCPUS, used, 1)
WRITE_QUOTA(write_vcpus_limit, DUNE_LIMIT_VCPUS, maximum, 1)
WRITE_QUOTA(write_private_used, DUNE_LIMIT_PRIVATE, used, SAMPLE_PAGE_BYTES)
WRITE_QUOTA(write_private_limit, DUNE_LIMIT_PRIVATE, maximum, SAMPLE_PAGE_BYTES)
WRITE_QUOTA(write_ept_used, DUNE_LIMIT_EPT, used, SAMPLE_PAGE_BYTES)
WRITE_QUOTA(write_ept_limit, DUNE_LIMIT_EPT, maximum, SAMPLE_PAGE_BYTES)

/* ---- the exporter itself ---- */

static void write_responses(struct family_writer *writer, const struct sample *sample,
			    const struct own *own)
{
	write_named(writer, "code", own->responses, OWN_NR_STATUSES, own_status_name);
}

static void write_cpu(struct family_writer *writer, const struct sample *sample,
		      const struct own *own)
{
	family_value_double(writer, NULL, own->cpu_s);
}

static void write_started(struct family_writer *writer, const struct sample *sample,
			  const struct own *own)
{
	family_value_double(writer, NULL, own->started_s);
}

/* clang-format off */
#define C(family_name, family_help, ...) \
	{ .name = family_name, .type = FAMILY_COUNTER, .when = FAMILY_COUNTED, .help = family_help, __VA_ARGS__ }
#define M(family_name, family_type, family_help, ...) \
	{ .name = family_name, .type = FAMILY_##family_type, .when = FAMILY_MODULE, .help = family_help, __VA_ARGS__ }
#define S(family_name, family_type, family_help, ...) \
	{ .name = family_name, .type = FAMILY_##family_type, .when = FAMILY_SERVICE, .help = family_help, __VA_ARGS__ }
#define G(family_name, family_when, family_help, ...) \
	{ .name = family_name, .type = FAMILY_GAUGE, .when = FAMILY_##family_when, .help = family_help, __VA_ARGS__ }
#define O(family_name, family_type, family_help, ...) \
	{ .name = family_name, .type = FAMILY_##family_type, .when = FAMILY_OWN, .help = family_help, __VA_ARGS__ }

const struct family families[] = {
	G("dune_up", ALWAYS, "Whether duned answered the exporter", .write = write_up),
	G("dune_module_up", ALWAYS, "Whether duned can use the kernel module", .write = write_module_up),
	{ .name = "dune_build", .type = FAMILY_INFO, .when = FAMILY_UP,
	  .help = "Versions of service, module and exporter", .write = write_build },
	G("dune_vmx_holder", MODULE, "Who has turned VMX on for the contexts that exist: 1 for one of them",
	  .write = write_holder),

	/* Contexts */
	G("dune_contexts", STATES, "Contexts that exist, by state", .write = write_states),
	M("dune_context_creations", COUNTER, "Contexts created since the module was loaded", ONE(FIELD(created))),
	C("dune_context_ends", "Contexts that ended, by cause", .write = write_ends),
	M("dune_refusals", COUNTER, "Creations and attachments that a limit or ceiling of the module refused",
	  ONE(FIELD(refused))),
	M("dune_module_assertions", COUNTER, "Internal assertions of the module that failed: a bug when not 0",
	  ONE(FIELD(assertions))),
	G("dune_vcpus", MODULE, "Virtual CPUs that exist", ONE(FIELD(vcpus))),
	G("dune_memory_bytes", MODULE, "Memory that the module has allocated, by what for", .label = "kind",
	  ROWS({ "ept", FIELD(ept_pages), 0 }, { "private", FIELD(private_pages), 0 },
	       { "run", FIELD(run_pages), 0 }, { "vmcs", FIELD(vmcs_pages), 0 }), PAGES),
	G("dune_address_slots", COUNTED, "Gigabytes of address space that contexts have mapped",
	  ONE(COUNT(SLOTS_NOW))),

	/* Quotas of the host */
	G("dune_quota_contexts_used", MODULE, "Contexts that count against the host's quota",
	  .write = write_contexts_used),
	G("dune_quota_contexts_limit", MODULE, "Contexts that the host's quota allows", .write = write_contexts_limit),
	G("dune_quota_vcpus_used", MODULE, "Virtual CPUs promised to contexts", .write = write_vcpus_used),
	G("dune_quota_vcpus_limit", MODULE, "Virtual CPUs that the host's quota allows", .write = write_vcpus_limit),
	G("dune_quota_private_memory_used_bytes", MODULE, "Private memory promised to contexts", .unit = "bytes",
	  .write = write_private_used),
	G("dune_quota_private_memory_limit_bytes", MODULE, "Private memory that the host's quota allows",
	  .unit = "bytes", .write = write_private_limit),
	G("dune_quota_ept_memory_used_bytes", MODULE, "Memory for EPT tables promised to contexts", .unit = "bytes",
	  .write = write_ept_used),
	G("dune_quota_ept_memory_limit_bytes", MODULE, "Memory for EPT tables that the host's quota allows",
	  .unit = "bytes", .write = write_ept_limit),

	/* What contexts do */
	C("dune_vm_entries", "VM entries that succeeded", ONE(COUNT(ENTRIES))),
	C("dune_vm_exits", "VM exits, by reason", .write = write_exits),
	C("dune_runs", "Calls by which vcpus were run", ONE(COUNT(RUNS))),
	C("dune_system_calls", "System calls of contexts, by who made them: the process or the module itself",
	  .label = "path", ROWS({ "return", COUNT(SYSCALLS), 0 }, { "direct", COUNT(DIRECT), 0 })),
	C("dune_unknown_system_calls", "System calls of contexts with a number that no kernel knows",
	  ONE(COUNT(UNKNOWN_CALLS))),
	C("dune_hypercalls", "VMCALLs of guest ring 0, system calls included", ONE(COUNT(HYPERCALLS))),
	C("dune_ept_violations", "EPT violations, by access", .label = "access",
	  ROWS({ "read", COUNT(EPT_READ), 0 }, { "write", COUNT(EPT_WRITE), 0 }, { "execute", COUNT(EPT_EXEC), 0 })),
	C("dune_ept_fills", "EPT mappings installed, by size", .label = "size",
	  ROWS({ "4k", COUNT(EPT_FILLS), COUNT(EPT_LARGE) }, { "large", COUNT(EPT_LARGE), 0 })),
	C("dune_ept_zaps", "EPT mappings removed because the host's changed", ONE(COUNT(EPT_ZAPS))),
	C("dune_ept_retries", "EPT fills given up because of a concurrent change", ONE(COUNT(EPT_RETRIES))),
	C("dune_ept_flushes", "INVEPT instructions executed", ONE(COUNT(INVEPT))),
	C("dune_ipis", "Interrupts sent to CPUs in guest mode because mappings changed", ONE(COUNT(IPIS))),
	C("dune_native_touches", "Pages touched natively so that the kernel resolves a fault", ONE(COUNT(TOUCHES))),
	C("dune_slices", "Gigabytes of address space given a slot", ONE(COUNT(SLICES))),
	C("dune_vcpu_migrations", "Moves of vcpus to another CPU", ONE(COUNT(MIGRATIONS))),
	C("dune_signals", "Signal frames delivered to guests", ONE(COUNT(SIGNALS))),
	C("dune_pending_work", "Returns to user space because of pending work of the kernel", .label = "kind",
	  ROWS({ "fpu", COUNT(WORK_FPU), 0 }, { "other", COUNT(WORK), COUNT(WORK_FPU) })),
	C("dune_deferred_entries", "VM entries while pending work waits for the guest to be interruptible",
	  ONE(COUNT(DEFERRED))),
	C("dune_denied", "Forbidden instructions, MSRs and control register values that guests tried",
	  ONE(COUNT(DENIED))),
	C("dune_faults", "Faults of guests that were raised as signals", ONE(COUNT(FAULTS))),
	C("dune_limit_hits", "Allocations that a limit of the context itself refused", ONE(COUNT(LIMIT_HITS))),
	C("dune_reinjected_events", "Events whose delivery a VM exit interrupted", ONE(COUNT(REINJECTED))),

	/* The service; these begin anew when it is started anew */
	S("dune_service_calls", COUNTER, "Calls that duned got, by method", .write = write_calls),
	S("dune_service_errors", COUNTER, "Error replies of duned, by name", .write = write_errors),
	S("dune_service_messages", COUNTER, "Messages of duned's log, by kind, written or not",
	  .write = write_messages),
	S("dune_service_unwritten_messages", COUNTER, "Messages of duned's log that were not written, by why",
	  .label = "reason", ROWS({ "rate", SERVICE(LOG_LIMITED), 0 }, { "queue", SERVICE(LOG_DROPPED), 0 })),
	S("dune_service_open_connections", GAUGE, "Connections to duned now", ONE(SERVICE(CONNECTIONS_NOW))),
	S("dune_service_accepted_connections", COUNTER, "Connections that duned accepted", ONE(SERVICE(CONNECTIONS))),
	S("dune_service_refused_connections", COUNTER, "Connections that duned refused, by whose limit was met",
	  .label = "limit", ROWS({ "host", SERVICE(REFUSED_HOST), 0 }, { "user", SERVICE(REFUSED_USER), 0 })),
	S("dune_service_received_bytes", COUNTER, "Bytes that clients sent to duned", .unit = "bytes",
	  ONE(SERVICE(BYTES_IN))),
	S("dune_service_sent_bytes", COUNTER, "Bytes that duned sent to clients", .unit = "bytes",
	  ONE(SERVICE(BYTES_OUT))),
	S("dune_service_sent_messages", COUNTER, "Replies and events that duned sent", ONE(SERVICE(MESSAGES_OUT))),
	S("dune_service_streams", GAUGE, "Calls that want more than one reply, now", .label = "kind",
	  ROWS({ "events", SERVICE(SUBSCRIPTIONS_NOW), 0 },
	       { "statistics", SERVICE(STREAMS_NOW), SERVICE(SUBSCRIPTIONS_NOW) })),
	S("dune_service_missed_samples", COUNTER, "Statistics that clients read too slowly to get",
	  ONE(SERVICE(SAMPLES_MISSED))),
	S("dune_service_events", COUNTER, "Events of contexts, by what became of them", .label = "stage",
	  ROWS({ "read", SERVICE(EVENTS), 0 }, { "lost", SERVICE(EVENTS_LOST), 0 },
	       { "sent", SERVICE(EVENTS_SENT), 0 }, { "dropped", SERVICE(EVENTS_DROPPED), 0 })),

	/* By user: --per-user */
	G("dune_user_contexts", USERS, "Contexts of a user", .write = write_user_contexts),
	G("dune_user_vcpus", USERS, "Virtual CPUs of a user's contexts", .write = write_user_vcpus),
	G("dune_user_private_memory_bytes", USERS, "Private memory of a user's contexts", .unit = "bytes",
	  .write = write_user_private),
	G("dune_user_ept_memory_bytes", USERS, "Memory for EPT tables of a user's contexts", .unit = "bytes",
	  .write = write_user_ept),

	/* How it was asked */
	G("dune_collection_duration_seconds", ALWAYS, "Time that asking duned took", .unit = "seconds",
	  .write = write_took),
	G("dune_collection_timestamp_seconds", ALWAYS, "When duned was asked, in seconds since 1970",
	  .unit = "seconds", .write = write_time),

	/* The exporter itself */
	O("dune_exporter_collections", COUNTER, "Times that duned was asked, by whether it answered",
	  .label = "result", ROWS({ "ok", OWN(collections_good), 0 }, { "failed", OWN(collections_bad), 0 })),
	O("dune_exporter_responses", COUNTER, "HTTP responses, by status", .write = write_responses),
	O("dune_exporter_connections", GAUGE, "HTTP connections now", ONE(OWN(connections))),
	O("dune_exporter_connections_evicted", COUNTER,
	  "HTTP connections closed because they were slow or others needed the room", ONE(OWN(evicted))),
	O("process_cpu_seconds", COUNTER, "Processor time of the exporter, in seconds", .unit = "seconds",
	  .write = write_cpu),
	O("process_start_time_seconds", GAUGE, "Start of the exporter, in seconds since 1970", .unit = "seconds",
	  .write = write_started),
	O("process_resident_memory_bytes", GAUGE, "Resident memory of the exporter", .unit = "bytes",
	  ONE(OWN(resident_bytes))),
	O("process_open_fds", GAUGE, "Open file descriptors of the exporter", ONE(OWN(open_fds))),
	O("process_max_fds", GAUGE, "File descriptors that the exporter may open", ONE(OWN(max_fds))),
};
/* clang-format on */

const size_t nr_families = sizeof(families) / sizeof(families[0]);
