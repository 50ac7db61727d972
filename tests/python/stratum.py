"""A Stratum V1 client, written from the protocol's text alone: nothing of the pool's code is used or imitated.

Lines of JSON over TCP. A `mining.notify` is turned into an 80-byte header as every miner does it: coinbase from its
two halves around extranonce1 and extranonce2, hashed up the merkle branch, previous hash with each four-byte word
turned round.
"""

import hashlib
import json
import socket
import struct

DIFFICULTY_ONE = 0xFFFF << 208


def sha256d(data):
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


class Closed(Exception):
    """The pool closed the connection."""


class Work:
    """One `mining.notify`, and the difficulty and extranonce that it came with."""

    def __init__(self, params, difficulty, extranonce1, extranonce2_size):
        (self.id, previous, self.coinb1, self.coinb2, self.branch, version, bits, time, self.clean) = params
        words = [bytes.fromhex(previous)[at : at + 4][::-1] for at in range(0, 32, 4)]
        self.previous = b"".join(words)
        self.version, self.bits, self.time = (int(text, 16) for text in (version, bits, time))
        self.difficulty = difficulty
        self.target = int(DIFFICULTY_ONE / difficulty) if difficulty >= 1 else int(DIFFICULTY_ONE * (1 / difficulty))
        self.target = min(self.target, (1 << 256) - 1)
        self.extranonce1, self.extranonce2_size = extranonce1, extranonce2_size

    @property
    def network_target(self):
        return (self.bits & 0xFFFFFF) << (8 * ((self.bits >> 24) - 3))

    def extranonce2(self, number):
        return number.to_bytes(self.extranonce2_size, "big").hex()

    def header(self, extranonce2, nonce, time=None, version=None):
        coinbase = bytes.fromhex(self.coinb1 + self.extranonce1 + extranonce2 + self.coinb2)
        root = sha256d(coinbase)
        for node in self.branch:
            root = sha256d(root + bytes.fromhex(node))
        return (
            struct.pack("<I", self.version if version is None else version)
            + self.previous
            + root
            + struct.pack("<III", self.time if time is None else time, self.bits, nonce)
        )

    def find(self, extranonce2=0, start=0, time=None, version=None, target=None, above=False, block=None):
        """The next nonce whose hash meets (or, `above`, does not meet) the target: submit params without user.

        `block`: True for a share that is a block, False for one that is not.
        """
        target = self.target if target is None else target
        extranonce2 = self.extranonce2(extranonce2)
        header = self.header(extranonce2, 0, time, version)
        middle = hashlib.sha256(header[:64])
        for nonce in range(start, 1 << 32):
            first = middle.copy()
            first.update(header[64:76] + struct.pack("<I", nonce))
            number = int.from_bytes(hashlib.sha256(first.digest()).digest(), "little")
            if (number > target) != above:
                continue
            if block is not None and (number <= self.network_target) != block:
                continue
            time_text = f"{self.time if time is None else time:08x}"
            return [self.id, extranonce2, time_text, f"{nonce:08x}"]
        raise AssertionError("no nonce meets the target")


class Client:
    """A connection to the pool."""

    def __init__(self, address, timeout=20, first=b"", tls=None):
        if isinstance(address, str):
            host, port = address.rsplit(":", 1)
            address = (host, int(port))
        self.socket = socket.create_connection(address, timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if first:
            self.socket.sendall(first)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.buffer = b""
        self.next_id = 1
        self.answers = {}
        self.difficulty = None
        self.mask = None
        self.work = None
        self.works = []
        self.messages = []
        self.extranonce1 = self.extranonce2_size = self.session = None

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, *messages):
        """All of them in one packet, as a pipelining miner does."""
        self.socket.sendall(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    def read(self):
        """The next line, as the pool sent it."""
        while b"\n" not in self.buffer:
            try:
                part = self.socket.recv(65536)
            except (ConnectionResetError, BrokenPipeError) as error:
                raise Closed from error
            if not part:
                raise Closed
            self.buffer += part
        line, self.buffer = self.buffer.split(b"\n", 1)
        message = json.loads(line)
        if message.get("method") is not None:
            self.on_message(message)
        else:
            assert set(message) == {"id", "result", "error"}, message
        return message

    def on_message(self, message):
        self.messages.append(message)
        method, params = message["method"], message["params"]
        if method == "mining.set_difficulty":
            self.difficulty = params[0]
        elif method == "mining.set_version_mask":
            self.mask = int(params[0], 16)
        elif method == "mining.notify":
            self.work = Work(params, self.difficulty, self.extranonce1, self.extranonce2_size)
            self.works.append(self.work)

    def answer(self, id):
        """The answer to this id; whatever comes before it is taken in."""
        while id not in self.answers:
            message = self.read()
            if message.get("method") is None:
                self.answers.setdefault(message["id"], []).append(message)
        answers = self.answers[id]
        answer = answers.pop(0)
        if not answers:
            del self.answers[id]
        return answer

    def post(self, method, *params):
        """Sends a request and gives its id."""
        id, self.next_id = self.next_id, self.next_id + 1
        self.send({"id": id, "method": method, "params": list(params)})
        return id

    def call(self, method, *params):
        return self.answer(self.post(method, *params))

    def ok(self, method, *params):
        answer = self.call(method, *params)
        assert answer["error"] is None, answer
        return answer["result"]

    def refused(self, method, *params):
        answer = self.call(method, *params)
        assert answer["result"] is None and answer["error"] is not None, answer
        code, text, more = answer["error"]
        assert more is None
        return code, text

    def subscribe(self, agent="test/1", session=None):
        params = [agent] if session is None else [agent, session]
        details, self.extranonce1, self.extranonce2_size = self.ok("mining.subscribe", *params)
        assert [name for name, _ in details] == ["mining.set_difficulty", "mining.notify"]
        assert len({session for _, session in details}) == 1
        self.session = details[0][1]
        return self

    def authorize(self, user, password="x"):
        assert self.ok("mining.authorize", user, password) is True
        self.user = user
        return self

    def next_work(self):
        """Waits for the next notify."""
        seen = len(self.works)
        while len(self.works) == seen:
            message = self.read()
            if message.get("method") is None:
                self.answers.setdefault(message["id"], []).append(message)
        return self.work

    def work_after(self, old):
        """The work on another block than `old`'s: it may have come before the answer to the share that was the block."""
        while self.work.previous == old.previous:
            self.next_work()
        return self.work

    def current_work(self):
        return self.work or self.next_work()

    def submit(self, share, user=None, bits=None):
        more = [] if bits is None else [bits]
        return self.call("mining.submit", user or self.user, *share, *more)

    def accepted(self, share, **kwargs):
        answer = self.submit(share, **kwargs)
        assert answer["result"] is True and answer["error"] is None, answer

    def rejected(self, share, **kwargs):
        answer = self.submit(share, **kwargs)
        assert answer["result"] is None, answer
        return tuple(answer["error"][:2])

    def is_closed(self):
        """Reads until the pool closes the connection; fails if it does not in time."""
        try:
            while True:
                self.read()
        except Closed:
            return True
