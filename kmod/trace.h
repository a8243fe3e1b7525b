/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: every exit, denial, raised fault and end of a context (events/dune/ in tracefs).
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dune

#if !defined(DUNE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define DUNE_TRACE_H

#include <linux/tracepoint.h>

/* clang-format off */
TRACE_EVENT(dune_exit,
	TP_PROTO(u64 id, u32 reason, u64 rip, u64 qualification),
	TP_ARGS(id, reason, rip, qualification),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u32, reason)
		__field(u64, rip)
		__field(u64, qualification)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->reason = reason;
		__entry->rip = rip;
		__entry->qualification = qualification;
	),
	TP_printk("context=%llu reason=%u rip=%#llx qualification=%#llx", __entry->id, __entry->reason,
		  __entry->rip, __entry->qualification)
);

DECLARE_EVENT_CLASS(dune_event,
	TP_PROTO(u64 id, u32 what, u64 detail),
	TP_ARGS(id, what, detail),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u32, what)
		__field(u64, detail)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->what = what;
		__entry->detail = detail;
	),
	TP_printk("context=%llu what=%u detail=%#llx", __entry->id, __entry->what, __entry->detail)
);

/* what = vector injected, detail = RIP */
DEFINE_EVENT(dune_event, dune_deny, TP_PROTO(u64 id, u32 what, u64 detail), TP_ARGS(id, what, detail));
/* what = signal, detail = address */
DEFINE_EVENT(dune_event, dune_fault, TP_PROTO(u64 id, u32 what, u64 detail), TP_ARGS(id, what, detail));
/* what = limit, detail = its value */
DEFINE_EVENT(dune_event, dune_limit, TP_PROTO(u64 id, u32 what, u64 detail), TP_ARGS(id, what, detail));
/* what = cause, detail = RIP */
DEFINE_EVENT(dune_event, dune_end, TP_PROTO(u64 id, u32 what, u64 detail), TP_ARGS(id, what, detail));

/* clang-format on */

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH kmod
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
