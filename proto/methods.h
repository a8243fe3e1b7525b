/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every method that the service has, one row each: interface, name, who may call it, the handler's
 * suffix. A method without a row does not exist. tests/abi compares the rows with the .varlink
 * files.
 */
#ifndef DUNE_PROTO_METHODS_H
#define DUNE_PROTO_METHODS_H

#define DUNE_INTERFACE		"io.dune.Manager"
#define DUNE_ERROR(name)	DUNE_INTERFACE "." name
#define DUNE_SOCKET		"/run/dune/io.dune.Manager"
#define DUNE_SOCKET_FD_NAME	"varlink"	/* of systemd's socket unit */
#define DUNE_ADMIN_SOCKET	DUNE_SOCKET ".admin"	/* for root and administrators alone */
#define DUNE_ADMIN_SOCKET_FD_NAME "varlink-admin"

#define VARLINK_SERVICE		"org.varlink.service"
#define VARLINK_ERROR(name)	VARLINK_SERVICE "." name

#define DUNE_MIN_INTERVAL_MS	100
#define DUNE_MAX_INTERVAL_MS	3600000
#define DUNE_DEFAULT_INTERVAL_MS 1000

/* What a caller must be; duned/policy.c has the table, and whom polkit may let do the last three. */
enum dune_access {
	ACCESS_ANYONE,		/* nothing */
	ACCESS_IDENTIFIED,	/* a uid that means one user */
	ACCESS_OBSERVER,	/* to see a context: its owner, an observer, an administrator or root */
	ACCESS_OWNER,		/* to act on a context: its owner, an administrator or root */
	ACCESS_ADMINISTRATOR,	/* an administrator or root */
	NR_DUNE_ACCESS,
};

#define DUNE_METHODS(X)								\
	X(DUNE_INTERFACE, "Create", ACCESS_IDENTIFIED, create)			\
	X(DUNE_INTERFACE, "List", ACCESS_OBSERVER, list)				\
	X(DUNE_INTERFACE, "Inspect", ACCESS_OBSERVER, inspect)			\
	X(DUNE_INTERFACE, "Stats", ACCESS_OBSERVER, stats)				\
	X(DUNE_INTERFACE, "Events", ACCESS_OBSERVER, events)			\
	X(DUNE_INTERFACE, "Kill", ACCESS_OWNER, kill)				\
	X(DUNE_INTERFACE, "SetLimits", ACCESS_OWNER, set_limits)		\
	X(DUNE_INTERFACE, "GetQuota", ACCESS_IDENTIFIED, get_quota)		\
	X(DUNE_INTERFACE, "SetQuota", ACCESS_ADMINISTRATOR, set_quota)		\
	X(DUNE_INTERFACE, "Reload", ACCESS_ADMINISTRATOR, reload)		\
	X(DUNE_INTERFACE, "Info", ACCESS_ANYONE, info)				\
	X(DUNE_INTERFACE, "Totals", ACCESS_ANYONE, totals)			\
	X(VARLINK_SERVICE, "GetInfo", ACCESS_ANYONE, get_info)			\
	X(VARLINK_SERVICE, "GetInterfaceDescription", ACCESS_ANYONE, get_description)

#endif
