"""Holdfast's side of the real stack: the `holdfast` program, and an unmodified WebSocket client."""
import json
import os
import signal
import threading
import urllib.error
import urllib.request

import websocket  # python3-websocket

from rig import Late, Process, free_port, poll


class Holdfast:
    """`holdfast run` for one account on one upstream; the same data and address every time."""

    def __init__(self, binary, work, upstream, account):
        self._port = free_port()
        self._log = os.path.join(work, "holdfast.log")
        self._argv = [binary, "run", "--upstream", upstream, "--account", account,
                      "--listen", f"127.0.0.1:{self._port}",
                      "--data-dir", os.path.join(work, "data"), "--rate", "unlimited"]
        self._account = account
        self._process = None
        self.receive_url = f"ws://127.0.0.1:{self._port}/v1/receive/{account}"

    def start(self):
        """Starts the program and returns when it answers."""
        self._process = Process(self._argv, self._log)
        self._poll("Holdfast answers", self.link, 20)

    def kill(self):
        if self._process:
            self._process.stop(signal.SIGKILL)

    def stop(self):
        """SIGTERM; returns the exit code. Design G12 allows 5 s."""
        return self._process.stop(signal.SIGTERM, 5)

    def link(self):
        """The account's link, or None while nobody listens."""
        try:
            _, _, answer = self._request("GET", "/holdfast/v1/links")
        except OSError:
            return None
        return next(link for link in answer["links"] if link["account"] == self._account)

    def wait_ready(self, seconds=70):
        """Returns when the link is CONNECTED and synchronised."""
        self._poll("the link is ready", lambda: self.link()["ready"], seconds)

    def wait_lost(self, seconds=20):
        """Returns when the link is no longer ready."""
        self._poll("the link is noticed as lost", lambda: not self.link()["ready"], seconds)

    def send(self, recipient, text):
        """POST /v2/send; returns (Holdfast-Id, is it queued for later). Only 201 is no error."""
        request = {"number": self._account, "recipients": [recipient], "message": text}
        status, headers, answer = self._request("POST", "/v2/send", request)
        if status != 201:
            raise RuntimeError(f"POST /v2/send: {status} {answer}")
        return headers["Holdfast-Id"], headers["Holdfast-State"] == "queued"

    def wait_sent(self, send_id, seconds=70):
        """Returns when the outbox entry is `sent`, and as one that is no possible duplicate."""
        def settled():
            _, _, entry = self._request("GET", f"/holdfast/v1/outbox/{send_id}")
            return entry if entry["state"] not in ("queued", "sending") else None

        entry = self._poll(f"the send {send_id} is settled", settled, seconds)
        if entry["state"] != "sent" or entry["possible_duplicate"]:
            raise RuntimeError(f"not plainly sent: {entry}")

    def _poll(self, what, check, seconds):
        def guarded():
            if not self._process.alive():
                raise RuntimeError("Holdfast ended:\n" + self._process.log_tail())
            return check()

        return poll(what, guarded, seconds)

    def _request(self, method, path, body=None):
        """Returns (status, headers, answer); the answer of a failure stays text."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        url = f"http://127.0.0.1:{self._port}{path}"
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status, response.headers, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()


class Client:
    """Reads `WS /v1/receive/{number}` with websocket-client, message by message, and connects again
    when it is cut off, as bots do. The library answers pings by itself: that is how Holdfast knows
    what the client has.
    """

    def __init__(self, url):
        self._url = url
        self._changed = threading.Condition()
        self._ending = threading.Event()
        self._socket = None
        self._frames = 0
        self._answered = 0  # frames before the last ping
        self.texts = []     # of messages from contacts, in order of arrival, repeats included
        self._seen = set()  # the same
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait_texts(self, texts, seconds=60, enough=None):
        """Returns when all of `texts`, or `enough` of them, have come."""
        def missing():
            return [text for text in texts if text not in self._seen]

        allowed = 0 if enough is None else len(texts) - enough
        with self._changed:
            if not self._changed.wait_for(lambda: len(missing()) <= allowed, seconds):
                raise Late(f"{len(missing())} of {len(texts)} messages did not come within "
                           f"{seconds} s: {missing()[:10]}")

    def wait_answered(self, seconds=10):
        """Returns when Holdfast has asked for an acknowledgement of everything that came."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._answered == self._frames, seconds):
                raise Late(f"no ping followed the last frame within {seconds} s")

    def stop(self):
        self._ending.set()
        with self._changed:
            if self._socket:
                self._socket.abort()
        self._thread.join()

    def _run(self):
        while not self._ending.is_set():
            try:
                opened = websocket.create_connection(self._url, timeout=5)
                opened.settimeout(None)
                with self._changed:
                    self._socket = opened
                while not self._ending.is_set():
                    self._take(*opened.recv_data_frame(control_frame=True))
            except (OSError, websocket.WebSocketException):
                self._ending.wait(0.02)

    def _take(self, opcode, frame):
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise websocket.WebSocketConnectionClosedException()
        with self._changed:
            if opcode == websocket.ABNF.OPCODE_PING:
                self._answered = self._frames
            elif opcode == websocket.ABNF.OPCODE_TEXT:
                self._frames += 1
                envelope = json.loads(frame.data)["envelope"]
                text = envelope.get("dataMessage", {}).get("message")
                if text is not None:
                    self.texts.append(text)
                    self._seen.add(text)
            self._changed.notify_all()
