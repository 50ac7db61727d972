"""Miners on Stratum that come to any front of a pool."""

import random
import threading
import time

from stratum import Client, Closed, sha256d

# Fronts are each other's peers here, and so is whoever comes from this machine: it says who it is, as a proxy does.
FROM = b"PROXY TCP4 198.51.100.7 127.0.0.1 40000 3333\r\n"


def session(front, hotkey, worker="rig"):
    line = Client(front.listen["stratum"][0], timeout=20, first=FROM)
    line.subscribe()
    assert line.call("mining.authorize", f"{hotkey}.{worker}", "x")["result"] is True
    line.user = f"{hotkey}.{worker}"
    return line


def front_end(line):
    """Which front gave the session its extranonce: docs say which bits."""
    return int(line.extranonce1, 16) >> 23 & 63


class Rig(threading.Thread):
    """Mines at any front without pause; knows what was acknowledged."""

    def __init__(self, fronts, hotkey, number):
        super().__init__(daemon=True)
        self.fronts, self.hotkey, self.number = fronts, hotkey, number
        self.dice = random.Random(number)
        self.acknowledged, self.sent = set(), set()
        self.stopping = threading.Event()
        self.failure = None
        self.sessions = 0

    def run(self):
        try:
            while not self.stopping.is_set():
                try:
                    self.mine(session(self.dice.choice(self.fronts), self.hotkey, f"rig{self.number}"))
                except (OSError, Closed, AssertionError, KeyError, TypeError):
                    # Let go, or not let in: there is no leader, or it is somebody else now.
                    time.sleep(0.1)
        except Exception as error:  # noqa: BLE001
            self.failure = error

    def mine(self, line):
        self.sessions += 1
        with line:
            for number in range(self.dice.randrange(20, 200)):
                if self.stopping.is_set():
                    return
                work = line.current_work()
                share = work.find(extranonce2=number, block=False)
                header = work.header(share[1], int(share[3], 16), int(share[2], 16))
                name = sha256d(header)[::-1].hex()
                self.sent.add(name)
                answer = line.submit(share)
                if answer["result"] is True:
                    self.acknowledged.add(name)
                elif answer["error"][0] not in (20, 21):
                    raise RuntimeError(f"{answer} to a good share")


def told(rigs):
    """The names of all shares that they were told are accepted, and of all that they sent."""
    return [set().union(*(getattr(rig, which) for rig in rigs)) for which in ("acknowledged", "sent")]


def end(rigs):
    for rig in rigs:
        rig.stopping.set()
    for rig in rigs:
        rig.join(60)
        assert not rig.is_alive() and rig.failure is None, rig.failure
