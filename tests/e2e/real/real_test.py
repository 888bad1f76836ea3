#!/usr/bin/python3
"""Holdfast on the real signal-cli, which is linked to Signal's own mock server, all on loopback.

One line per case. Exit code 0: all passed; 1: one failed; 2: wrong usage; 77: the parts of the real
stack cannot be had on this machine.
"""
import argparse
import os
import shutil
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True  # nothing is written beside the sources

import rig  # noqa: E402

try:
    import gateway
except ModuleNotFoundError:  # the WebSocket client that it uses; unavailable() says so
    gateway = None

BURST = 300
CUT_AFTER = 100    # messages of a burst have arrived when it is cut
LOST_MAX = 5       # of a cut burst: what signal-cli had acknowledged and not delivered
UNACKED_MAX = 256  # frames that Holdfast delivers ahead of a client's acknowledgement


def case(sentence):
    """Marks a method as a case; the cases of a class run in the order in which they are written."""
    def mark(method):
        method.sentence = sentence
        return method
    return mark


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def judge_cut_burst(sent, came, repeats_max, ordered=True):
    """Counts what a cut burst lost; returns a note. `came`: in order, with other texts between."""
    wanted = set(sent)
    came = [text for text in came if text in wanted]
    arrived = list(dict.fromkeys(came))
    lost = wanted - set(arrived)
    repeats = len(came) - len(arrived)
    place = {text: i for i, text in enumerate(sent)}
    swapped = [(a, b) for a, b in zip(arrived, arrived[1:]) if place[a] > place[b]]
    check(not swapped or not ordered, f"the order changed: {swapped[:10]}")
    check(len(lost) <= LOST_MAX, f"{len(lost)} of {len(sent)} lost: {sorted(lost)[:10]}")
    check(repeats <= repeats_max, f"{repeats} came again")
    return (f"{len(lost)} of {len(sent)} lost, {repeats} came again"
            + (f", {len(swapped)} overtaken inside signal-cli" if swapped else ""))


class Stack:
    """The service and the daemon that all cases share."""

    def __init__(self, work):
        self.service = rig.Service(work)
        self.daemon = rig.Daemon(work, self.service)
        self.daemon.start()
        self.daemon.link()
        self.bob = self.service.contacts["bob"]

    def restart_daemon(self):
        self.daemon.kill()
        self.daemon.start()

    def wait_detached(self):
        """Returns when the daemon has left the service, as it does without a subscriber."""
        def left():
            return self.service.call("counts")["connections"] == 0
        rig.poll("the daemon leaves the service", left, 10)

    def drop(self):
        """The service ends the daemon's connection."""
        check(self.service.call("drop")["closed"] > 0, "there was no connection to drop")

    def check_inbox(self, texts):
        """Bob has received exactly `texts`, in order, among others."""
        self.service.wait_received("bob", texts)
        arrived = [text for text in self.service.received("bob") if text in set(texts)]
        check(arrived == texts, f"{len(texts)} sent; arrived, in this order: {arrived}")

    def stop(self):
        self.daemon.stop()
        self.service.stop()


class RigCases:
    """The stack without Holdfast: JSON-RPC spoken directly to the daemon."""

    def __init__(self, stack, transport, _binary, _work):
        self.stack = stack
        self.service = stack.service
        self.name = transport
        self.address = stack.daemon.addresses[transport]
        self.rpc = None
        self.subscription = None

    def subscribe(self):
        self.rpc = rig.JsonRpc(self.address)
        self.subscription = self.rpc.call("subscribeReceive", account=self.service.account)

    def texts(self):
        """Of the messages that came on this connection."""
        messages = [frame["result"]["envelope"].get("dataMessage") for frame in self.rpc.frames]
        return [message["message"] for message in messages if message]

    def expect(self, texts):
        """Exactly `texts` come, after whatever came before."""
        self.rpc.wait_frames(lambda _: set(texts) <= set(self.texts()), f"{texts} come")
        came = self.texts()[-len(texts):]
        check(came == texts, f"{len(texts)} sent; came, in this order: {came}")

    @case("messages come in order, in the frames that the documentation shows")
    def messages(self):
        self.subscribe()
        first = self.service.contact_sends("bob", f"{self.name} greeting", sealed=True)
        self.expect(first + self.service.contact_sends("bob", f"{self.name} first", 50))
        frame = self.rpc.frames[-1]
        envelope = frame["result"]["envelope"]
        check(frame["subscription"] == self.subscription, f"subscription: {frame}")
        check(frame["result"]["account"] == self.service.account, f"account: {frame}")
        check(envelope["sourceUuid"] == self.stack.bob["aci"], f"sourceUuid: {frame}")
        check(envelope["sourceNumber"] == self.stack.bob["number"], f"sourceNumber: {frame}")
        check(envelope["timestamp"] == envelope["dataMessage"]["timestamp"], f"timestamp: {frame}")

    @case("sends reach the contact once, by number and by service id")
    def sends(self):
        texts = []
        for kind in ("number", "aci"):
            texts.append(f"{self.name} to {kind}")
            answer = self.rpc.call("send", account=self.service.account,
                                   recipient=[self.stack.bob[kind]], message=texts[-1])
            check([result["type"] for result in answer["results"]] == ["SUCCESS"], f"{answer}")
        self.stack.check_inbox(texts)

    @case("messages wait at the service while nobody subscribes")
    def unattended(self):
        self.rpc.close()
        self.stack.wait_detached()
        waiting = self.service.contact_sends("bob", f"{self.name} unattended", 5)
        self.subscribe()
        self.expect(waiting)

    @case("messages wait at the service while the daemon is down")
    def killed(self):
        self.stack.daemon.kill()
        waiting = self.service.contact_sends("bob", f"{self.name} killed", 5)
        self.stack.daemon.start()
        self.subscribe()
        self.expect(waiting)

    @case("nothing is lost when the service drops the daemon")
    def dropped(self):
        self.stack.drop()
        self.expect(self.service.contact_sends("bob", f"{self.name} dropped", 5))

    @case("a client that is cut off in a burst loses a few messages at most")
    def burst(self):
        begun = self.service.start_contact_sends("bob", f"{self.name} burst", BURST)
        before = len(self.rpc.frames)
        self.rpc.wait_frames(lambda frames: len(frames) >= before + CUT_AFTER, "the burst comes")
        self.rpc.close()
        came = self.texts()
        sent = begun.result(30)["texts"]
        self.stack.wait_detached()
        self.subscribe()
        self.service.call("drained", 60)
        self.expect(self.service.contact_sends("bob", f"{self.name} end"))
        return judge_cut_burst(sent, came + self.texts(), repeats_max=0)

    def close(self):
        if self.rpc:
            self.rpc.close()


