"""When there is no live work, miners are let go, whatever ended it and whichever way they came; and they are taken back."""

import concurrent.futures
import json
import subprocess
import time

import pytest
from harness import Miner, Pool, binary, eventually, free_port
from standin_node import StandInNode, bech32
from stratum import Client, Closed
from test_json_rpc import GBT, call
from test_stratum import ADDRESS, port

LET_GO_SECS = 2


class MoodyNode(StandInNode):
    """A node that can be away, or answer no template."""

    away = failing = False

    def answer(self, method, params):
        if self.away:
            raise ConnectionAbortedError
        if self.failing and method == "getblocktemplate":
            raise KeyError(method)
        return super().answer(method, params)


@pytest.fixture(scope="module")
def pool():
    """A pool whose node is away when it starts."""
    http, stratum = free_port(), free_port()
    with MoodyNode("bitcoin") as node:
        node.away = True
        settings = {
            "http.listen": f"127.0.0.1:{http}",
            "stratum.listen": f"127.0.0.1:{stratum}",
            "chain.kind": "node",
            "chain.url": node.url,
            "chain.payout_address": bech32("bcrt", bytes(20)),
            "chain.poll_interval_secs": "0.2",
            "work.template_refresh_secs": "1",
            "work.job_lifetime_secs": "5",
            "work.let_go_after_secs": str(LET_GO_SECS),
            "stratum.handshake_timeout_secs": "60",
        }
        pool = Pool(**settings)
        pool.node, pool.address = node, ("127.0.0.1", http)
        pool.listen = {"stratum": [f"127.0.0.1:{stratum}"]}
        pool.spawn()
        with_it = eventually("it answers", lambda: answers(pool), 30)
        pool.hotkey = with_it.json["hotkey"]
        try:
            yield pool
        except BaseException:
            print(pool.log()[-6000:])
            raise
        finally:
            pool.kill()
            pool._own_dir.cleanup()


def answers(pool):
    try:
        return pool.get("/v1/pool")
    except OSError:
        return None


def no_work(pool):
    return pool.must_control("pool_manager", "status")["no_work"]


def stratum(pool):
    """What a newcomer over Stratum gets: work, or the door."""
    try:
        with Client(port(pool), timeout=10).subscribe().authorize(f"{ADDRESS}.new") as client:
            return "work" if client.current_work() else None
    except (Closed, ConnectionError):
        return "closed"


def http(answer):
    """What a request came to; a refusal says when to come again."""
    if answer.status == 200:
        return "work"
    assert answer.status == 503 and int(answer.headers["retry-after"]) > 0, answer
    return "refused"


def ways_in(pool, miner):
    """Every way to ask for work, each with what it came to."""
    user = f"{ADDRESS}.http"
    return {
        "stratum": stratum(pool),
        "GET /v1/work": http(miner.fetch("rig")),
        "getblocktemplate": http(call(pool, user, "getblocktemplate", GBT)),
        "getwork": http(call(pool, user, "getwork", [])),
    }


ALL_CLOSED = {"stratum": "closed", "GET /v1/work": "refused", "getblocktemplate": "refused", "getwork": "refused"}
ALL_OPEN = dict.fromkeys(ALL_CLOSED, "work")


def waiters(pool, miner):
    """Every way to wait for newer work than one has, ready to be begun."""
    user = f"{ADDRESS}.http"
    job = miner.job("rig").id
    template = call(pool, user, "getblocktemplate", GBT).json["result"]
    assert call(pool, user, "getwork", []).status == 200
    later = [{**GBT[0], "longpollid": template["longpollid"]}]
    return {
        "GET /v1/work": lambda: miner.fetch("rig", longpoll=job),
        "getblocktemplate": lambda: call(pool, user, "getblocktemplate", later, path="/rpc"),
        "getwork": lambda: call(pool, user, "getwork", [], path="/rpc/longpoll"),
    }


