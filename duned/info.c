// SPDX-License-Identifier: LGPL-2.1-or-later
/* Info, GetInfo, GetInterfaceDescription; see info.h. These work without the module. */
#include "duned/info.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "duned/interfaces.h"
#include "duned/json.h"
#include "duned/request.h"
#include "proto/bugs.h"
#include "proto/json_text.h"
#include "proto/names.h"
#include "proto/varlink.h"

/* ---- org.varlink.service ---- */

int method_get_info(struct request *request, struct answer *answer)
{
	struct json_object *parameters = json_object_new_object();
	struct json_object *names = json_object_new_array();
	const char *bad;
	bool ok = names != NULL;

	if (params_decode(request->call->parameters, NULL, 0, &bad) < 0) {
		json_object_put(parameters);
		json_object_put(names);
		return answer_bad_parameter(answer, bad);
	}
	for (size_t i = 0; ok && i < nr_interfaces; i++)
		ok = json_append(names, json_object_new_string(interfaces[i].name));
	ok = json_put(parameters, "interfaces", names) && ok &&
	     json_put_string(parameters, "vendor", "Dune") &&
	     json_put_string(parameters, "product", "duned") &&
	     json_put_string(parameters, "version", DUNE_VERSION) &&
	     json_put_string(parameters, "url", "file:///usr/share/doc/dune/README.md");
	return answer_reply(answer, json_finish(parameters, ok));
}

int method_get_description(struct request *request, struct answer *answer)
{
	const char *name = NULL, *bad;
	const struct param params[] = { { "interface", PARAM_STRING, &name } };
	struct json_object *parameters;
	bool ok;

	if (params_decode(request->call->parameters, params, 1, &bad) < 0)
		return answer_bad_parameter(answer, bad);
	if (!name)
		return answer_bad_parameter(answer, "interface");
	for (size_t i = 0; i < nr_interfaces; i++) {
		if (strcmp(interfaces[i].name, name) != 0)
			continue;
		parameters = json_object_new_object();
		ok = json_put_string(parameters, "description", interfaces[i].text);
		return answer_reply(answer, json_finish(parameters, ok));
	}
	return answer_error_string(answer, VARLINK_ERROR("InterfaceNotFound"), "interface", name);
}

/* ---- Info ---- */

static struct json_object *features_json(uint64_t features)
{
	struct json_object *names = json_object_new_array();
	char buffer[DUNE_NAME_BUFFER];
	bool ok = names != NULL;

	for (unsigned int bit = 0; ok && bit < 64; bit++) {
		if (features >> bit & 1)
			ok = json_append(names,
					 json_object_new_string(dune_name_or_number(
						 dune_feature_name(bit), "feature", bit, buffer)));
	}
	return json_finish(names, ok);
}

static struct json_object *bug_json(unsigned int bit, uint64_t measures)
{
	struct json_object *object = json_object_new_object();
	struct dune_bug bug = dune_bug_describe(bit, measures);
	char buffer[DUNE_NAME_BUFFER];
	bool ok = json_put_string(object, "name",
				  dune_name_or_number(bug.name, "bug", bit, buffer)) &&
		  json_put_string(object, "state", bug.state) &&
		  json_put_string(object, "how", bug.how);

	return json_finish(object, ok);
}

static struct json_object *bugs_json(const struct dune_info *info)
{
	struct json_object *bugs = json_object_new_array();
	bool ok = bugs != NULL;

	for (unsigned int bit = 0; ok && bit < 64; bit++) {
		if (info->bugs >> bit & 1)
			ok = json_append(bugs, bug_json(bit, info->measures));
	}
	return json_finish(bugs, ok);
}

struct json_object *info_allocated_json(const struct dune_info *info)
{
	struct json_object *object = json_object_new_object();
	bool ok = json_put_int(object, "contexts", info->contexts) &&
		  json_put_int(object, "vcpus", info->vcpus) &&
		  json_put_int(object, "ept_pages", info->ept_pages) &&
		  json_put_int(object, "private_pages", info->private_pages) &&
		  json_put_int(object, "run_pages", info->run_pages) &&
		  json_put_int(object, "vmcs_pages", info->vmcs_pages);

	return json_finish(object, ok);
}

