# SPDX-License-Identifier: LGPL-2.1-or-later
"""client.py ADDRESS: the certification of org.varlink.certification by the Varlink project's Python library. Each
call passes on what the one before returned. Ends with status 1 and the reason when anything is not as the interface
says; must never look at the values."""
import sys

import varlink

NR_TESTS = 9
REPLIES = 10


def certify(address):
    with varlink.Client(address) as client, client.open("org.varlink.certification") as service:
        client_id = service.Start()["client_id"]
        result = {}
        for number in range(1, NR_TESTS + 1):
            result = getattr(service, f"Test{number:02}")(client_id, *result.values())
            print(f"Test{number:02}: {result}")
        replies = [reply["string"] for reply in service.Test10(client_id, result["mytype"], _more=True)]
        print(f"Test10: {replies}")
        if len(replies) != REPLIES:
            sys.exit(f"{len(replies)} replies instead of {REPLIES}")
        service.Test11(client_id, replies, _oneway=True)
        end = service.End(client_id)
        print(f"End: {end}")
        if end != {"all_ok": True}:
            sys.exit("not certified")


if __name__ == "__main__":
    certify(sys.argv[1])