class HoldfastCases:
    """Holdfast on the daemon, and an unmodified WebSocket client on Holdfast."""

    def __init__(self, stack, transport, binary, work):
        self.stack = stack
        self.service = stack.service
        self.daemon = stack.daemon
        self.name = transport
        self.posted = []
        self.client = None
        self.holdfast = gateway.Holdfast(
            binary, rig.fresh_directory(os.path.join(work, transport)),
            stack.daemon.addresses[transport], stack.service.account)

    @case("Holdfast connects")
    def connects(self):
        self.stack.restart_daemon()  # it knows nothing of whoever was its client before
        self.holdfast.start()
        self.client = gateway.Client(self.holdfast.receive_url)
        self.holdfast.wait_ready()

    def expect(self, texts, mark):
        """What came since the client had `mark` texts is exactly `texts`, and is acknowledged."""
        self.client.wait_texts(texts)
        self.client.wait_answered()
        came = self.client.texts[mark:]
        check(came == texts, f"{len(texts)} sent; came, in this order: {came}")

    def expect_messages(self, text, count, sealed=False):
        """`count` messages from bob reach the client."""
        mark = len(self.client.texts)
        self.expect(self.service.contact_sends("bob", f"{self.name} {text}", count, sealed), mark)

    def post(self, text, count):
        """POSTs messages to bob; returns their texts and what Holdfast answered."""
        texts = [f"{self.name} {text} {i}" for i in range(count)]
        self.posted += texts
        return texts, [self.holdfast.send(self.stack.bob["number"], text) for text in texts]

    def expect_sends(self, text, count):
        """`count` messages to bob reach him."""
        texts, answers = self.post(text, count)
        for send_id, _ in answers:
            self.holdfast.wait_sent(send_id)
        self.stack.check_inbox(texts)

    def expect_both_ways(self, text):
        self.expect_messages(f"{text}: in", 5)
        self.expect_sends(f"{text}: out", 2)

    @case("messages from a contact reach the client, in order")
    def messages(self):
        self.expect_messages("greeting", 1, sealed=True)
        self.expect_messages("first", 50)

    @case("sends reach the contact, in order")
    def sends(self):
        self.expect_sends("out", 20)

    @case("nothing is lost when the idle daemon is killed and returns")
    def daemon_killed(self):
        self.expect_both_ways("before the daemon's kill")
        mark = len(self.client.texts)
        self.daemon.kill()
        self.holdfast.wait_lost()
        waiting = self.service.contact_sends("bob", f"{self.name} while the daemon is down", 5)
        self.daemon.start()
        self.holdfast.wait_ready()
        self.expect(waiting, mark)
        self.expect_both_ways("after the daemon's kill")

    @case("nothing is lost when idle Holdfast is killed and returns")
    def holdfast_killed(self):
        self.expect_both_ways("before Holdfast's kill")
        mark = len(self.client.texts)
        self.holdfast.kill()
        self.stack.wait_detached()
        waiting = self.service.contact_sends("bob", f"{self.name} while Holdfast is down", 5)
        self.holdfast.start()
        self.holdfast.wait_ready()
        self.expect(waiting, mark)
        self.expect_both_ways("after Holdfast's kill")

    @case("nothing is lost when the service drops the idle daemon")
    def dropped(self):
        self.stack.drop()
        self.expect_both_ways("after the drop")

    @case("sends posted while the daemon is down arrive after its return, once and in order")
    def queued(self):
        self.daemon.kill()
        self.holdfast.wait_lost()
        texts, answers = self.post("queued", 5)
        check(all(queued for _, queued in answers), "a send was not answered as queued")
        self.daemon.start()
        for send_id, _ in answers:
            self.holdfast.wait_sent(send_id)
        self.stack.check_inbox(texts)
        self.holdfast.wait_ready()

    def cut_in_a_burst(self, text, cut, **limits):
        begun = self.service.start_contact_sends("bob", f"{self.name} {text}", BURST)
        expected = [f"{self.name} {text} {i}" for i in range(BURST)]
        self.client.wait_texts(expected, enough=CUT_AFTER)
        cut()
        sent = begun.result(30)["texts"]
        self.holdfast.wait_ready()
        self.service.call("drained", 60)
        self.client.wait_texts(self.service.contact_sends("bob", f"{self.name} {text}: the end"))
        self.client.wait_answered()
        return judge_cut_burst(sent, self.client.texts, **limits)

    @case("the daemon killed in a burst costs a few messages at most")
    def daemon_killed_in_a_burst(self):
        return self.cut_in_a_burst("burst over the daemon's kill", self.stack.restart_daemon,
                                   repeats_max=0)

    @case("Holdfast killed in a burst costs a few messages at most")
    def holdfast_killed_in_a_burst(self):
        def cut():
            self.holdfast.kill()
            self.holdfast.start()
        # signal-cli 0.13.19 receives on two threads at once, without order, from the moment when
        # somebody subscribes while its last subscriber is being removed in the middle of traffic.
        return self.cut_in_a_burst("burst over Holdfast's kill", cut, repeats_max=UNACKED_MAX,
                                   ordered=False)

    @case("in the end every send has arrived exactly once, in order")
    def conservation(self):
        self.stack.check_inbox(self.posted)
        return f"{len(self.posted)} sends"

    @case("SIGTERM ends Holdfast within 5 s, with exit code 0")
    def ends(self):
        code = self.holdfast.stop()
        check(code == 0, f"exit code {code}")

    def close(self):
        if self.client:
            self.client.stop()
        self.holdfast.kill()


