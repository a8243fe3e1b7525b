// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Decode tables, one row per field of the interface's types. A field that the interface gets later is
 * optional here for ever: an older service does not send it.
 */
#include <dune/client.h>

#include "libdune/client/shape.h"

#define SHAPE(name, type, ...)                                                   \
	static const struct decode_field name##_fields[] = { __VA_ARGS__{ 0 } }; \
	const struct decode_struct name = { sizeof(type), name##_fields };

#define INNER_SHAPE(name, type, ...)                                             \
	static const struct decode_field name##_fields[] = { __VA_ARGS__{ 0 } }; \
	static const struct decode_struct name = { sizeof(type), name##_fields };

/* A field, its type, and the member that takes it. */
#define FIELD(json, kind, type, member) { json, kind, false, offsetof(type, member), NULL },
#define MAYBE(json, kind, type, member) { json, kind, true, offsetof(type, member), NULL },
#define INNER(json, kind, type, member, shape) \
	{ json, kind, false, offsetof(type, member), &shape },
#define MAYBE_INNER(json, kind, type, member, shape) \
	{ json, kind, true, offsetof(type, member), &shape },

SHAPE(shape_nothing, char)

#define LIMITS struct dune_client_limits
/* clang-format off */
INNER_SHAPE(shape_limits, LIMITS,
	MAYBE("vcpus", DECODE_UINT, LIMITS, vcpus)
	MAYBE("private_pages", DECODE_UINT, LIMITS, private_pages)
	MAYBE("ept_pages", DECODE_UINT, LIMITS, ept_pages)
	MAYBE("contexts", DECODE_UINT, LIMITS, contexts))

#define CONTEXT struct dune_client_context
INNER_SHAPE(shape_context, CONTEXT,
	FIELD("id", DECODE_UINT, CONTEXT, id)
	FIELD("name", DECODE_STRING, CONTEXT, name)
	FIELD("owner", DECODE_UINT32, CONTEXT, owner)
	MAYBE("pid", DECODE_PID, CONTEXT, pid)
	FIELD("state", DECODE_STRING, CONTEXT, state)
	MAYBE("cause", DECODE_STRING, CONTEXT, cause)
	MAYBE("command", DECODE_STRING, CONTEXT, command)
	FIELD("created_usec", DECODE_UINT, CONTEXT, created_usec)
	INNER("limits", DECODE_STRUCT, CONTEXT, limits, shape_limits)
	INNER("usage", DECODE_STRUCT, CONTEXT, usage, shape_limits))

#define REGISTERS struct dune_client_registers
#define REGISTER(name) FIELD(#name, DECODE_HEX, REGISTERS, name)
INNER_SHAPE(shape_registers, REGISTERS,
	REGISTER(rax) REGISTER(rcx) REGISTER(rdx) REGISTER(rbx)
	REGISTER(rsp) REGISTER(rbp) REGISTER(rsi) REGISTER(rdi)
	REGISTER(r8) REGISTER(r9) REGISTER(r10) REGISTER(r11)
	REGISTER(r12) REGISTER(r13) REGISTER(r14) REGISTER(r15)
	REGISTER(rip) REGISTER(rflags) REGISTER(cs) REGISTER(ss)
	REGISTER(cr0) REGISTER(cr2) REGISTER(cr3) REGISTER(cr4))

#define REPORT struct dune_client_report
INNER_SHAPE(shape_report, REPORT,
	FIELD("cause", DECODE_STRING, REPORT, cause)
	FIELD("exit_reason", DECODE_STRING, REPORT, exit_reason)
	FIELD("cpl", DECODE_UINT32, REPORT, cpl)
	FIELD("vector", DECODE_UINT32, REPORT, vector)
	FIELD("error_code", DECODE_HEX, REPORT, error_code)
	FIELD("exit_qualification", DECODE_HEX, REPORT, exit_qualification)
	FIELD("guest_physical", DECODE_HEX, REPORT, guest_physical)
	FIELD("guest_linear", DECODE_HEX, REPORT, guest_linear)
	INNER("registers", DECODE_STRUCT, REPORT, registers, shape_registers))

SHAPE(shape_created, struct created,
	INNER("context", DECODE_POINTER, struct created, context, shape_context)
	FIELD("context_fd", DECODE_UINT, struct created, context_fd))

SHAPE(shape_list, struct dune_client_list,
	INNER("contexts", DECODE_ARRAY, struct dune_client_list, nr, shape_context))

#define INSPECTION struct dune_client_inspection
SHAPE(shape_inspection, INSPECTION,
	INNER("context", DECODE_POINTER, INSPECTION, context, shape_context)
	FIELD("counters", DECODE_COUNTERS, INSPECTION, counters)
	FIELD("exits", DECODE_COUNTERS, INSPECTION, exits)
	MAYBE_INNER("report", DECODE_POINTER, INSPECTION, report, shape_report))

#define SAMPLE struct dune_client_sample
INNER_SHAPE(shape_sample, SAMPLE,
	INNER("context", DECODE_POINTER, SAMPLE, context, shape_context)
	FIELD("counters", DECODE_COUNTERS, SAMPLE, counters)
	FIELD("exits", DECODE_COUNTERS, SAMPLE, exits))

#define STATS struct dune_client_stats
SHAPE(shape_stats, STATS,
	FIELD("time_usec", DECODE_UINT, STATS, time_usec)
	INNER("samples", DECODE_ARRAY, STATS, nr, shape_sample))

#define EVENT struct dune_client_event
INNER_SHAPE(shape_event, EVENT,
	FIELD("type", DECODE_STRING, EVENT, type)
	FIELD("time_usec", DECODE_UINT, EVENT, time_usec)
	FIELD("id", DECODE_UINT, EVENT, id)
	FIELD("name", DECODE_STRING, EVENT, name)
	FIELD("owner", DECODE_UINT32, EVENT, owner)
	MAYBE("pid", DECODE_PID, EVENT, pid)
	MAYBE("cause", DECODE_STRING, EVENT, cause)
	MAYBE("rip", DECODE_HEX, EVENT, rip)
	MAYBE("limit", DECODE_STRING, EVENT, limit)
	MAYBE("maximum", DECODE_UINT, EVENT, maximum))

#define EVENTS struct dune_client_events
SHAPE(shape_events, EVENTS,
	MAYBE_INNER("contexts", DECODE_ARRAY, EVENTS, contexts, shape_context)
	MAYBE_INNER("events", DECODE_ARRAY, EVENTS, nr, shape_event)
	MAYBE("dropped", DECODE_UINT, EVENTS, dropped))

#define QUOTA struct dune_client_quota
INNER_SHAPE(shape_quota, QUOTA,
	FIELD("scope", DECODE_STRING, QUOTA, scope)
	MAYBE("name", DECODE_STRING, QUOTA, name)
	FIELD("resource", DECODE_STRING, QUOTA, resource)
	MAYBE("maximum", DECODE_PRESENT, QUOTA, limited)
	MAYBE("maximum", DECODE_UINT, QUOTA, maximum)
	MAYBE("used", DECODE_PRESENT, QUOTA, counted)
	MAYBE("used", DECODE_UINT, QUOTA, used)
	FIELD("origin", DECODE_STRING, QUOTA, origin))

SHAPE(shape_quota_list, struct dune_client_quota_list,
	INNER("rules", DECODE_ARRAY, struct dune_client_quota_list, nr, shape_quota))

#define ALLOCATION struct dune_client_allocation
INNER_SHAPE(shape_allocation, ALLOCATION,
	FIELD("contexts", DECODE_UINT, ALLOCATION, contexts)
	FIELD("vcpus", DECODE_UINT, ALLOCATION, vcpus)
	FIELD("ept_pages", DECODE_UINT, ALLOCATION, ept_pages)
	FIELD("private_pages", DECODE_UINT, ALLOCATION, private_pages)
	FIELD("run_pages", DECODE_UINT, ALLOCATION, run_pages)
	FIELD("vmcs_pages", DECODE_UINT, ALLOCATION, vmcs_pages))

#define BUG struct dune_client_bug
INNER_SHAPE(shape_bug, BUG,
	FIELD("name", DECODE_STRING, BUG, name)
	FIELD("state", DECODE_STRING, BUG, state)
	FIELD("how", DECODE_STRING, BUG, how))

#define MODULE struct dune_client_module
INNER_SHAPE(shape_module, MODULE,
	FIELD("loaded", DECODE_BOOL, MODULE, loaded)
	MAYBE("problem", DECODE_STRING, MODULE, problem)
	MAYBE("abi", DECODE_UINT, MODULE, abi)
	FIELD("abi_expected", DECODE_UINT, MODULE, abi_expected)
	MAYBE("version", DECODE_STRING, MODULE, version)
	MAYBE("features", DECODE_STRINGS, MODULE, nr_features)
	MAYBE_INNER("bugs", DECODE_ARRAY, MODULE, nr_bugs, shape_bug)
	MAYBE("gpa_bits", DECODE_UINT, MODULE, gpa_bits)
	MAYBE("slots", DECODE_UINT, MODULE, slots)
	MAYBE("vmx_holder", DECODE_STRING, MODULE, vmx_holder)
	MAYBE_INNER("allocated", DECODE_STRUCT, MODULE, allocated, shape_allocation)
	MAYBE("created", DECODE_UINT, MODULE, created)
	MAYBE("refused", DECODE_UINT, MODULE, refused)
	MAYBE("assertions", DECODE_UINT, MODULE, assertions))

#define QUOTAS struct dune_client_quotas
INNER_SHAPE(shape_quotas, QUOTAS,
	FIELD("contexts_per_user", DECODE_UINT, QUOTAS, contexts_per_user)
	FIELD("contexts_per_host", DECODE_UINT, QUOTAS, contexts_per_host)
	INNER("defaults", DECODE_STRUCT, QUOTAS, defaults, shape_limits)
	INNER("maximum", DECODE_STRUCT, QUOTAS, maximum, shape_limits))

SHAPE(shape_info, struct dune_client_info,
	FIELD("version", DECODE_STRING, struct dune_client_info, version)
	INNER("module", DECODE_STRUCT, struct dune_client_info, module, shape_module)
	INNER("quotas", DECODE_STRUCT, struct dune_client_info, quotas, shape_quotas))

#define TOTALS struct dune_client_totals
SHAPE(shape_totals, TOTALS,
	FIELD("time_usec", DECODE_UINT, TOTALS, time_usec)
	FIELD("counters", DECODE_COUNTERS, TOTALS, counters)
	FIELD("exits", DECODE_COUNTERS, TOTALS, exits)
	FIELD("ends", DECODE_COUNTERS, TOTALS, ends)
	MAYBE("states", DECODE_COUNTERS, TOTALS, states)
	MAYBE("service", DECODE_COUNTERS, TOTALS, service)
	MAYBE("calls", DECODE_COUNTERS, TOTALS, calls)
	MAYBE("errors", DECODE_COUNTERS, TOTALS, errors)
	MAYBE("messages", DECODE_COUNTERS, TOTALS, messages)
	MAYBE("created", DECODE_UINT, TOTALS, created))
/* clang-format on */
