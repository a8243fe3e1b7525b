/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The methods about the service itself: Info, and those of org.varlink.service. */
#ifndef DUNED_INFO_H
#define DUNED_INFO_H

struct request;
struct answer;
struct dune_info;
struct json_object;
struct manager;

int method_info(struct request *request, struct answer *answer);
int method_get_info(struct request *request, struct answer *answer);
int method_get_description(struct request *request, struct answer *answer);

/* The types Allocation and Quotas; info may be NULL for the latter. NULL when out of memory. */
struct json_object *info_allocated_json(const struct dune_info *info);
struct json_object *info_quotas_json(const struct manager *manager, const struct dune_info *info);

#endif
