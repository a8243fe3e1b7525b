/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The method Create: name, limits and quotas of a new context. */
#ifndef DUNED_CREATE_H
#define DUNED_CREATE_H

struct request;
struct answer;

int method_create(struct request *request, struct answer *answer);

#endif
