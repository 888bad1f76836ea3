"""A real Signal stack on loopback: the service (Signal's mock server) and signal-cli linked to it.

`Service` and `Daemon` are child processes that end with this one. Every wait has a deadline and
ends with the event it waits for; a missed one raises `Late` and says what was missing.
"""
import atexit
import concurrent.futures
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PARTS = os.path.abspath(os.environ.get("HOLDFAST_REAL_DIR")
                        or os.path.expanduser("~/.cache/holdfast-real"))
UNAVAILABLE = 77  # exit code of `setup` when a part cannot be had


class Late(Exception):
    """Something did not happen in time."""


def poll(what, check, seconds, every=0.02):
    """Asks `check()` every `every` seconds, for at most `seconds`; returns its first true value."""
    end = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise Late(f"{what}: not within {seconds} s")
        time.sleep(every)


def free_port():
    """A port of 127.0.0.1 on which nobody listens, below the range of outgoing connections."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        first_ephemeral = int(f.read().split()[0])
    while True:
        port = random.randrange(min(20000, first_ephemeral - 1000), first_ephemeral)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Process:
    """A child that is killed when this process ends, however it ends. Its output goes to `log`."""

    def __init__(self, argv, log, **options):
        self.log = log
        with open(log, "ab") as out:
            options.setdefault("stdin", subprocess.DEVNULL)
            options.setdefault("stdout", out)
            self.child = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *argv], stderr=out,
                                          **options)
        atexit.register(self.stop, signal.SIGKILL)

    def alive(self):
        return self.child.poll() is None

    def stop(self, how=signal.SIGTERM, seconds=20):
        """Sends the signal and returns when the process is gone."""
        if self.alive():
            self.child.send_signal(how)
        return self.child.wait(seconds)

    def log_tail(self, lines=30):
        with open(self.log, errors="replace") as f:
            return "".join(f.readlines()[-lines:])


class Service:
    """`signal_service.js`: the service, its people, and what the contacts received."""

    def __init__(self, work):
        env = {**os.environ, "NODE_PATH": os.path.join(PARTS, "node_modules")}
        self._process = Process(["node", os.path.join(HERE, "signal_service.js")],
                                os.path.join(work, "service.log"), env=env, cwd=work,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._changed = threading.Condition()
        self._calls = {}
        self._call_count = 0
        self._ready = None
        self._inbox = []
        threading.Thread(target=self._read, daemon=True).start()
        with self._changed:
            if not self._changed.wait_for(lambda: self._ready, 20):
                raise Late("the mock server did not start:\n" + self._process.log_tail())
        self.url = f"https://127.0.0.1:{self._ready['port']}"
        self.account = self._ready["account"]["number"]
        self.contacts = self._ready["contacts"]

    def _read(self):
        for line in self._process.child.stdout:
            o = json.loads(line)
            with self._changed:
                if o.get("event") == "ready":
                    self._ready = o
                elif o.get("event") == "received":
                    self._inbox.append((o["by"], o["text"]))
                elif "error" in o:
                    self._calls.pop(o["id"]).set_exception(RuntimeError(o["error"]))
                else:
                    self._calls.pop(o["id"]).set_result(o["result"])
                self._changed.notify_all()
        with self._changed:
            for future in self._calls.values():
                why = "the mock server ended:\n" + self._process.log_tail()
                future.set_exception(RuntimeError(why))
            self._calls.clear()

    def start_call(self, call, **parameters):
        """Begins a call of signal_service.js; returns its future."""
        future = concurrent.futures.Future()
        with self._changed:
            self._call_count += 1
            self._calls[self._call_count] = future
            line = json.dumps({"id": self._call_count, "call": call, **parameters})
            self._process.child.stdin.write(line.encode() + b"\n")
            self._process.child.stdin.flush()
        return future

    def call(self, call, seconds=20, **parameters):
        try:
            return self.start_call(call, **parameters).result(seconds)
        except concurrent.futures.TimeoutError:
            raise Late(f"the service did not end '{call}' within {seconds} s") from None

    def contact_sends(self, who, text, count=1, sealed=False):
        """Sends `count` messages from a contact to the account; returns their texts."""
        return self.start_contact_sends(who, text, count, sealed).result(60)["texts"]

    def start_contact_sends(self, who, text, count, sealed=False):
        return self.start_call("send", who=who, text=text, count=count, sealed=sealed)

    def received(self, who):
        """The texts that a contact has received so far, in order."""
        with self._changed:
            return [text for by, text in self._inbox if by == who]

    def wait_received(self, who, texts, seconds=30):
        """Returns when the contact has received each of `texts` at least once."""
        def missing():
            return set(texts) - {text for by, text in self._inbox if by == who}
        with self._changed:
            if not self._changed.wait_for(lambda: not missing(), seconds):
                raise Late(f"{who} did not receive {sorted(missing())} within {seconds} s")

    def stop(self):
        self._process.stop()


class JsonRpc:
    """One connection to the daemon: calls, and the notifications that came, in order."""

    def __init__(self, address):
        self._socket = connect(address)
        self._changed = threading.Condition()
        self._answers = {}
        self._count = 0
        self.frames = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for line in self._socket.makefile("rb"):
                o = json.loads(line)
                with self._changed:
                    if o.get("method") == "receive":
                        self.frames.append(o["params"])
                    else:
                        self._answers[o["id"]] = o
                    self._changed.notify_all()
        except OSError:
            pass

    def call(self, method, seconds=30, **params):
        """The result; a JSON-RPC error is raised."""
        with self._changed:
            self._count += 1
            call_id = str(self._count)
            request = {"jsonrpc": "2.0", "id": call_id, "method": method, "params": params}
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            if not self._changed.wait_for(lambda: call_id in self._answers, seconds):
                raise Late(f"{method}: no answer within {seconds} s")
            answer = self._answers.pop(call_id)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def wait_frames(self, check, what, seconds=30):
        """Returns when `check(self.frames)` is true."""
        with self._changed:
            if not self._changed.wait_for(lambda: check(self.frames), seconds):
                raise Late(f"{what}: not within {seconds} s")

    def close(self):
        """Ends the connection at once, as the death of the client would."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the daemon ended it before
        self._socket.close()


