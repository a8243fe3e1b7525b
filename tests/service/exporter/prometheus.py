#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real Prometheus scrapes dune-exporter, which asks duned with the module made of paper: the target is up
in both formats, what was shown is what was stored, promtool has nothing to complain of; and the scrape goes on
while duned is away, hangs or comes back.

Usage: B=build tests/service/exporter/prometheus.py
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

B = Path(os.environ.get("B", "build"))
RULES = Path("duned/exporter/dune.rules.yml").resolve()
OPENMETRICS = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
               "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
WAIT_S = 60
passed, failed = 0, 0


def check(condition, what):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"FAIL prometheus: {what}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, condition):
    """Waits until the condition holds; False when it never does."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        try:
            if condition():
                return True
        except OSError:
            pass
        time.sleep(0.2)
    check(False, f"never: {what}")
    return False


def get(url, accept=None):
    request = urllib.request.Request(url, headers={"Accept": accept} if accept else {})
    with urllib.request.urlopen(request, timeout=20) as reply:
        return reply.headers["Content-Type"], reply.read().decode()


class Host:
    """duned, exporter and Prometheus in a folder of their own."""

    def __init__(self, folder):
        self.folder, self.processes = folder, {}
        self.socket = folder / "duned"
        self.exporter = f"127.0.0.1:{free_port()}"
        self.prometheus = f"127.0.0.1:{free_port()}"

    def start(self, name, *command):
        with open(self.folder / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log)

    def stop(self, name, how=signal.SIGTERM):
        process = self.processes.pop(name)
        process.send_signal(how)
        return process.wait(timeout=WAIT_S)

    def start_duned(self, device="fake"):
        config = self.folder / "duned.conf"
        config.write_text("[quota host]\nvcpus = 4096\n")
        self.start("duned", B / "tests/unit/duned-fake", f"--socket={self.socket}",
                   f"--config={config}", f"--device={device}")
        wait_for("duned listens", self.socket.exists)

    def start_exporter(self):
        self.start("exporter", B / "duned/exporter/dune-exporter", f"--listen={self.exporter}",
                   f"--socket={self.socket}", "--per-user=2")
        wait_for("the exporter serves", lambda: get(f"http://{self.exporter}/-/healthy"))

    def start_prometheus(self):
        job = ("  - job_name: {}\n    metrics_path: /metrics\n    scrape_interval: 1s\n"
               "    static_configs: [{{targets: ['{}']}}]\n")
        config = self.folder / "prometheus.yml"
        config.write_text("global: {evaluation_interval: 1s}\n"
                          f"rule_files: ['{RULES}']\nscrape_configs:\n" +
                          job.format("dune", self.exporter))
        result = subprocess.run(["promtool", "check", "config", config], capture_output=True,
                                text=True, check=False)
        check(result.returncode == 0, result.stdout + result.stderr)
        self.start("prometheus", "prometheus", f"--config.file={config}",
                   f"--storage.tsdb.path={self.folder}/data",
                   f"--web.listen-address={self.prometheus}", "--log.level=warn")
        wait_for("Prometheus is ready", lambda: get(f"http://{self.prometheus}/-/ready"))

    def api(self, path, **query):
        return json.loads(get(f"http://{self.prometheus}/api/v1/{path}?"
                              + urllib.parse.urlencode(query))[1])["data"]

    def value(self, query):
        """The one value of a query; None when it has none."""
        result = self.api("query", query=query)["result"]
        return float(result[0]["value"][1]) if len(result) == 1 else None

    def metrics(self, accept=None):
        return get(f"http://{self.exporter}/metrics", accept)

    def end(self):
        for name in list(self.processes):
            self.stop(name, signal.SIGKILL)


def lint(text):
    """promtool's complaints about the text format; it exits with 3 for matters of taste."""
    result = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True,
                            text=True, check=False)
    return "" if result.returncode == 0 else result.stdout + result.stderr


def series(text):
    """Every series of an exposition, with its value, in either format."""
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def make_context(host):
    """A context of ours: lives while the descriptor is open. What is written into it moves it on."""
    call = {"method": "io.dune.Manager.Create", "parameters": {"name": "seen"}}
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(host.socket))
        client.sendall(json.dumps(call).encode() + b"\0")
        _, fds, _, _ = socket.recv_fds(client, 1 << 16, 4)
    os.write(fds[0], b"ar")
    return fds[0]


def test_formats(host):
    """Both formats say the same and obey their own rules."""
    kind, text = host.metrics()
    check(kind == "text/plain; version=0.0.4; charset=utf-8", kind)
    check(not lint(text), lint(text))
    kind, openmetrics = host.metrics(OPENMETRICS)
    check(kind == "application/openmetrics-text; version=1.0.0; charset=utf-8", kind)
    check(openmetrics.endswith("\n# EOF\n") and openmetrics.count("# EOF") == 1, "# EOF at the end")
    check(series(text).keys() == series(openmetrics).keys(), "the same series in both")
    check(len(series(text)) < 400, f"{len(series(text))} series: bounded")
    for name in re.findall(r"# TYPE (\S+) counter", openmetrics):
        check(not name.endswith("_total") and f"\n{name}_total" in openmetrics, f"{name}: a counter")
    for name, unit in re.findall(r"# UNIT (\S+) (\S+)", openmetrics):
        check(name.endswith("_" + unit), f"{name}: its unit is {unit}")
    described = set(re.findall(r"# HELP (\S+) .+\.", text))
    check(described == set(re.findall(r"# TYPE (\S+)", text)), "HELP and TYPE for each")
    for forbidden in ("pid=", "id=\"", "comm", "name=\"", "seen"):
        lines = [line for line in series(text) if forbidden in line and "uid=" not in line]
        check(not lines, f"{forbidden} as a label or value: {lines}")


