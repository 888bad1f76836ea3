"""Processes for black-box tests: the bridge stand-in, Holdfast, and an unmodified WebSocket client.

Everything waits for events with a deadline; nothing sleeps for a guessed time.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import websocket  # Debian: python3-websocket

HOLDFAST = os.environ["HOLDFAST_BIN"]
BRIDGE_SIM = os.environ["BRIDGE_SIM_BIN"]
ACCOUNT = "+15550001111"
ADA, BO, CHEN = "+15550009001", "+15550009002", "+15550009003"


def wait_for(condition, seconds=30, what="the condition"):
    """The first true value of condition(); fails after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come within {seconds} s")
        time.sleep(0.01)


def call(url, body=None, method=None, headers=None, timeout=30):
    """Returns (status, headers, parsed JSON or text)."""
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    if data is not None and "Content-Type" not in (headers or {}):
        request.add_header("Content-Type", "application/json")
    try:
        answer = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        text = answer.read().decode()
    try:
        return answer.status, answer.headers, json.loads(text)
    except ValueError:
        return answer.status, answer.headers, text


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Process:
    def __init__(self, argv, log, **options):
        self.log = open(log, "ab")
        self.process = subprocess.Popen(argv, **{"stdout": self.log, "stderr": self.log, **options})

    def kill(self, number=signal.SIGKILL):
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(30)
        self.log.close()
        return code


class Bridge(Process):
    """The stand-in for both bridges."""

    def __init__(self, work, receive_mode="manual"):
        self.socket = os.path.join(work, "bridge.sock")
        ports = os.path.join(work, "bridge.ports")
        with open(ports, "wb") as told_to:
            super().__init__([BRIDGE_SIM, "--rest", "127.0.0.1:0", "--jsonrpc", "tcp://127.0.0.1:0", "--jsonrpc",
                              "unix:" + self.socket, "--control", "127.0.0.1:0", "--account", ACCOUNT,
                              "--receive-mode", receive_mode], os.path.join(work, "bridge.log"), stdout=told_to)

        def first_line():
            with open(ports) as file:
                text = file.readline()
            return text if text.endswith("\n") else None

        line = wait_for(first_line, what="bridge-sim's line")
        told = json.loads(line)
        self.rest, self.tcp, self.control = told["rest"], told["jsonrpc"][0], told["control"]

    def url(self, kind):
        return {"rest": f"http://127.0.0.1:{self.rest}", "tcp": f"tcp://127.0.0.1:{self.tcp}",
                "unix": f"unix:{self.socket}"}[kind]

    def post(self, path, body):
        status, _, answer = call(f"http://127.0.0.1:{self.control}{path}", body)
        assert status < 300, answer
        return answer

    def inject(self, text, n=1, **more):
        return self.post("/inject", {"text": text, "n": n, **more})

    def fault(self, kind, **more):
        return self.post("/fault", {"kind": kind, **more})

    def sent(self):
        return call(f"http://127.0.0.1:{self.control}/sent")[2]

    def messages_sent(self):
        answer = self.sent()
        entries = answer if isinstance(answer, list) else answer["sent"]
        return [entry["message"] for entry in entries]

    def state(self):
        return call(f"http://127.0.0.1:{self.control}/state")[2]


class Holdfast(Process):
    def __init__(self, work, upstream, *extra, data=None, port=None, rate=("--rate", "unlimited"), **options):
        self.port = port or free_port()
        self.data = data or os.path.join(work, "data")
        self.logfile = os.path.join(work, "holdfast.log")
        super().__init__([HOLDFAST, "run", "--upstream", upstream, "--account", ACCOUNT, "--listen",
                          f"127.0.0.1:{self.port}", "--data-dir", self.data, *rate, *extra], self.logfile, **options)
        wait_for(lambda: self.listens() or self.process.poll() is not None, what="Holdfast's port")
        assert self.process.poll() is None, open(self.logfile).read()

    def listens(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def call(self, path, *args, **more):
        return call(f"http://127.0.0.1:{self.port}{path}", *args, **more)

    def link(self):
        return self.call("/holdfast/v1/links")[2]["links"][0]

    def wait_ready(self, seconds=70):
        return wait_for(lambda: self.link()["ready"], seconds, "ready")

    def send(self, text, to=ADA, headers=None, **more):
        return self.call("/v2/send", {"number": ACCOUNT, "recipients": [to], "message": text, **more}, headers=headers)

    def entry(self, send_id):
        return self.call(f"/holdfast/v1/outbox/{send_id}")[2]

    def wait_entry(self, send_id, state, seconds=60):
        return wait_for(lambda: (e := self.entry(send_id))["state"] == state and e, seconds, f"{send_id} {state}")

    def receiver(self):
        return Receiver(self.port)

    def stop(self):
        return self.kill(signal.SIGTERM)


class Receiver:
    """websocket-client, unmodified: pongs what its read loop has taken."""

    def __init__(self, port, read=True):
        self.ws = websocket.create_connection(f"ws://127.0.0.1:{port}/v1/receive/{urllib.parse.quote(ACCOUNT)}", timeout=60)
        self.texts = []
        self.ended = False
        self.pings = 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        if read:
            self.thread.start()

    def run(self):
        try:
            while True:
                opcode, frame = self.ws.recv_data_frame(True)
                if opcode == websocket.ABNF.OPCODE_TEXT:
                    self.texts.append(json.loads(frame.data)["envelope"]["dataMessage"]["message"])
                elif opcode == websocket.ABNF.OPCODE_PING:
                    self.pings += 1
                elif opcode == websocket.ABNF.OPCODE_CLOSE:
                    break
        except (OSError, websocket.WebSocketException):
            pass
        self.ended = True

    def wait(self, count, seconds=60):
        wait_for(lambda: len(self.texts) >= count, seconds, f"{count} frames, not {len(self.texts)},")

    def cut(self):
        """Dies without a goodbye."""
        self.ws.sock.shutdown(socket.SHUT_RDWR)
        self.ws.shutdown()


class Work:
    """A directory and processes that end with the test."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="holdfast-e2e-")
        self.running = []

    def add(self, process):
        self.running.append(process)
        return process

    def end(self):
        for process in reversed(self.running):
            if process.process.poll() is None:
                process.kill()
        shutil.rmtree(self.path, ignore_errors=True)
