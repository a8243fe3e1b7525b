// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sdvarlink SOCKET: a Varlink service by systemd's own library, with one method, Ping, that does nothing: the
 * cheapest call that sd-varlink can answer. Built against Debian 13's libsystemd, which has it as public API, and
 * run with that release's C library; tests/bench/service/run does both.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <systemd/sd-event.h>
#include <systemd/sd-varlink-idl.h>
#include <systemd/sd-varlink.h>

#define MAX_CONNECTIONS 16384

SD_VARLINK_DEFINE_METHOD(Ping);
SD_VARLINK_DEFINE_INTERFACE(io_dune_bench, "io.dune.bench", &vl_method_Ping);

static int on_ping(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		   void *userdata)
{
	return sd_varlink_reply(link, NULL);
}

static int serve(const char *path)
{
	sd_varlink_server *server = NULL;
	sd_event *event = NULL;
	int r = sd_event_default(&event);

	if (r >= 0)
		r = sd_varlink_server_new(&server, 0);
	if (r >= 0)
		r = sd_varlink_server_set_connections_max(server, MAX_CONNECTIONS);
	if (r >= 0)
		r = sd_varlink_server_set_connections_per_uid_max(server, MAX_CONNECTIONS);
	if (r >= 0)
		r = sd_varlink_server_add_interface(server, &vl_interface_io_dune_bench);
	if (r >= 0)
		r = sd_varlink_server_bind_method(server, "io.dune.bench.Ping", on_ping);
	if (r >= 0)
		r = sd_varlink_server_listen_address(server, path, 0666);
	if (r >= 0)
		r = sd_varlink_server_attach_event(server, event, 0);
	return r < 0 ? r : sd_event_loop(event);
}

int main(int argc, char **argv)
{
	struct rlimit files;
	int r;

	if (argc != 2)
		return 2;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	r = serve(argv[1]);
	if (r < 0)
		fprintf(stderr, "sdvarlink: error %d\n", -r);
	return r < 0;
}
