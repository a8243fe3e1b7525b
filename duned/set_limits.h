/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The method SetLimits: other limits for a context that exists. */
#ifndef DUNED_SET_LIMITS_H
#define DUNED_SET_LIMITS_H

struct request;
struct answer;

int method_set_limits(struct request *request, struct answer *answer);

#endif
