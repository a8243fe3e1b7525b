# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client's connection to the service, as any user; must never wait for ever."""
import json
import os
import socket
import struct
import threading
import time

PATIENCE_S = 30                 # for anything


class Wrong(Exception):
    """The service did what it must not do."""


class Dropped(Exception):
    """The connection ended: the service was killed."""


class Connection:
    uid_lock = threading.Lock()

    def __init__(self, path, uid):
        deadline = time.monotonic() + PATIENCE_S
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(PATIENCE_S)
            try:
                with self.uid_lock:
                    os.seteuid(uid)
                    try:
                        self.socket.connect(path)
                    finally:
                        os.seteuid(0)
                break
            except (FileNotFoundError, ConnectionRefusedError, PermissionError):   # not yet, or its mode
                self.socket.close()
                if time.monotonic() > deadline:
                    raise Wrong("nobody listens any more") from None
                time.sleep(0.001)
        self.rest = b""

    def peer_pid(self):
        """Of the process that listens."""
        credentials = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return struct.unpack("3i", credentials)[0]

    def send(self, method, parameters, **flags):
        message = {"method": "io.dune.Manager." + method, "parameters": parameters, **flags}
        try:
            self.socket.sendall(json.dumps(message).encode() + b"\0")
        except (BrokenPipeError, ConnectionResetError):
            raise Dropped from None

    def receive(self):
        """A reply and the descriptors that came with it."""
        received = []
        try:
            while b"\0" not in self.rest:
                data, fds, _, _ = socket.recv_fds(self.socket, 65536, 4)
                received += fds
                if not data:
                    raise Dropped
                self.rest += data
        except (ConnectionResetError, Dropped):
            for fd in received:     # a reply that did not arrive whole is none
                os.close(fd)
            raise Dropped from None
        except TimeoutError:
            raise Wrong("no answer") from None
        reply, self.rest = self.rest.split(b"\0", 1)
        return json.loads(reply), received

    def call(self, method, **parameters):
        self.send(method, parameters)
        return self.receive()

    def close(self):
        self.socket.close()