def mine_on(client, share):
    """Sends the same late share until the pool ends the session; gives all that it said."""
    said = []
    try:
        while True:
            try:
                client.post("mining.submit", client.user, *share)
            except ConnectionError:
                pass  # It is closed, but what was said before is still to be read.
            said.append(client.read())
            time.sleep(0.05)
    except (Closed, ConnectionError):
        return said


CAUSES = {
    "node away": ("no_template", lambda pool: setattr(pool.node, "away", True), lambda pool: setattr(pool.node, "away", False)),
    "templates fail": ("no_template", lambda pool: setattr(pool.node, "failing", True), lambda pool: setattr(pool.node, "failing", False)),
    "paused": ("paused", lambda pool: pool.must_control("pool_manager", "pause"), lambda pool: pool.must_control("pool_manager", "resume")),
    # Once it drains it does not run again.
    "draining": ("draining", lambda pool: pool.must_control("pool_manager", "drain"), None),
}


def test_an_operator_finds_a_pool_that_is_not_ready(pool):
    assert not (pool.data_dir / "listen.json").exists(), "miners are not called yet"
    command = [binary(), "admin", "pool_manager", "status", "--data-dir", pool.data_dir]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done
    assert json.loads(done.stdout)["no_work"]["why"] == "starting", done


def test_a_pool_whose_node_is_away_at_the_start_lets_nobody_wait(pool):
    eventually("miners are let go", lambda: (no_work(pool) or {}).get("miners_let_go"), 20)
    assert no_work(pool)["why"] == "starting"
    ready = pool.get("/readyz")
    assert ready.status == 503 and any("no live work (starting)" in why for why in ready.json["hindrances"]), ready
    miner = Miner(pool, "//NoWork")
    assert miner.register().status == 201
    miner.open_session()
    assert ways_in(pool, miner) == ALL_CLOSED
    pool.node.away = False
    eventually("everybody is taken in", lambda: ways_in(pool, miner) == ALL_OPEN, 20)
    assert no_work(pool) is None


@pytest.mark.parametrize("cause", CAUSES)
def test_whatever_ends_the_work_miners_are_let_go_and_taken_back(pool, cause):
    why, begin, end = CAUSES[cause]
    miner = Miner(pool, "//NoWork")
    miner.open_session()
    eventually("there is work", lambda: ways_in(pool, miner) == ALL_OPEN, 20)
    client = Client(port(pool), timeout=30).subscribe().authorize(f"{ADDRESS}.open")
    # One that never went further than this is not kept either.
    idle = Client(port(pool), timeout=30)
    waiting = waiters(pool, miner)
    share = client.current_work().find()
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        late = threads.submit(mine_on, client, share)
        begin(pool)
        eventually("there is no work", lambda: no_work(pool), 20)
        waits = {way: threads.submit(wait) for way, wait in waiting.items()}
        said = late.result(30)
        assert {way: http(wait.result(30)) for way, wait in waits.items()} == dict.fromkeys(waits, "refused")
    last = [message for message in said if message.get("method")][-1]
    assert last["method"] == "client.show_message" and "no work" in last["params"][0], said[-3:]
    assert "client.reconnect" not in json.dumps(said)
    assert idle.is_closed()
    lack = no_work(pool)
    assert (lack["why"], lack["miners_let_go"]) == (why, True), lack
    assert any(f"no live work ({why})" in one for one in pool.get("/readyz").json["hindrances"])
    figures = pool.get("/metrics").body.decode()
    assert "dwarves_miners_let_go 1" in figures and "dwarves_no_work_seconds 0\n" not in figures
    assert ways_in(pool, miner) == ALL_CLOSED
    if end is not None:
        end(pool)
        eventually("everybody is taken in", lambda: ways_in(pool, miner) == ALL_OPEN, 10, 0.1)
        assert "dwarves_miners_let_go 0" in pool.get("/metrics").body.decode()
        # It is said once when it begins and once when it ends.
        assert pool.log().count("live work again") == pool.log().count("miners are let go")