/* What is known when the module can be used. */
static bool put_module_info(struct json_object *object, const struct dune_info *info)
{
	return json_put_int(object, "abi", info->abi) &&
	       json_put_string(object, "version", info->version) &&
	       json_put(object, "features", features_json(info->features)) &&
	       json_put(object, "bugs", bugs_json(info)) &&
	       json_put_int(object, "gpa_bits", info->gpa_bits) &&
	       json_put_int(object, "slots", info->nr_slots) &&
	       json_put_string(object, "vmx_holder", dune_vmx_holder_name(info->vmx_holder)) &&
	       json_put(object, "allocated", info_allocated_json(info)) &&
	       json_put_int(object, "created", info->created) &&
	       json_put_int(object, "refused", info->refused) &&
	       json_put_int(object, "assertions", info->assertions);
}

static struct json_object *module_json(const struct manager *manager, int problem,
				       const struct dune_info *info)
{
	struct json_object *object = json_object_new_object();
	bool ok = json_put_bool(object, "loaded", !problem || problem == -EPROTONOSUPPORT) &&
		  json_put_int(object, "abi_expected", DUNE_ABI_VERSION);

	if (problem)
		ok = ok && json_put_string(object, "problem", dune_errno_name(problem));
	if (problem == -EPROTONOSUPPORT)
		ok = ok && json_put_int(object, "abi", manager->device.abi);
	if (!problem)
		ok = ok && put_module_info(object, info);
	return json_finish(object, ok);
}

static struct json_object *limits_json(const struct config_limits *limits, int64_t contexts)
{
	struct json_object *object = json_object_new_object();
	bool ok = json_put_int(object, "vcpus", (uint64_t)limits->vcpus) &&
		  json_put_int(object, "private_pages", (uint64_t)limits->private_pages) &&
		  json_put_int(object, "ept_pages", (uint64_t)limits->ept_pages) &&
		  json_put_int(object, "contexts", (uint64_t)contexts);

	return json_finish(object, ok);
}

static struct json_object *quotas_json(const struct manager_limits *quotas)
{
	struct json_object *object = json_object_new_object();
	int64_t per_user = quotas->contexts_per_user;
	bool ok = json_put_int(object, "contexts_per_user", (uint64_t)per_user) &&
		  json_put_int(object, "contexts_per_host", (uint64_t)quotas->contexts_per_host) &&
		  json_put(object, "defaults", limits_json(&quotas->defaults, per_user)) &&
		  json_put(object, "maximum", limits_json(&quotas->maximum, per_user));

	return json_finish(object, ok);
}

struct json_object *info_quotas_json(const struct manager *manager, const struct dune_info *info)
{
	struct manager_limits quotas;

	manager_limits(manager, info, &quotas);
	return quotas_json(&quotas);
}

/* ---- the last answer, kept: it changes far less often than it is asked for ---- */

/* All that the answer depends on beside what is compiled in */
struct info_basis {
	int problem;
	uint32_t abi;
	struct dune_info info;
	struct manager_limits limits;
};

static struct {
	struct info_basis basis;
	char *text;	/* NULL: none yet */
	size_t size;
} kept;

static int info_keep(const struct manager *manager, const struct info_basis *basis)
{
	struct json_object *parameters
		__attribute__((cleanup(json_release))) = json_object_new_object();
	size_t size;
	char *text;
	bool ok;
	int r;

	ok = json_put_string(parameters, "version", DUNE_VERSION) &&
	     json_put(parameters, "module", module_json(manager, basis->problem, &basis->info)) &&
	     json_put(parameters, "quotas", quotas_json(&basis->limits));
	r = ok ? json_text_write(parameters, VARLINK_MAX_REPLY, &text, &size) : -ENOMEM;
	if (r < 0)
		return r;
	free(kept.text);
	kept.text = text;
	kept.size = size;
	kept.basis = *basis;
	return 0;
}

int method_info(struct request *request, struct answer *answer)
{
	struct manager *manager = request->manager;
	struct info_basis basis;
	const char *bad;
	int r = 0;

	if (params_decode(request->call->parameters, NULL, 0, &bad) < 0)
		return answer_bad_parameter(answer, bad);
	/* Compared as bytes: what lies between the members must not differ by chance. */
	memset(&basis, 0, sizeof(basis));
	basis.problem = manager_device(manager);
	if (!basis.problem)
		basis.problem = device_info(&manager->device, &basis.info);
	basis.abi = manager->device.abi;
	manager_limits(manager, basis.problem ? NULL : &basis.info, &basis.limits);
	if (!kept.text || memcmp(&kept.basis, &basis, sizeof(basis)) != 0)
		r = info_keep(manager, &basis);
	if (r < 0)
		return r;
	answer->text = kept.text;
	answer->text_size = kept.size;
	return 0;
}
