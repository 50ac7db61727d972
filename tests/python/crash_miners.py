"""Who mines at a pool that is killed again and again: miners over HTTP and over Stratum, and a stranger.

Each remembers what it was told: `acknowledged` is what the crash test looks up in the ledger after every kill.
"""

import collections
import http.client
import json
import random
import socket
import threading
import time

import stratum
from harness import Job, base58_encode, encode

# What a stranger sends.
JUNK = [
    b'{"id":1,"method":"mining.submit","params":["x","y","z","0","0"]}\n',
    b'{"id":2,"method":"mining.authorize","params":[' + b"[" * 200 + b"\n",
    b'{"id":3,"method":"mining.subscribe","params":[]}\n' * 50,
    b"GET / HTTP/1.1\r\n\r\n",
    bytes(range(256)),
]


def address_of(number):
    """A payout address of its own for each number (regtest, to a key's hash)."""
    payload = b"\x6f" + bytes([number]) * 20
    return base58_encode(payload + stratum.sha256d(payload)[:4])


class Lost(Exception):
    """The pool went away before it answered."""


class Client(threading.Thread):
    """A miner that mines without pause, whatever happens to the pool."""

    def __init__(self, pool, number, seed, address):
        super().__init__(name=f"miner-{number}", daemon=True)
        self.address = address
        self.pool = pool
        self.random = random.Random(seed * 1000 + number)
        self.worker = f"rig-{number}"
        self.uri = f"//Crash{number}"
        self.miner = None
        self.connection = None
        self.stopping = threading.Event()
        # What the pool said: the sequence of every share that it ever acknowledged, by its hash.
        self.acknowledged = {}
        # The shares that it refused, by their hashes: there may be blocks among them.
        self.refused = {}
        # Sent and never answered: the shares with their hashes.
        self.unanswered = []
        self.lost_requests = 0
        self.settled = collections.Counter()
        self.reasons = collections.Counter()
        self.busy = 0
        self.failure = None

    def register(self):
        self.miner = self.pool.miner(self.uri)
        self.miner.register(payout_address=self.address)

    def run(self):
        try:
            while not self.stopping.is_set():
                try:
                    self.mine()
                except Lost:
                    time.sleep(0.01)
        except BaseException as failure:  # noqa: BLE001: told by the main thread, whatever it is
            self.failure = failure

    def request(self, method, path, body=None):
        """One request with the session token; `Lost` if there is no whole answer."""
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(*self.pool.address, timeout=20)
            self.connection.request(method, path, body=encode(body), headers=self.miner.bearer())
            response = self.connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            if self.connection is not None:
                self.connection.close()
                self.connection = None
            raise Lost from error

    def mine(self):
        status, work = self.request("GET", f"/v1/work?worker={self.worker}")
        if status == 503:
            self.busy += 1
            time.sleep(0.02)
            return
        assert status == 200, (status, work)
        job = Job(work)
        if self.unanswered:
            self.settle()
        # A job is good for several requests: singles and batches in turn.
        for _ in range(self.random.randint(1, 6)):
            count = 1 if self.random.random() < 0.5 else self.random.randint(2, 40)
            shares = [job.find() for _ in range(count)]
            if self.recent and self.random.random() < 0.1:
                # Somebody repeats what was acknowledged long ago.
                shares.insert(self.random.randrange(count + 1), self.random.choice(self.recent))
            if not self.submit(shares):
                return

    recent = []

    def forget_after(self, acknowledged):
        """An older ledger was put back: what was said after its copy is lost, and so is the work that was given out."""
        lost = len(self.acknowledged) - len(acknowledged)
        self.acknowledged = dict(acknowledged)
        self.unanswered = []
        self.recent = []
        return lost

    def settle(self):
        """Sends again what was never answered."""
        batch, self.unanswered = self.unanswered[:1000], self.unanswered[1000:]
        verdicts = self.send(batch)
        for (_, share_id), verdict in zip(batch, verdicts):
            reason = verdict.get("reason", "accepted")
            self.settled[reason] += 1
            assert reason in ("accepted", "duplicate", "stale"), (share_id, verdict)

    def send(self, shares):
        """Submits shares and notes every acknowledgement. Gives the verdicts."""
        # Before the answer is there, nothing is known of any of them.
        self.unanswered += shares
        while True:
            try:
                status, answer = self.request("POST", "/v1/work", {"shares": [share for share, _ in shares]})
            except Lost:
                self.lost_requests += 1
                raise
            if status == 200:
                break
            assert status == 503, (status, answer)
            self.busy += 1
            time.sleep(0.02)
        del self.unanswered[-len(shares) :]
        verdicts = answer["results"]
        assert len(verdicts) == len(shares), answer
        for (share, share_id), verdict in zip(shares, verdicts):
            self.note(share, share_id, verdict)
        return verdicts

    def note(self, share, share_id, verdict):
        reason = verdict.get("reason", "accepted")
        self.reasons[reason] += 1
        if reason == "accepted":
            assert verdict["share_id"] == share_id, (share_id, verdict)
            assert share_id not in self.acknowledged, f"{share_id} was accepted twice: {verdict}"
            self.acknowledged[share_id] = verdict["sequence"]
            self.recent = [*self.recent[-50:], (share, share_id)]
        elif reason == "duplicate":
            first = self.acknowledged.setdefault(share_id, verdict["sequence"])
            assert first == verdict["sequence"], f"{share_id} is {first}, not {verdict}"
        else:
            assert reason in ("stale", "unknown_job"), verdict
            self.refused[share_id] = verdict["detail"]

    def submit(self, shares):
        """Submits shares; whether the job still lives."""
        verdicts = self.send(shares)
        return not any(verdict.get("reason") in ("stale", "unknown_job") for verdict in verdicts)