def connect(address):
    """A stream socket to "unix:/path" or "tcp://host:port"."""
    if address.startswith("unix:"):
        s = socket.socket(socket.AF_UNIX)
        s.connect(address[len("unix:"):])
        return s
    host, port = address[len("tcp://"):].rsplit(":", 1)
    s = socket.create_connection((host, int(port)), 5)
    s.settimeout(None)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


class Daemon:
    """The signal-cli daemon in manual mode over a UNIX socket and TCP; the same ones every time."""

    def __init__(self, work, service):
        self._work = work
        self._service = service
        self._unix = os.path.join(work, "signal-cli.sock")
        self._port = free_port()
        self._process = None
        self.addresses = {"unix": f"unix:{self._unix}",
                          "tcp": f"tcp://127.0.0.1:{self._port}"}

    def start(self, seconds=60):
        """Returns when the daemon answers over both."""
        overlay = os.path.join(PARTS, "overlay")
        guard = os.path.join(overlay, "org/asamk/signal/manager/config/LiveConfig.class")
        if not os.path.exists(guard):
            raise RuntimeError("without this class signal-cli calls the real service: " + guard)
        if os.path.exists(self._unix):
            os.remove(self._unix)
        packages = os.path.join(PARTS, "node_modules")
        jars = os.path.join(packages, "signal-cli/signal-cli/lib/*")
        certs = os.path.join(packages, "@signalapp/mock-server/certs")
        java = [os.path.join(PARTS, "java/run"), "-Xmx160m", "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1", "--enable-native-access=ALL-UNNAMED",
                f"-Dholdfast.service={self._service.url}", f"-Dholdfast.certs={certs}",
                "-cp", f"{overlay}:{jars}", "org.asamk.signal.Main"]
        daemon = ["--config", os.path.join(self._work, "account"),
                  "daemon", "--receive-mode", "manual",
                  "--socket", self._unix, "--tcp", f"127.0.0.1:{self._port}"]
        self._process = Process([*java, *daemon], os.path.join(self._work, "daemon.log"),
                                cwd=self._work)

        def answers():
            if not self._process.alive():
                raise RuntimeError("the daemon ended:\n" + self._process.log_tail())
            try:
                for address in self.addresses.values():
                    rpc = JsonRpc(address)
                    rpc.call("version")
                    rpc.close()
                return True
            except OSError:
                return False
        poll("the daemon answers", answers, seconds)

    def link(self):
        """Links the daemon to the owner's account, once."""
        rpc = JsonRpc(self.addresses["unix"])
        uri = rpc.call("startLink")["deviceLinkUri"]
        linked = self._service.start_call("link", uri=uri)
        rpc.call("finishLink", deviceLinkUri=uri, deviceName="holdfast")
        linked.result(20)
        accounts = [account["number"] for account in rpc.call("listAccounts")]
        if accounts != [self._service.account]:
            raise RuntimeError(f"linked as {accounts}, not as {self._service.account}")
        rpc.close()

    def kill(self):
        self._process.stop(signal.SIGKILL)

    def stop(self):
        self._process.stop()


def setup():
    """Installs the parts. Returns the sentence that says why they cannot be had here, or None."""
    done = subprocess.run([os.path.join(HERE, "setup")], stdout=subprocess.PIPE, text=True)
    if done.returncode == UNAVAILABLE:
        return done.stdout.strip()
    if done.returncode != 0:
        raise RuntimeError(f"setup failed with exit code {done.returncode}")
    return None


def fresh_directory(path):
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path
