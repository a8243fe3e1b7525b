#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The page of dune-exporter in headless Chromium: the page itself comes from a running exporter, with its
headers; the hour that it draws comes from demo_history.

Usage: B=build tests/service/exporter/page.py [--screenshots FOLDER]
With --screenshots every state is also saved as a PNG, to be looked at.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
from chromium import Chromium  # noqa: E402

B = Path(os.environ.get("B", "build"))
PICTURES = Path(sys.argv[2]) if sys.argv[1:2] == ["--screenshots"] else None
WIDE, NARROW = (1200, 900), (390, 844)
passed, failed = 0, []


def check(condition, what):
    global passed
    if condition:
        passed += 1
    else:
        failed.append(what)
        print(f"FAIL page: {what}")


class Front(BaseHTTPRequestHandler):
    """The exporter's own answers, but for the history."""
    protocol_version = "HTTP/1.1"
    exporter, history, status = "", b"{}", 200

    def do_GET(self):
        if self.path == "/api/history":
            headers, body, status = {"Content-Type": "application/json"}, Front.history, Front.status
        else:
            with urllib.request.urlopen(Front.exporter + self.path, timeout=10) as reply:
                headers, body, status = dict(reply.headers), reply.read(), reply.status
        self.send_response(status)
        for key, value in headers.items():
            if key.lower() not in ("date", "content-length", "connection"):
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def set_history(kind):
    Front.status = 200
    Front.history = subprocess.run([B / "tests/service/exporter/demo_history", kind],
                                   capture_output=True, check=True).stdout


def picture(browser, name):
    if PICTURES:
        PICTURES.mkdir(parents=True, exist_ok=True)
        browser.screenshot(PICTURES / f"{name}.png", browser.evaluate(
            "Math.ceil(document.documentElement.getBoundingClientRect().height)"))


class Page:
    def __init__(self, browser, url):
        self.browser, self.url = browser, url

    def open(self, kind, size=WIDE, dark=False):
        set_history(kind)
        self.browser.open(self.url, *size, dark)
        self.browser.wait_for("document.getElementById('version').textContent !== ''")
        picture(self.browser, f"{kind}-{'wide' if size == WIDE else 'narrow'}"
                              f"-{'dark' if dark else 'light'}")
        check(not self.browser.complaints(), f"{kind}: {self.browser.complaints()}")

    def text(self, selector):
        return self.browser.evaluate(f"document.querySelector('{selector}').innerText")

    def number(self, expression):
        return self.browser.evaluate(expression)


# Foreground against background of every visible text, by WCAG 2's formula; 4.5 is what it wants.
CONTRAST = """(() => {
	const light = (c) => c.map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
	const luminance = (c) => { const [r, g, b] = light(c); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const parse = (text) => text.match(/[\\d.]+/g).map(Number);
	const back = (node) => { for (; node; node = node.parentElement) { const c = parse(getComputedStyle(node).backgroundColor); if (c.length < 4 || c[3] > 0) return c.slice(0, 3); } return [255, 255, 255]; };
	let worst = [99, ""];
	for (const node of document.querySelectorAll("body *")) {
		const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
		if (!own || !node.getClientRects().length || node.closest(".hidden, script, noscript"))
			continue;
		const style = getComputedStyle(node);
		const front = parse(node instanceof SVGElement ? style.fill : style.color).slice(0, 3);
		const [a, b] = [luminance(front), luminance(back(node))];
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < worst[0]) worst = [ratio, node.outerHTML.slice(0, 80)];
	}
	return worst;
})()"""


def test_looks(page):
    """Each state in both schemes and both widths: draws, fits, can be read."""
    for kind in ("busy", "gap", "start", "quiet", "down", "nomodule", "uncounted", "full"):
        for size in (WIDE, NARROW):
            for dark in (False, True):
                if kind not in ("busy", "full", "down") and (dark or size == NARROW):
                    continue
                page.open(kind, size, dark)
                where = f"{kind} at {size[0]} {'dark' if dark else 'light'}"
                check(page.number("document.documentElement.scrollWidth <= innerWidth"),
                      f"{where}: wider than the window")
                check(page.number("[...document.querySelectorAll('.panel, .tile')].every((panel) => "
                                  "[...panel.querySelectorAll('*')].every((node) => node.closest("
                                  "'.hidden') || node.getBoundingClientRect().right <= "
                                  "panel.getBoundingClientRect().right))"),
                      f"{where}: something sticks out of its panel")
                ratio, node = page.number(CONTRAST)
                check(ratio >= 4.5, f"{where}: contrast {ratio:.2f} of {node}")
                back = page.number("getComputedStyle(document.documentElement).backgroundColor")
                check((back == "rgb(15, 19, 23)") == dark, f"{where}: background {back}")


def test_busy(page):
    page.open("busy")
    check(page.number("document.querySelectorAll('#exits-plot .band').length") == 8,
          "seven reasons and the others are bands")
    check("ept violation" in page.text("#exits-table"), "the table names reasons")
    check("3 others" in page.text("#exits-table"), "what has no band of its own is summed")
    check(page.number("document.querySelectorAll('#quotas [role=meter]').length") == 4, "four meters")
    check("of 1,024 (<1 %)" in page.text("#quotas"), "used of maximum, in words")
    check("limit hits" in page.text("#troubles"), "troubles that occurred are listed")
    check("reply QuotaExceeded" in page.text("#troubles") and
          "InvalidName" not in page.text("#troubles"), "error replies that occurred, by name")
    check("panic of the runtime" in page.text("#ends"), "causes have words")
    check(page.text("#status-text") == "service 0.1.0, module 0.1.0 (ABI 2)" or
          "ABI" in page.text("#status-text"), "the status names versions")
    check(page.number("document.getElementById('banner').hidden"), "no banner when all is well")
    asked = page.browser.requested()
    check(all(url.startswith((page.url, "data:")) for url in asked), f"asks nobody else: {asked}")