class Rig(threading.Thread):
    """A Stratum session that submits shares without pause, several in a packet, and comes back after every kill."""

    def __init__(self, pool, number, seed, miner):
        super().__init__(name=f"rig-{number}", daemon=True)
        self.pool = pool
        self.random = random.Random(seed * 1000 + 500 + number)
        self.user = f"{miner.hotkey}.stratum-{number}"
        self.client = None
        self.session = None
        self.extranonce1 = None
        self.stopping = threading.Event()
        # The shares that were accepted, or called duplicates, by their hashes. Stratum tells no sequences.
        self.acknowledged = {}
        # Those that were refused; and those of which nothing can be known any more: their session did not come back.
        self.refused = {}
        self.unknowable = set()
        # Sent and never answered: submit params and hash.
        self.unanswered = []
        self.lost_requests = 0
        self.settled = collections.Counter()
        self.reasons = collections.Counter()
        self.resumed = 0
        self.failure = None

    def run(self):
        try:
            while not self.stopping.is_set():
                try:
                    self.mine()
                except (OSError, stratum.Closed, Lost):
                    self.hang_up()
                    time.sleep(0.02)
        except BaseException as failure:  # noqa: BLE001: told by the main thread, whatever it is
            self.failure = failure
        self.hang_up()

    def hang_up(self):
        if self.client is not None:
            self.client.close()
            self.client = None

    def connect(self):
        self.client = stratum.Client(self.pool.listen["stratum"][0], timeout=20)
        self.client.subscribe(session=self.session)
        if self.session is not None and self.client.extranonce1 == self.extranonce1:
            self.resumed += 1
        else:
            # Shares of another session cannot be sent again.
            self.unknowable.update(share_id for _, share_id in self.unanswered)
            self.unanswered = []
        self.session, self.extranonce1 = self.client.session, self.client.extranonce1
        answer = self.client.call("mining.authorize", self.user, "x")
        if answer["result"] is not True:
            # It has only just begun and knows nobody yet.
            raise Lost(str(answer))

    def mine(self):
        if self.client is None:
            self.connect()
            again, self.unanswered = self.unanswered, []
            self.settled.update(self.send(again))
        work = self.client.current_work()
        extranonce2, nonce = self.random.getrandbits(8 * work.extranonce2_size), 0
        for _ in range(self.random.randint(1, 4)):
            shares = []
            for _ in range(self.random.randint(1, 12)):
                params = work.find(extranonce2=extranonce2, start=nonce)
                nonce = int(params[3], 16) + 1
                header = work.header(work.extranonce2(extranonce2), nonce - 1)
                shares.append((params, stratum.sha256d(header)[::-1].hex()))
            self.send(shares)
            if self.stopping.is_set() or self.client.work is not work:
                return

    def send(self, shares):
        """Submits shares in one packet and notes every answer. Gives the verdicts."""
        self.unanswered += shares
        first = self.client.next_id
        self.client.next_id += len(shares)
        try:
            self.client.send(*(
                {"id": first + place, "method": "mining.submit", "params": [self.user, *params]}
                for place, (params, _) in enumerate(shares)
            ))
            verdicts = []
            for place, share in enumerate(shares):
                verdicts.append(self.note(share[1], self.client.answer(first + place)))
                self.unanswered.remove(share)
            return verdicts
        except (OSError, stratum.Closed):
            self.lost_requests += 1
            raise

    def note(self, share_id, answer):
        if answer["result"] is True:
            assert share_id not in self.acknowledged, f"{share_id} was accepted twice"
            self.acknowledged[share_id] = None
            verdict = "accepted"
        else:
            code, text = answer["error"][:2]
            verdict = {21: "stale", 22: "duplicate"}.get(code)
            assert verdict is not None, (share_id, answer)
            if verdict == "duplicate":
                self.acknowledged[share_id] = None
            else:
                self.refused[share_id] = text
        self.reasons[verdict] += 1
        return verdict

    def forget_after(self, acknowledged):
        """An older ledger was put back: as for miners over HTTP, and the session is another one."""
        lost = len(self.acknowledged) - len(acknowledged)
        self.acknowledged = dict(acknowledged)
        self.unanswered = []
        self.session = None
        return lost


class Hostile(threading.Thread):
    """A stranger at the Stratum port, in the name of somebody else."""

    def __init__(self, pool, victim, seed):
        super().__init__(name="hostile", daemon=True)
        self.pool = pool
        self.victim = victim
        self.random = random.Random(seed)
        self.stopping = threading.Event()
        self.names = 0
        self.junk = 0

    def run(self):
        while not self.stopping.is_set():
            try:
                self.visit()
            except (OSError, KeyError, IndexError):
                pass  # The pool is being killed, or put us out.
            time.sleep(0.2)

    def visit(self):
        host, port = self.pool.listen["stratum"][0].rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=2) as connection:
            connection.sendall(b'{"id":1,"method":"mining.subscribe","params":["stranger"]}\n')
            for _ in range(20):
                self.names += 1
                login = {"id": 2, "method": "mining.authorize", "params": [f"{self.victim}.made-up-{self.names}", "d=1e12"]}
                connection.sendall(json.dumps(login).encode() + b"\n")
            connection.recv(4096)
            connection.sendall(self.random.choice(JUNK))
            self.junk += 1
            if self.random.random() < 0.5:
                connection.recv(4096)