def run(kind, stack, transport, binary, work):
    """Runs the cases of one transport up to the first that fails; returns whether all passed."""
    cases = kind(stack, transport, binary, work)
    try:
        for method in [m for m in vars(kind).values() if hasattr(m, "sentence")]:
            sentence = method.sentence
            begin = time.monotonic()
            note = method(cases)
            took = f"{time.monotonic() - begin:.1f} s" + (f"; {note}" if note else "")
            print(f"ok    {transport}: {sentence} ({took})", flush=True)
        return True
    except Exception as error:  # a case may fail in any way
        print(f"FAIL  {transport}: {sentence} ({time.monotonic() - begin:.1f} s)\n      {error}")
        traceback.print_exc(file=sys.stdout)
        return False
    finally:
        cases.close()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("holdfast", nargs="?", default=os.environ.get("HOLDFAST_BIN"),
                        help="the program to test (default: $HOLDFAST_BIN)")
    parser.add_argument("--rig-only", action="store_true",
                        help="without Holdfast: is what stands below it sound?")
    parser.add_argument("--transport", choices=["unix", "tcp"], help="one of the two alone")
    options = parser.parse_args()
    if not options.rig_only:
        if not options.holdfast or not os.access(options.holdfast, os.X_OK):
            parser.error("name the holdfast program to test")
        options.holdfast = os.path.abspath(options.holdfast)
    return options


def unavailable(options):
    """The sentence that says what cannot be had here, or None."""
    if not options.rig_only and gateway is None:
        return "python3-websocket is not installed."
    return rig.setup()


def main():
    options = arguments()
    begin = time.monotonic()
    why = unavailable(options)
    if why:
        print(f"the real signal-cli did not run: {why}")
        return rig.UNAVAILABLE

    work = tempfile.mkdtemp(prefix="holdfast-real-")
    passed = False
    try:
        stack = Stack(work)
        took = f"{time.monotonic() - begin:.1f} s"
        print(f"the real signal-cli is linked to the mock server ({took})", flush=True)
        kind = RigCases if options.rig_only else HoldfastCases
        transports = [options.transport] if options.transport else ["unix", "tcp"]
        passed = all([run(kind, stack, t, options.holdfast, work) for t in transports])
        stack.stop()
    finally:
        if passed:
            shutil.rmtree(work)
        else:
            print(f"logs and data: {work}")
    print(f"{'passed' if passed else 'FAILED'} in {time.monotonic() - begin:.0f} s")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
