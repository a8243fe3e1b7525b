/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The methods GetQuota, SetQuota and Reload. */
#ifndef DUNED_QUOTA_METHODS_H
#define DUNED_QUOTA_METHODS_H

struct request;
struct answer;

int method_get_quota(struct request *request, struct answer *answer);
int method_set_quota(struct request *request, struct answer *answer);
int method_reload(struct request *request, struct answer *answer);

#endif