def test_scraped(host):
    def target():
        targets = host.api("targets")["activeTargets"]
        return targets and targets[0]["health"] == "up"
    wait_for("the target is up", target)
    wait_for("dune_up is stored", lambda: host.value("dune_up") == 1)
    fd = make_context(host)
    wait_for("a context is seen", lambda: host.value("sum(dune_quota_contexts_used)") == 1)
    check(host.value("dune_context_creations_total") == 1, "it was created")
    check(host.value("dune_quota_vcpus_limit") == 4096, "a quota of the configuration")
    check(host.value("dune_quota_vcpus_used") == 64, "and what is promised of it")
    check(host.value("dune_quota_ept_memory_limit_bytes") is None, "none where there is no limit")
    check(host.value('dune_user_contexts{uid="%d"}' % os.getuid()) == 1, "it is its owner's")
    os.close(fd)
    wait_for("and is gone", lambda: host.value("sum(dune_quota_contexts_used)") == 0)
    text = series(host.metrics()[1])
    for name in sorted({re.sub(r"\{.*", "", name) for name in text}):
        stored = host.value(f"count({name})")
        shown = sum(1 for one in text if re.sub(r"\{.*", "", one) == name)
        # Sums by user come and go with their contexts.
        if not name.startswith("dune_user_"):
            check(stored == shown, f"{name}: {shown} series shown, {stored} stored")
    rules = [rule for group in host.api("rules")["groups"] for rule in group["rules"]]
    check(len(rules) >= 8 and all(rule["health"] in ("ok", "unknown") for rule in rules),
          "the rules run")
    firing = [alert["labels"]["alertname"] for alert in host.api("alerts")["alerts"]]
    check(not firing, f"no alert on a host that is well: {firing}")


def test_duned_away(host):
    """The scrape itself goes on, and says what is wrong."""
    host.stop("duned", signal.SIGKILL)
    wait_for("dune_up is 0", lambda: host.value("dune_up") == 0)
    check(host.value("up") == 1, "the scrape succeeds while duned is away")
    check(host.value("sum(dune_memory_bytes)") is None, "what is not known is not shown as 0")
    text = host.metrics()[1]
    check(not lint(text), lint(text))
    wait_for("an alert is pending", lambda: any(
        alert["labels"]["alertname"] == "DuneServiceDown" for alert in host.api("alerts")["alerts"]))
    host.start_duned()
    wait_for("duned is back", lambda: host.value("dune_up") == 1)
    before = host.value("dune_exporter_collections_total{result='failed'}")
    host.stop("duned")
    host.socket.unlink(missing_ok=True)
    host.start_duned()
    wait_for("a new one is asked", lambda: host.value("dune_up") == 1)
    check(before is not None and before >= 1, f"failures are counted: {before}")


def test_duned_hangs(host):
    """A service that does not answer costs a scrape three seconds, not its life."""
    host.processes["duned"].send_signal(signal.SIGSTOP)
    time.sleep(1.5)
    start = time.monotonic()
    text = host.metrics()[1]
    took = time.monotonic() - start
    check(2 < took < 8, f"answered after {took:.1f} s")
    check("\ndune_up 0\n" in text, "and says that duned is down")
    start = time.monotonic()
    get(f"http://{host.exporter}/-/healthy")
    check(time.monotonic() - start < 2, "others do not wait")
    host.processes["duned"].send_signal(signal.SIGCONT)
    wait_for("it is up again", lambda: "\ndune_up 1\n" in host.metrics()[1])


def test_without_module(host):
    host.stop("duned")
    host.socket.unlink(missing_ok=True)
    host.start_duned("fake:absent")
    wait_for("the module is missed, the service is up",
             lambda: host.value("dune_module_up + 2 * dune_up") == 2)
    check(host.value("sum(dune_memory_bytes)") is None, "no memory of no module")
    check(not lint(host.metrics()[1]), "and the text is clean")


def test_textfile(host):
    path = host.folder / "dune.prom"
    command = [B / "duned/exporter/dune-exporter", f"--socket={host.socket}", f"--textfile={path}"]
    check(subprocess.run(command, check=False).returncode == 0, "written")
    text = path.read_text()
    check(not lint(text), lint(text))
    check("process_" not in text and "dune_exporter_" not in text,
          "nothing in it that node_exporter or the service shows, too")
    check(path.stat().st_mode & 0o777 == 0o644, "readable for node_exporter")
    left = [entry.name for entry in host.folder.iterdir() if entry.name.startswith(".")]
    check(not left, f"nothing left over: {left}")


def main():
    missing = [name for name in ("prometheus", "promtool") if not shutil.which(name)]
    if missing:
        print(f"SKIP prometheus: no {missing[0]} (apt-get install prometheus)")
        print("prometheus: 0 passed, 0 failed, 1 skipped")
        return 0
    with tempfile.TemporaryDirectory(prefix="dune-prometheus-") as folder:
        host = Host(Path(folder))
        try:
            host.start_duned()
            host.start_exporter()
            host.start_prometheus()
            for test in (test_formats, test_scraped, test_duned_away, test_duned_hangs,
                         test_without_module, test_textfile):
                test(host)
            check(host.stop("exporter") == 0, "the exporter stops when told to")
        finally:
            host.end()
    print(f"prometheus: {passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
