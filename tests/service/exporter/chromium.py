# SPDX-License-Identifier: LGPL-2.1-or-later
"""A headless Chromium, driven by the DevTools protocol over two pipes; standard library only."""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

WAIT_S = 60


class Chromium:
    """One browser with one page. Use as a context manager."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="dune-chromium-")
        to_browser, self.send_fd = os.pipe()
        self.receive_fd, from_browser = os.pipe()
        command = [shutil.which("chromium"), "--headless=new", "--no-sandbox", "--disable-gpu",
                   "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
                   "--disable-background-networking", "--hide-scrollbars", "--mute-audio",
                   "--remote-debugging-pipe", f"--user-data-dir={self.folder}", "about:blank"]

        def place_pipes():
            # The browser reads from descriptor 3 and writes to 4.
            low, high = os.dup(to_browser), os.dup(from_browser)
            os.dup2(low, 3)
            os.dup2(high, 4)

        self.process = subprocess.Popen(  # pylint: disable=consider-using-with,subprocess-popen-preexec-fn
            command, preexec_fn=place_pipes, close_fds=False, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.number, self.buffer, self.events, self.session = 0, b"", [], None
        target = next(t for t in self.call("Target.getTargets")["targetInfos"]
                      if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"],
                                 flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def message(self, deadline):
        """The next message of the browser."""
        while b"\0" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.receive_fd], [], [], left)[0]:
                raise TimeoutError("Chromium does not answer")
            chunk = os.read(self.receive_fd, 1 << 16)
            if not chunk:
                raise EOFError("Chromium ended")
            self.buffer += chunk
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **parameters):
        """Calls a method of the protocol; events that come meanwhile are kept."""
        self.number += 1
        call = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            call["sessionId"] = self.session
        os.write(self.send_fd, json.dumps(call).encode() + b"\0")
        deadline = time.monotonic() + WAIT_S
        while True:
            message = self.message(deadline)
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            if "method" in message:
                self.events.append(message)

    def evaluate(self, expression):
        """The value of an expression in the page; promises are awaited."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait_for(self, expression):
        """Waits until an expression is true."""
        deadline = time.monotonic() + WAIT_S
        while not self.evaluate(expression):
            if time.monotonic() > deadline:
                raise TimeoutError(expression)
            time.sleep(0.1)

    def open(self, url, width, height, dark=False):
        """Loads a page of this size and scheme."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    def complaints(self):
        """What the console, the log and the loader complained of since open()."""
        found = []
        self.evaluate("1")  # what happened before has arrived now
        for event in self.events:
            parameters = event["params"]
            if event["method"] == "Log.entryAdded" and \
                    parameters["entry"]["level"] in ("error", "warning"):
                found.append(parameters["entry"]["text"])
            elif event["method"] == "Runtime.exceptionThrown":
                found.append(str(parameters["exceptionDetails"].get("exception", {})
                                 .get("description", parameters)))
            elif event["method"] == "Runtime.consoleAPICalled":
                found.append(str(parameters["args"]))
        return found

    def requested(self):
        """The addresses that the page asked for since open()."""
        return [event["params"]["request"]["url"] for event in self.events
                if event["method"] == "Network.requestWillBeSent"]

    def press(self, key):
        """Presses a key, as a person would."""
        for kind in ("keyDown", "keyUp"):
            code = {"Tab": 9, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowRight": 39, " ": 32,
                    "Escape": 27}[key]
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code,
                      code="Space" if key == " " else key, text=" " if key == " " and
                      kind == "keyDown" else "")

    def screenshot(self, path, height=None):
        """The page as a PNG: what is visible, or `height` pixels from the top."""
        clip = {}
        if height:
            width = self.evaluate("document.documentElement.clientWidth")
            clip = {"clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1},
                    "captureBeyondViewport": True}
        picture = self.call("Page.captureScreenshot", format="png", **clip)
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture["data"]))
