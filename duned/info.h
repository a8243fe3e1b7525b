/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The methods about the service itself: Info, and those of org.varlink.service. */
#ifndef DUNED_INFO_H
#define DUNED_INFO_H

struct request;
struct answer;

int method_info(struct request *request, struct answer *answer);
int method_get_info(struct request *request, struct answer *answer);
int method_get_description(struct request *request, struct answer *answer);

#endif
