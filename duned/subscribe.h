/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The method Events: filters, the current state, and the subscription that follows it. */
#ifndef DUNED_SUBSCRIBE_H
#define DUNED_SUBSCRIBE_H

struct request;
struct answer;

int method_events(struct request *request, struct answer *answer);

#endif
