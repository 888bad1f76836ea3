#!/usr/bin/python3
"""Holdfast as its users meet it: real sockets, the bridge stand-in, an unmodified WebSocket client.

Each case runs over the bridges that it names. Needs HOLDFAST_BIN and BRIDGE_SIM_BIN.
"""
import json
import os
import random
import socket
import subprocess
import threading
import time
import unittest

import rig
from rig import ACCOUNT, ADA, BO, CHEN, Bridge, Holdfast, Receiver, Work, call, wait_for

ALL = ("rest", "tcp", "unix")
JSONRPC = ("tcp", "unix")


def over(*kinds):
    """Runs a case once for each kind of bridge, each in a world of its own."""

    def decorate(case):
        def run(self):
            for kind in kinds:
                with self.subTest(bridge=kind):
                    self.work = Work()
                    try:
                        self.bridge = self.work.add(Bridge(self.work.path))
                        self.kind = kind
                        case(self)
                    finally:
                        self.work.end()

        run.__name__, run.__doc__ = case.__name__, case.__doc__
        return run

    return decorate


class Case(unittest.TestCase):
    def start(self, *extra, **options):
        return self.work.add(Holdfast(self.work.path, self.bridge.url(self.kind), *extra, **options))

    def ready(self, *extra, **options):
        holdfast = self.start(*extra, **options)
        holdfast.wait_ready()
        return holdfast

    def audit(self, holdfast):
        result = subprocess.run([rig.HOLDFAST, "audit", "--data-dir", holdfast.data], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


def numbered(prefix, count, start=1):
    return [f"{prefix} {i}" for i in range(start, start + count)]


class Receiving(Case):
    @over(*ALL)
    def test_frames_reach_an_unmodified_client_in_order(self):
        holdfast = self.ready()
        client = holdfast.receiver()
        self.bridge.inject("m", 200)
        client.wait(200)
        self.assertEqual(client.texts[0].split()[0], "m")
        self.assertEqual(client.texts, sorted(client.texts, key=lambda t: int(t.split()[-1])))
        wait_for(lambda: holdfast.link()["inbound"]["lag"] == 0, what="the acknowledgement")

    @over("tcp")
    def test_a_consumer_that_was_away_for_10000_frames_gets_each_once(self):
        holdfast = self.ready()
        self.bridge.inject("m", 10_000)
        wait_for(lambda: holdfast.link()["inbound"]["last_seq"] == 10_000, 120, "10,000 stored frames")
        client = holdfast.receiver()
        client.wait(10_000, 120)
        wait_for(lambda: holdfast.link()["inbound"]["lag"] == 0, what="the acknowledgement")
        self.assertEqual(len(set(client.texts)), 10_000)
        self.assertEqual(len(client.texts), 10_000)
        client.cut()
        again = holdfast.receiver()
        self.bridge.inject("later")
        again.wait(1)
        self.assertIn("later", again.texts[0])

    @over("tcp")
    def test_a_consumer_cut_in_mid_burst_misses_nothing(self):
        holdfast = self.ready()
        got, chance = set(), random.Random(1)
        self.bridge.inject("m", 3_000)
        for _ in range(20):
            client = holdfast.receiver()
            wanted = chance.randrange(1, 150)
            wait_for(lambda: len(client.texts) >= wanted or len(got | set(client.texts)) == 3_000, 60, "frames")
            client.cut()
            got |= set(client.texts)
        client = holdfast.receiver()
        wait_for(lambda: len(got | set(client.texts)) == 3_000, 60, "all 3,000 frames")

    @over("tcp")
    def test_a_slow_consumer_holds_up_nobody_and_costs_no_memory(self):
        holdfast = self.ready()
        slow = Receiver(holdfast.port, read=False)
        fast = holdfast.receiver()
        wait_for(lambda: holdfast.link()["inbound"]["clients"] == 2, what="two clients")
        before = rss_kb(holdfast)
        self.bridge.inject("m", 20_000, size=500)
        fast.wait(20_000, 120)
        self.assertLess(rss_kb(holdfast) - before, 40_000)
        link = holdfast.link()["inbound"]
        self.assertGreater(link["lag"], 19_000)  # the cursor waits for the slow one
        slow.cut()
        wait_for(lambda: holdfast.link()["inbound"]["lag"] == 0, what="the cursor")

    @over("rest")
    def test_several_unnamed_consumers_each_get_every_frame(self):
        holdfast = self.ready()
        clients = [holdfast.receiver() for _ in range(3)]
        wait_for(lambda: holdfast.link()["inbound"]["clients"] == 3, what="three clients")
        self.bridge.inject("m", 50)
        for client in clients:
            client.wait(50)
            self.assertEqual(len(set(client.texts)), 50)

    @over("tcp")
    def test_a_poller_gets_an_array_once(self):
        holdfast = self.ready()
        self.bridge.inject("m", 5)
        wait_for(lambda: holdfast.link()["inbound"]["last_seq"] == 5, what="five frames")
        number = ACCOUNT.replace("+", "%2B")
        _, _, first = holdfast.call(f"/v1/receive/{number}?max_messages=2&timeout=5")
        _, _, rest = holdfast.call(f"/v1/receive/{number}?timeout=5")
        self.assertEqual(len(first), 2)
        self.assertEqual(len(rest), 3)
        self.assertEqual(holdfast.call(f"/v1/receive/{number}?timeout=0")[2], [])

    @over(*ALL)
    def test_duplicates_are_stored_once(self):
        holdfast = self.ready()
        client = holdfast.receiver()
        self.bridge.fault("duplicate", n=3)
        self.bridge.inject("m", 5)
        client.wait(5)
        wait_for(lambda: holdfast.link()["inbound"]["duplicates"] == 3, what="three duplicates")
        self.assertEqual(len(client.texts), 5)
        holdfast.stop()
        self.audit(holdfast)

    @over(*ALL)
    def test_malformed_frames_are_stored_counted_and_stop_nothing(self):
        holdfast = self.ready()
        client = holdfast.receiver()
        self.bridge.fault("malformed", n=2)
        self.bridge.inject("after")
        client.wait(1)
        self.assertEqual(len(client.texts), 1)
        self.assertTrue(holdfast.link()["ready"])


def rss_kb(holdfast):
    with open(f"/proc/{holdfast.process.pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


class Outages(Case):
    @over(*ALL)
    def test_a_bridge_restart_is_survived_and_explained(self):
        holdfast = self.ready()
        self.bridge.fault("restart", for_ms=2_000)
        wait_for(lambda: holdfast.link()["state"] != "CONNECTED", 20, "a noticed drop")
        holdfast.wait_ready()
        client = holdfast.receiver()
        self.bridge.inject("back")
        client.wait(1)
        states = [(t["from"], t["to"]) for t in holdfast.link()["transitions"]]
        self.assertIn(("CONNECTED", "DISCONNECTED"), states)
        self.assertEqual(states[-3:], [("RECONNECTING", "CONNECTED"), ("CONNECTED", "SYNCING"), ("SYNCING", "CONNECTED")])
        for transition in holdfast.link()["transitions"]:
            self.assertTrue(transition["evidence"] and transition["reason"])

    @over(*ALL)
    def test_a_half_open_link_is_noticed_within_20_s(self):
        holdfast = self.ready()
        self.bridge.fault("half_open", for_ms=60_000)
        begun = time.monotonic()
        wait_for(lambda: holdfast.link()["state"] == "RECONNECTING", 21, "the notice")
        self.assertLess(time.monotonic() - begun, 20.5)
        self.assertIn("silent", [t["reason"] for t in holdfast.link()["transitions"]])
        self.bridge.fault("clear")
        call(f"http://127.0.0.1:{holdfast.port}/holdfast/v1/links/{ACCOUNT.replace('+', '%2B')}/retry", {}, method="POST")
        holdfast.wait_ready()

    @over("rest", "tcp")
    def test_accept_then_drop_is_not_hammered(self):
        holdfast = self.ready()
        self.bridge.fault("accept_then_drop", for_ms=12_000)
        wait_for(lambda: holdfast.link()["attempt_count"] >= 3, 30, "a third attempt")
        delays = [t["nominal_delay_ms"] for t in holdfast.link()["transitions"] if t["to"] == "RECONNECTING"]
        self.assertEqual(delays[-3:], [1_000, 2_000, 4_000])
        holdfast.wait_ready()

    @over(*ALL)
    def test_without_a_bridge_it_retries_and_answers(self):
        self.bridge.fault("refuse", for_ms=600_000)
        holdfast = self.start()
        wait_for(lambda: holdfast.link()["attempt_count"] >= 2, 20, "a second attempt")
        link = holdfast.link()
        self.assertEqual((link["ready"], link["receive_health"], link["send_health"]), (False, "down", "down"))
        about = holdfast.call("/v1/about")[2]
        self.assertEqual(about["mode"], "json-rpc")
        self.assertIn("v2", about["versions"])
        self.assertEqual(holdfast.call("/v1/health")[0], 204)
        self.assertEqual(holdfast.call("/healthz")[0], 200)
        self.assertEqual(holdfast.call("/readyz")[0], 200)
        self.assertEqual(holdfast.call("/readyz?links=1")[0], 503)
        status, headers, _ = holdfast.call(f"/v1/groups/{ACCOUNT.replace('+', '%2B')}")
        self.assertEqual(status, 503)
        self.assertTrue(headers["Retry-After"])
        self.bridge.fault("clear")
        holdfast.wait_ready(10)  # a hint: nobody waits for the backoff

    @over("rest")
    def test_a_bridge_in_normal_mode_is_named_as_the_reason(self):
        self.bridge.fault("rest", mode="normal")
        holdfast = self.start()
        link = wait_for(lambda: (l := holdfast.link())["transitions"] and l["attempt_count"] >= 2 and l, 30, "a refusal")
        self.assertIn("bridge_mode", [t["reason"] for t in link["transitions"]])
        self.assertIn("MODE=json-rpc", " ".join(t["evidence"] for t in link["transitions"]))


class Sending(Case):
    @over(*ALL)
    def test_a_send_is_answered_as_the_bridge_answers_it(self):
        holdfast = self.ready()
        status, headers, body = holdfast.send("hello")
        self.assertEqual(status, 201)
        self.assertIsInstance(body["timestamp"], str)
        entry = holdfast.entry(headers["Holdfast-Id"])
        self.assertEqual((entry["state"], entry["attempts"], entry["possible_duplicate"]), ("sent", 1, False))
        self.assertEqual([row["to"] for row in entry["history"]], ["queued", "sending", "sent"])
        self.assertEqual(self.bridge.messages_sent(), ["hello"])

    @over(*ALL)
    def test_sends_wait_for_the_bridge_and_keep_their_order(self):
        holdfast = self.ready()
        self.bridge.fault("refuse", for_ms=600_000)
        self.bridge.fault("drop")
        wait_for(lambda: not holdfast.link()["ready"], 20, "the drop")
        ids = []
        for i in range(10):
            status, headers, body = holdfast.send(f"queued {i}")
            self.assertEqual((status, headers["Holdfast-State"], body["state"]), (201, "queued", "queued"))
            ids.append(headers["Holdfast-Id"])
        self.bridge.fault("clear")
        for send_id in ids:
            self.assertFalse(holdfast.wait_entry(send_id, "sent")["possible_duplicate"])
        self.assertEqual(self.bridge.messages_sent(), [f"queued {i}" for i in range(10)])

    @over(*ALL)
    def test_the_same_key_is_the_same_send(self):
        holdfast = self.ready()
        key = {"Idempotency-Key": "k-1"}
        first = holdfast.send("once", headers=key)
        second = holdfast.send("once", headers=key)
        self.assertEqual((first[0], second[0]), (201, 201))
        self.assertEqual(first[2]["timestamp"], second[2]["timestamp"])
        self.assertEqual(holdfast.send("other", headers=key)[0], 409)
        self.assertEqual(self.bridge.messages_sent(), ["once"])

    @over(*ALL)
    def test_an_ambiguous_answer_is_unknown_then_repeated_once_and_marked(self):
        holdfast = self.ready("--no-hints")
        self.bridge.fault("deliver_then_drop", count=1)
        status, headers, _ = holdfast.send("maybe")
        self.assertEqual(status, 201)
        states = holdfast.wait_entry(headers["Holdfast-Id"], "sent", 90)
        self.assertTrue(states["possible_duplicate"])
        self.assertEqual([row["to"] for row in states["history"]],
                         ["queued", "sending", "unknown", "queued", "sending", "sent"])
        self.assertEqual(self.bridge.messages_sent(), ["maybe", "maybe"])

    @over("rest", "tcp")
    def test_a_rate_limit_is_obeyed_in_every_disguise(self):
        holdfast = self.ready()
        for recipient, fault in ((ADA, {"variant": "plain", "retry_after_s": 30}), (BO, {"variant": "hidden"})):
            self.bridge.fault("rate_limit", count=1, **fault)
            status, headers, body = holdfast.send("limited", to=recipient)
            self.assertEqual((status, body["state"]), (201, "queued"))
            entry = holdfast.entry(headers["Holdfast-Id"])
            self.assertEqual((entry["state"], entry["attempts"]), ("queued", 1))
            self.assertTrue(entry["error"])
        # Others go on; a challenge token stops the account and is shown.
        self.assertNotIn("state", holdfast.send("other", to=CHEN)[2])
        self.bridge.fault("rate_limit", count=1, variant="token", token="tok-1")
        holdfast.send("challenged", to=CHEN)
        wait_for(lambda: holdfast.link()["outbox"]["challenge_token"] == "tok-1", what="the challenge token")
        self.assertEqual(holdfast.send("behind it", to="+15550008888")[2]["state"], "queued")

    @over("rest", "tcp")
    def test_a_definite_failure_is_the_bridges_4xx(self):
        holdfast = self.ready()
        self.bridge.fault("untrusted", count=1)
        status, headers, body = holdfast.send("no")
        self.assertEqual(status, 400)
        self.assertIn("untrusted", body["error"])
        self.assertEqual(holdfast.entry(body.get("id") or headers["Holdfast-Id"])["state"], "failed")

    @over("rest", "tcp")
    def test_no_internet_at_the_bridge_is_waited_out(self):
        holdfast = self.ready()
        self.bridge.fault("no_internet", count=2)
        _, headers, _ = holdfast.send("patience")
        entry = holdfast.wait_entry(headers["Holdfast-Id"], "sent")
        self.assertEqual((entry["attempts"], entry["possible_duplicate"]), (3, False))
        self.assertEqual(self.bridge.messages_sent(), ["patience"])

    @over("rest", "tcp")
    def test_a_hanging_bridge_does_not_hang_the_caller(self):
        holdfast = self.ready()
        self.bridge.fault("hang_sends")
        begun = time.monotonic()
        status, headers, body = holdfast.send("slow")
        self.assertEqual((status, body["state"]), (201, "sending"))
        self.assertLess(time.monotonic() - begun, 6)
        self.assertEqual(headers["Holdfast-State"], "sending")

    @over("rest")
    def test_wrong_input_says_what_to_change(self):
        holdfast = self.ready()
        for body, part in ((b"{", "invalid request"), ({"number": ACCOUNT, "message": "x"}, "at least one recipient"),
                           ({"recipients": [ADA], "message": "x"}, "valid number")):
            status, _, answer = holdfast.call("/v2/send", body)
            self.assertEqual(status, 400, answer)
            self.assertIn(part, answer["error"])
            self.assertEqual(answer["code"], "invalid_argument")
        self.assertEqual(holdfast.call("/v1/receive/%2B15557777777")[0], 404)
        self.assertEqual(holdfast.call("/v1/about", headers={"Host": "evil.example"})[0], 421)
        self.assertEqual(holdfast.call("/v1/about", headers={"Origin": "http://evil.example"})[0], 403)
        with socket.create_connection(("127.0.0.1", holdfast.port)) as s:
            s.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
            self.assertIn(b"400", s.recv(4096))
        self.assertEqual(holdfast.call("/healthz")[0], 200)


class Crashes(Case):
    @over("tcp")
    def test_fifty_kills_under_traffic_both_ways_lose_nothing_accepted(self):
        """What was stored is delivered, what was accepted is sent, once unless it is marked."""
        holdfast = self.start()
        port, data = holdfast.port, holdfast.data
        accepted, got, stop = {}, [], threading.Event()

        def send():
            number = 0
            while not stop.is_set():
                number += 1
                try:
                    status, headers, _ = call(f"http://127.0.0.1:{port}/v2/send",
                                              {"number": ACCOUNT, "recipients": [(ADA, BO, CHEN)[number % 3]],
                                               "message": f"out {number}"}, timeout=10)
                    if status == 201:
                        accepted[f"out {number}"] = headers["Holdfast-Id"]
                except OSError:
                    stop.wait(0.02)

        def receive():
            while not stop.is_set():
                try:
                    client = Receiver(port)
                except (OSError, rig.websocket.WebSocketException):
                    stop.wait(0.02)
                    continue
                wait_for(lambda: client.ended or stop.is_set(), 600)
                got.extend(client.texts)

        threads = [threading.Thread(target=send), threading.Thread(target=receive)]
        for thread in threads:
            thread.start()
        chance, stored = random.Random(7), 0
        for round_number in range(50):
            self.bridge.inject(f"in {round_number}", 5)
            limit = time.monotonic() + chance.uniform(0.02, 0.4)
            wait_for(lambda: time.monotonic() > limit)
            holdfast.kill()
            self.audit(holdfast)
            holdfast = self.start(port=port, data=data)
        holdfast.wait_ready()
        wait_for(lambda: (o := holdfast.link()["outbox"])["queued"] + o["sending"] + o["unknown"] == 0, 120, "an empty outbox")
        wait_for(lambda: holdfast.link()["inbound"]["lag"] == 0, 60, "a consumer without lag")
        stored = holdfast.link()["inbound"]["last_seq"]
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(len(set(got)), stored)
        sent = self.bridge.messages_sent()
        for text, send_id in accepted.items():
            entry = holdfast.entry(send_id)
            times = sent.count(text)
            if entry["state"] == "held":
                continue
            self.assertEqual(entry["state"], "sent", text)
            self.assertIn(times, (1, 2) if entry["possible_duplicate"] else (1,), text)
        self.assertGreater(len(accepted), 20)
        self.assertEqual(holdfast.stop(), 0)
        self.audit(holdfast)

    @over("rest", "tcp")
    def test_sigterm_ends_within_five_seconds_with_work_under_way(self):
        holdfast = self.ready()
        self.bridge.fault("hang_sends")
        client = holdfast.receiver()
        holdfast.send("hanging", headers={"Prefer": "respond-async"})
        begun = time.monotonic()
        self.assertEqual(holdfast.stop(), 0)
        self.assertLess(time.monotonic() - begun, 5)
        wait_for(lambda: client.ended, 5, "the client's end")
        self.audit(holdfast)

    @over("tcp")
    def test_two_processes_on_one_data_directory_is_refused(self):
        holdfast = self.ready()
        second = subprocess.run([rig.HOLDFAST, "run", "--upstream", self.bridge.url("tcp"), "--account", ACCOUNT, "--listen",
                                 "127.0.0.1:0", "--data-dir", holdfast.data], capture_output=True, text=True, timeout=30)
        self.assertEqual(second.returncode, 4, second.stderr)
        self.assertIn(holdfast.data, second.stderr)
        self.assertTrue(holdfast.link()["ready"])

    @over("tcp")
    def test_a_full_disk_pauses_and_resumes_by_itself(self):
        data = os.path.join(self.work.path, "small")
        os.mkdir(data)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs", data], check=True)
        try:
            holdfast = self.ready(data=data)
            client = holdfast.receiver()
            self.bridge.inject("before", 3)
            client.wait(3)
            ballast = os.path.join(data, "ballast")
            with open(ballast, "wb") as file:
                try:
                    while True:
                        file.write(b"x" * 65536)
                        file.flush()
                except OSError:
                    pass
            self.bridge.inject("during", 300, size=4_000)
            wait_for(lambda: holdfast.link()["receive_health"] == "paused", 30, "paused")
            self.assertFalse(holdfast.link()["ready"])
            self.assertEqual(holdfast.call("/readyz")[0], 503)
            # A small send may still find room in the recycled log; a large one does not.
            answers = [holdfast.send("x" * 1_000_000) for _ in range(8)]
            self.assertEqual((answers[-1][0], answers[-1][2]["code"]), (507, "store_full"))
            os.unlink(ballast)
            holdfast.wait_ready()
            client.wait(303)
            self.assertEqual(len(set(client.texts)), 303)
            self.assertEqual(holdfast.send("accepted")[0], 201)
            holdfast.stop()
            self.audit(holdfast)
        finally:
            subprocess.run(["umount", "-l", data], check=True)


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")  # a killed peer leaves sockets behind
