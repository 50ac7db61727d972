"""A header that meets the network's target is the pool's block, whatever becomes of its share: by every way in."""

import contextlib
import hashlib
import json
import os
import signal
import threading
import time

import pytest
from harness import Pool, eventually
from stratum import Client
from test_json_rpc import GBT, block_of, call, header_of, result, value

SAID = "submitted"


class OverHttp:
    name = "http"

    def __init__(self, pool, miner):
        self.pool, self.miner = pool, miner
        self.share, self.hash = miner.job("rig").find(block=True)

    def submit(self):
        answer = self.miner.submit(self.share)
        if answer.status == 200:
            (verdict,) = answer.json["results"]
            assert verdict["verdict"] == "rejected", verdict
            return verdict["reason"], verdict["detail"]
        return answer.code, answer.json["detail"]


class OverJsonRpc:
    name = "json_rpc"

    def __init__(self, pool, miner):
        self.pool, self.user = pool, f"{miner.hotkey}.rig"
        template = result(call(pool, self.user, "getblocktemplate", GBT))
        target = int.from_bytes(bytes.fromhex(template["bits"])[1:], "big") << (
            8 * (int(template["bits"][:2], 16) - 3)
        )
        header = next(h for n in range(1 << 24) if value(h := header_of(template, n)) <= target)
        self.hash = f"{value(header):064x}"
        self.params = [block_of(template, header), {"workid": template["workid"]}]

    def submit(self):
        answer = call(self.pool, self.user, "submitblock", self.params)
        document = answer.json
        if document["error"] is None:
            assert document["result"] is not None, answer
            return document["result"].split(" ")[0], document["result"]
        return answer.status, document["error"]["message"]


class OverStratum:
    name = "stratum"

    def __init__(self, pool, miner):
        self.client = Client(json.loads((pool.data_dir / "listen.json").read_text())["stratum"][0])
        self.client.subscribe()
        self.client.authorize(f"{miner.hotkey}.rig")
        work = self.client.next_work()
        self.share = work.find(block=True)
        header = work.header(self.share[1], int(self.share[3], 16))
        digest = hashlib.sha256(hashlib.sha256(header).digest()).digest()
        self.hash = digest[::-1].hex()

    def submit(self):
        return self.client.rejected(self.share)


WAYS = [OverHttp, OverJsonRpc, OverStratum]


@contextlib.contextmanager
def paused(pool, _):
    pool.must_control("pool_manager", "pause")
    yield
    pool.must_control("pool_manager", "resume")


@contextlib.contextmanager
def banned(pool, miner):
    pool.must_control("miner_manager", "ban", hotkey=miner.hotkey, reason="a test")
    yield
    pool.must_control("miner_manager", "unban", hotkey=miner.hotkey)


@contextlib.contextmanager
def refreshed(pool, _):
    for _ in range(20):
        pool.must_control("work_manager", "refresh")
    yield


@pytest.fixture(scope="module")
def pool():
    with Pool(stratum__listen="127.0.0.1:0", work__template_refresh_secs=100) as pool:
        yield pool


def listed(pool, block):
    blocks = pool.get("/v1/blocks?limit=50").json["blocks"]
    return next((found for found in blocks if found["hash"] == block), None)


# A ban closes the miner's Stratum sessions at once: nothing comes that way any more.
CASES = [(way, state) for way in WAYS for state in (paused, banned, refreshed) if (way, state) != (OverStratum, banned)]


@pytest.mark.parametrize(("way", "state"), CASES, ids=lambda case: getattr(case, "name", case.__name__))
def test_a_block_is_the_pools_whatever_becomes_of_its_share(pool, uri, way, state):
    miner = pool.miner(uri)
    height = pool.pool()["height"]
    found = way(pool, miner)
    shares = miner.status()["shares"]["accepted"]
    with state(pool, miner):
        reason, said = found.submit()
        assert SAID in said, (reason, said)
        block = listed(pool, found.hash)
        assert block is not None and block["found_by"] == miner.hotkey, block
        # However often it comes again, it is one block.
        again, said = found.submit()
        assert again == reason or again in ("stale", "stale-work", 21), (again, reason)
    eventually("the tip is higher", lambda: pool.pool()["height"] > height)
    assert miner.status()["shares"]["accepted"] == shares, "the share does not count"
    hashes = [found["hash"] for found in pool.get("/v1/blocks?limit=50").json["blocks"]]
    assert hashes.count(found.hash) == 1


def ban(pool, miner):
    pool.must_control("miner_manager", "ban", hotkey=miner.hotkey, reason="a test")


def wrong_shares(_pool, _miner):
    pass


@pytest.mark.parametrize("put_out", [ban, wrong_shares], ids=["ban", "ladder"])
def test_a_block_on_its_way_to_a_session_that_is_put_out_reaches_the_chain(uri, put_out):
    settings = {"stratum.listen": "127.0.0.1:0", "stratum.reject_window": "10", "work.template_refresh_secs": "100"}
    with Pool(**settings) as pool:
        for number in range(6):
            miner = pool.miner(f"{uri}/{number}")
            found = OverStratum(pool, miner)
            client = found.client
            if put_out is wrong_shares:
                wrong = client.work.find(above=True)
                for _ in range(20):
                    client.rejected(wrong)
            # Both wait in the pool's sockets until it goes on, and whatever it looks at first is right.
            os.kill(pool.process.pid, signal.SIGSTOP)
            order = threading.Thread(target=put_out, args=(pool, miner))
            order.start()
            time.sleep(0.05)
            if put_out is wrong_shares:
                for _ in range(10):
                    client.post("mining.submit", client.user, *wrong)
                # More than is read at once.
                client.socket.sendall(b'{"id":null,"method":"mining.noop","params":[]}\n' * 1_500)
            client.post("mining.submit", client.user, *found.share)
            os.kill(pool.process.pid, signal.SIGCONT)
            order.join()
            eventually("the block is there", lambda block=found.hash: listed(pool, block))
            assert client.is_closed()
