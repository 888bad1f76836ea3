#!/usr/bin/python3
"""Measures a running Holdfast from outside: latency, accepted sends, recovery, memory, wake-ups.

    bench/gateway_bench.py build/release/app/holdfast [--quick]

Every durable figure stands beside the fdatasync of the same run on the same disk: read the ratios.
"""
import argparse
import glob
import json
import os
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request

import websocket  # Debian: python3-websocket

parser = argparse.ArgumentParser()
parser.add_argument("holdfast")
parser.add_argument("--quick", action="store_true", help="short runs; only to see that it works")
parser.add_argument("--dir", default=".", help="where the data directories go: the disk to measure")
options = parser.parse_args()
ACCOUNT = "+15550001111"
FRAME = ('{"envelope":{"source":"+15550009001","sourceNumber":"+15550009001","sourceUuid":"00000000-0000-4000-8000-000000000001",'
         '"sourceName":"Ada","sourceDevice":1,"timestamp":%d,"serverReceivedTimestamp":%d,"serverDeliveredTimestamp":%d,'
         '"dataMessage":{"timestamp":%d,"message":"%s","expiresInSeconds":0,"viewOnce":false}},"account":"%s"}')


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


class Daemon:
    """The least that a signal-cli daemon must say; every account is known."""

    def __init__(self, port=0):
        self.listener = socket.create_server(("127.0.0.1", port), backlog=4096)
        self.port = self.listener.getsockname()[1]
        self.subscribed, self.connections, self.serial = [], [], 1_700_000_000_000
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            for line in connection.makefile("rb"):
                request = json.loads(line)
                result = {"version": {"version": "0.13.19"}, "listAccounts": [{"number": ACCOUNT}], "subscribeReceive": 0}.get(
                    request["method"], {"timestamp": int(time.time() * 1000), "results": [
                        {"recipientAddress": {"uuid": None, "number": "+15550009001"}, "type": "SUCCESS"}]})
                connection.sendall((json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}) + "\n").encode())
                if request["method"] == "subscribeReceive":
                    self.subscribed.append(connection)
        except OSError:
            pass

    def frames(self, texts):
        lines = []
        for text in texts:
            self.serial += 1
            frame = FRAME % (self.serial, self.serial, self.serial, self.serial, text, ACCOUNT)
            lines.append('{"jsonrpc":"2.0","method":"receive","params":{"subscription":0,"result":' + frame + "}}\n")
        self.subscribed[-1].sendall("".join(lines).encode())

    def close(self):
        self.listener.close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()
        self.subscribed, self.connections = [], []


class Holdfast:
    def __init__(self, upstream_port, *extra, accounts=(ACCOUNT,)):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.dir = tempfile.mkdtemp(prefix="holdfast-bench-", dir=options.dir)
        argv = [options.holdfast, "run", "--upstream", f"tcp://127.0.0.1:{upstream_port}"]
        for account in accounts:
            argv += ["--account", account]
        self.process = subprocess.Popen(argv + ["--listen", f"127.0.0.1:{self.port}", "--data-dir", self.dir, "--rate", "unlimited", *extra],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def links(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/holdfast/v1/links", timeout=30) as answer:
            return json.loads(answer.read())["links"]

    def wait(self, condition, seconds=120):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if condition():
                    return
            except OSError:
                pass
            time.sleep(0.002)
        raise SystemExit("a step of the bench did not come to its end")

    def wait_ready(self):
        self.wait(lambda: all(link["ready"] for link in self.links()))

    def status(self, field):
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(field))

    def switches(self):
        total = 0
        for path in glob.glob(f"/proc/{self.process.pid}/task/*/status"):
            with open(path) as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("voluntary"))
        return total

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        shutil.rmtree(self.dir)


def fdatasync_ms(count=500):
    path = os.path.join(options.dir, "holdfast-bench-raw")
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        os.write(file, b"x" * 1024)
        os.fdatasync(file)
        times.append((time.perf_counter() - begun) * 1000)
    os.close(file)
    os.unlink(path)
    return statistics.median(times)