def test_states(page):
    for kind, title, words in (
            ("down", "The service is down.", "systemctl status duned"),
            ("nomodule", "The kernel module can't be used.", "dunectl doctor"),
            ("uncounted", "Not everything is known.", "Totals")):
        page.open(kind)
        check(title in page.text("#banner") and words in page.text("#banner"), f"{kind}: banner")
        check(page.number("document.querySelector('.dot').className") == "dot bad", f"{kind}: dot")
        check(page.number("document.title.startsWith('⚠')"), f"{kind}: the title warns")
    page.open("start")
    check("first chart appears" in page.text("#exits-plot"), "start: says when there will be more")
    check("11 k" in page.text("#exits-table"), "start: totals are there at once")
    page.open("down")
    check("Not known" in page.text("#troubles-calm") and "✓" not in page.number(
        "getComputedStyle(document.getElementById('troubles-calm'), '::before').content"),
        "down: nothing known is not all is well")
    page.open("quiet")
    check("No VM exits" in page.text("#exits-plot"), "quiet: says that there is nothing")
    check("None since" in page.text("#troubles-calm"), "quiet: no troubles")
    page.open("gap")
    check(page.number("document.querySelectorAll('#exits-plot .gap').length") == 1 and
          "no data" in page.text("#exits-plot"), "gap: drawn as one, and named")
    page.open("full")
    check("used up" in page.text("#quotas"), "full: said in words, not by colour alone")
    page.open("markup")
    check("<img src=x" in page.text("#status-text") and
          not page.number("document.querySelector('img')"), "text from elsewhere stays text")


def test_keyboard(page):
    browser = page.browser
    page.open("busy")
    order = []
    for _ in range(8):
        browser.press("Tab")
        order.append(browser.evaluate("document.activeElement.id || document.activeElement.name || "
                                      "document.activeElement.tagName"))
    check(order[:5] == ["A", "range", "pause", "exits-plot", "contexts-plot"],
          f"order of the focus: {order}")
    browser.evaluate("document.getElementById('exits-plot').focus()")
    browser.press("End")
    browser.press("ArrowLeft")
    spoken = page.text("#spoken")
    check("per second" in spoken and "ept violation" in spoken, f"arrow keys speak: {spoken}")
    check(not browser.evaluate("document.getElementById('tip').hidden"), "and show the moment")
    picture(browser, "tooltip")
    browser.press("Escape")
    check(browser.evaluate("document.getElementById('tip').hidden"), "Escape hides it")
    browser.evaluate("document.getElementById('pause').focus()")
    browser.press(" ")
    check(browser.evaluate("document.getElementById('pause').getAttribute('aria-pressed')") == "true"
          and "paused" in page.text("#updated"), "the space bar pauses")


def test_range(page):
    page.open("busy")
    before = page.number("document.querySelector('#exits-plot .band').getAttribute('d').length")
    page.browser.evaluate("document.querySelector('input[value=\"300\"]').click()")
    after = page.number("document.querySelector('#exits-plot .band').getAttribute('d').length")
    check(after < before / 5, f"five minutes are fewer points: {before} to {after}")
    check("past 5 min" in page.text("#troubles thead"), "and the table says so")


def test_failure(page):
    page.open("busy")
    Front.status = 500
    page.browser.wait_for("!document.getElementById('banner').hidden")
    check("The exporter does not answer" in page.text("#banner") and "500" in page.text("#banner"),
          "an exporter that fails is told")
    check("stale" in page.number("document.body.className"), "what is old looks old")
    check(page.number("document.querySelectorAll('.band').length") > 0, "and stays")
    Front.status = 200
    page.browser.wait_for("document.getElementById('banner').hidden")
    Front.history = b"no JSON"
    page.browser.wait_for("!document.getElementById('banner').hidden")
    check("no JSON" in page.text("#banner"), "what is no JSON is told")


def test_policy(page):
    """The policy holds: neither markup nor style that comes in later is run."""
    page.open("busy")
    page.browser.evaluate("""(() => {
        const script = document.createElement("script");
        script.textContent = "window.intruder = 1";
        document.body.append(script);
        document.body.setAttribute("style", "display: none");
    })()""")
    check(page.number("window.intruder === undefined"), "an added script does not run")
    check(page.number("getComputedStyle(document.body).display !== 'none'"),
          "an added style does not hold")
    check(page.number("fetch('https://example.org/').then(() => false, () => true)"),
          "no other host can be asked")


def main():
    if not shutil.which("chromium"):
        print("SKIP page: no chromium (apt-get install chromium)")
        print("page: 0 passed, 0 failed, 1 skipped")
        return 0
    folder = tempfile.mkdtemp(prefix="dune-page-")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Front)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    probe = ThreadingHTTPServer(("127.0.0.1", 0), Front)
    address = f"127.0.0.1:{probe.server_port}"
    probe.server_close()
    Front.exporter = f"http://{address}"
    exporter = subprocess.Popen(  # pylint: disable=consider-using-with
        [B / "duned/exporter/dune-exporter", f"--listen={address}", f"--socket={folder}/none"],
        stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(Front.exporter + "/-/healthy", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        with Chromium() as browser:
            page = Page(browser, f"http://127.0.0.1:{server.server_port}/")
            for test in (test_looks, test_busy, test_states, test_keyboard, test_range,
                         test_failure, test_policy):
                test(page)
    finally:
        exporter.terminate()
        exporter.wait()
        shutil.rmtree(folder)
    print(f"page: {passed} passed, {len(failed)} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
