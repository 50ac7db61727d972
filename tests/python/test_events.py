"""Event streams of the running pool: what happens is told, what was missed is told again, and who does not read is no
burden."""

import contextlib
import json
import socket
import time

from harness import Pool


class Stream:
    """One `GET /v1/events`."""

    def __init__(self, pool, query="", last_id=None, receive_bytes=None):
        self.socket = socket.socket()
        if receive_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(20)
        self.socket.connect(pool.address)
        head = f"GET /v1/events{query} HTTP/1.1\r\nHost: pool\r\n"
        if last_id is not None:
            head += f"Last-Event-ID: {last_id}\r\n"
        self.socket.sendall(head.encode() + b"\r\n")
        self.lines = self.socket.makefile("rb")
        self.last_id = last_id

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.socket.close()

    def next(self, name=None):
        """The next event (of this name); None when the stream has ended."""
        while True:
            event = self._next()
            if event is None or name is None or event["event"] == name:
                return event

    def _next(self):
        event = {}
        while True:
            line = self.lines.readline()
            if line in (b"", b"0\r\n"):
                return None
            line = line.strip().decode()
            if not line and "data" in event:
                return {**event, "data": json.loads(event["data"])}
            name, colon, value = line.partition(": ")
            if colon and name in ("event", "id", "data"):
                event[name] = value
                if name == "id":
                    self.last_id = value


def mine_block(miner):
    """Finds a block, and gives its hash."""
    _, hash_, verdict = miner.accepted(block=True)
    assert verdict["block"], verdict
    return hash_


def test_what_was_missed_is_told_after_a_reconnect_and_not_after_a_restart():
    with Pool() as pool:
        miner = pool.miner()
        with Stream(pool, "?topics=block") as stream:
            assert stream.next() | {"id": ""} == {"event": "hello", "id": "", "data": {"resumed": False}}
            first = mine_block(miner)
            told = stream.next()
            assert (told["event"], told["data"]["hash"], told["data"]["found_by"]) == (
                "block",
                first,
                miner.hotkey,
            )
            # What is announced is in the ledger.
            blocks = pool.get("/v1/blocks").json["blocks"]
            assert first in [block["hash"] for block in blocks]
            last_id = stream.last_id
        second = mine_block(miner)
        with Stream(pool, "?topics=block", last_id) as stream:
            assert stream.next()["data"] == {"resumed": True}
            hashes = [stream.next()["data"]["hash"]]
            while hashes[-1] != second:
                hashes.append(stream.next()["data"]["hash"])
            last_id = stream.last_id
            # A pool that stops ends its streams at once.
            begin = time.monotonic()
            assert pool.stop() == 0
            while stream.next() is not None:
                pass
            assert time.monotonic() - begin < 5
        pool.start()
        with Stream(pool, "?topics=block", last_id) as stream:
            hello = stream.next()
            assert hello["data"] == {"resumed": False}
            assert hello["id"].partition("-")[0] != last_id.partition("-")[0]


def test_pool_chain_and_rounds_are_told_as_the_api_says_them():
    with Pool() as pool, Stream(pool) as stream:
        miner = pool.miner()
        told = {}
        assert stream.next()["event"] == "hello"
        hash_ = mine_block(miner)
        while not {"pool", "chain", "block", "round"} <= told.keys() or told["round"]["reward_sats"] == 0:
            event = stream.next()
            told[event["event"]] = event["data"]
        assert told["pool"].keys() == pool.pool().keys()
        assert told["chain"].keys() == pool.get("/v1/chain").json.keys()
        assert told["round"] in pool.get("/v1/rounds").json["rounds"]
        assert told["round"]["blocks"] == [hash_]


def test_who_does_not_read_costs_no_memory_and_keeps_nobody_from_hearing():
    with Pool(chain__devnet_block_hashes="1000") as pool:
        miner = pool.miner()
        with Stream(pool) as stream:
            first_id = stream.next()["id"]
        for _ in range(30):
            mine_block(miner)
        before = pool.rss_bytes()
        with contextlib.ExitStack() as streams:
            for _ in range(100):
                # Each is told all that happened since, and reads none of it.
                streams.enter_context(Stream(pool, last_id=first_id, receive_bytes=1_024))
            reads = streams.enter_context(Stream(pool, "?topics=round"))
            assert reads.next()["event"] == "hello"
            for _ in range(30):
                mine_block(miner)
            for _ in range(2):
                assert reads.next("round") is not None
            assert pool.rss_bytes() - before < 24 << 20


def test_streams_have_places_and_are_refused_by_name_beyond_them():
    settings = {"http__event_streams": "2", "limits__client_share_percent": "100", "http__workers": "1"}
    with Pool(**settings) as pool, Stream(pool) as one, Stream(pool) as two:
        assert one.next()["event"] == two.next()["event"] == "hello"
        refused = pool.get("/v1/events")
        assert (refused.status, refused.code) == (503, "too_many_streams"), refused
        assert int(refused.headers["retry-after"]) > 0


def test_miners_are_told_where_to_connect():
    with Pool(stratum__listen="127.0.0.1:0", pool__public_host="pool.example") as pool:
        told = pool.get("/v1/connect").json
        by_protocol = {listener["protocol"]: listener for listener in told["listeners"]}
        port = int(pool.listen["stratum"][0].rpartition(":")[2])
        assert by_protocol["stratum"]["url"] == f"stratum+tcp://pool.example:{port}"
        assert by_protocol["http"]["port"] == pool.address[1]
        assert by_protocol["stratum"]["start_difficulty"] == 1e-9
        assert told["public_host"] == "pool.example"
