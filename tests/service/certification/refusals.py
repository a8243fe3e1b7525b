# SPDX-License-Identifier: LGPL-2.1-or-later
"""refusals.py SOCKET: what the certification's server has to refuse; without this, that it refuses nothing could
mean that it compares nothing."""
import json
import socket
import sys

NAME = "org.varlink.certification."


class Client:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(path)
        self.rest = b""

    def call(self, method, **parameters):
        message = {"method": NAME + method, "parameters": parameters}
        self.socket.sendall(json.dumps(message).encode() + b"\0")
        while b"\0" not in self.rest:
            data = self.socket.recv(65536)
            if not data:
                sys.exit(f"{method}: connection closed")
            self.rest += data
        reply, self.rest = self.rest.split(b"\0", 1)
        return json.loads(reply)

    def start(self):
        return self.call("Start")["parameters"]["client_id"]


def expect(reply, error):
    print(reply)
    if reply.get("error") != NAME + error:
        sys.exit(f"{error} expected")


def main(path):
    client = Client(path)
    expect(client.call("Test01", client_id="nobody"), "ClientIdError")
    expect(client.call("Test01"), "ClientIdError")
    expect(client.call("Test02", client_id=client.start(), bool=True), "CertificationError")
    me = client.start()
    expect(client.call("Test02", client_id=me, **{"bool": not client.call("Test01", client_id=me)["parameters"]["bool"]}),
           "CertificationError")
    me = client.start()
    expect(client.call("Test01", client_id=me, more_than_asked=1), "CertificationError")
    me = client.start()
    result = {}
    for number in range(1, 10):
        result = client.call(f"Test{number:02}", client_id=me, **result)["parameters"]
    expect(client.call("Test10", client_id=me, **result), "CertificationError")


if __name__ == "__main__":
    main(sys.argv[1])