def latency(seconds):
    daemon = Daemon()
    holdfast = Holdfast(daemon.port)
    holdfast.wait_ready()
    client = websocket.create_connection(f"ws://127.0.0.1:{holdfast.port}/v1/receive/%2B15550001111")
    times, wanted = [], seconds * 1000

    def read():
        while len(times) < wanted:
            text = client.recv()
            times.append((time.perf_counter_ns() - int(text.split('"message":"')[1].split('"')[0])) / 1e6)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    begun = time.perf_counter()
    for i in range(wanted):
        while time.perf_counter() < begun + i / 1000:
            time.sleep(0.0002)
        daemon.frames([str(time.perf_counter_ns())])
    reader.join(30)
    sync = fdatasync_ms()
    holdfast.end()
    p50, p99 = statistics.median(times), percentile(times, 0.99)
    print(f"bridge frame -> consumer at 1,000/s: p50 {p50:.2f} ms, p99 {p99:.2f} ms; fdatasync {sync:.3f} ms; "
          f"p50 {p50 / sync:.1f}, p99 {p99 / sync:.1f} fdatasyncs (targets 2, 8)", flush=True)


def accepted(seconds):
    daemon = Daemon()
    daemon.close()
    holdfast = Holdfast(daemon.port)
    holdfast.wait(lambda: holdfast.links())
    body = json.dumps({"number": ACCOUNT, "recipients": ["+15550009001"], "message": "x" * 200}).encode()
    request = (b"POST /v2/send HTTP/1.1\r\nHost: 127.0.0.1\r\nPrefer: respond-async\r\nContent-Type: application/json\r\n"
               b"Content-Length: %d\r\n\r\n" % len(body)) + body
    selector = selectors.DefaultSelector()
    for _ in range(64):
        s = socket.create_connection(("127.0.0.1", holdfast.port))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(s, selectors.EVENT_READ)
        s.sendall(request)
    done, begun = 0, time.perf_counter()
    while time.perf_counter() < begun + seconds:
        for key, _ in selector.select(1):
            if b"202" not in key.fileobj.recv(4096)[:16]:
                raise SystemExit("a send was not accepted")
            done += 1
            key.fileobj.sendall(request)
    rate = done / (time.perf_counter() - begun)
    sync = fdatasync_ms()
    holdfast.end()
    print(f"/v2/send accepted at 64 in flight: {rate:.0f}/s, {rate * sync / 1000:.2f} a fdatasync", flush=True)


def recovery(outage_s, hints):
    daemon = Daemon()
    holdfast = Holdfast(daemon.port, *([] if hints else ["--no-hints"]))
    holdfast.wait_ready()
    port = daemon.port
    daemon.close()
    time.sleep(outage_s)
    back = time.perf_counter()
    daemon = Daemon(port)
    holdfast.wait(lambda: holdfast.links()[0]["state"] in ("CONNECTED", "SYNCING"))
    took = time.perf_counter() - back
    holdfast.end()
    daemon.close()
    print(f"bridge listens again -> CONNECTED after {outage_s} s, {'with' if hints else 'without'} hints: {took * 1000:.0f} ms", flush=True)


def memory(backlog, further):
    daemon = Daemon()
    holdfast = Holdfast(daemon.port)
    holdfast.wait_ready()
    idle = holdfast.status("VmRSS")
    before = holdfast.switches()
    time.sleep(10)
    wakes = (holdfast.switches() - before) / 10
    for i in range(0, backlog, 500):
        daemon.frames([f"backlog {i + k}" for k in range(500)])
    holdfast.wait(lambda: holdfast.links()[0]["inbound"]["last_seq"] == backlog)
    full = holdfast.status("VmRSS")
    holdfast.end()
    many = Holdfast(daemon.port, accounts=[ACCOUNT] + [f"+1555100{i:04d}" for i in range(further)])
    many.wait_ready()
    with_links = many.status("VmRSS")
    many_before = many.switches()
    time.sleep(10)
    many_wakes = (many.switches() - many_before) / 10
    many.end()
    print(f"RSS idle {idle / 1024:.1f} MiB; with a backlog of {backlog:,} frames {(full - idle) / 1024:+.1f} MiB; "
          f"per further link {(with_links - idle) / further:.1f} KiB ({further} links)")
    print(f"wake-ups idle: {wakes:.1f}/s; with {further + 1} links {many_wakes:.1f}/s, {(many_wakes - wakes) / further:.2f} a link", flush=True)


quick = options.quick
latency(2 if quick else 10)
accepted(1 if quick else 5)
for outage in (5,) if quick else (5, 60):
    for with_hints in (True, False):
        recovery(outage, with_hints)
memory(5_000 if quick else 100_000, 20 if quick else 200)
