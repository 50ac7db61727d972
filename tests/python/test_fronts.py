"""Several fronts on one ledger: one leads, the others pass on, and one of them leads when it is gone."""

import concurrent.futures
import http.client
import random
import shutil
import subprocess
import time

import pytest
from fronts import Front, common, freeze, thaw, two, wait_for_lead
from harness import Miner, Pool, binary, encode, environment, eventually, free_port, problem, send_on
from postgres import Postgres
from standin_node import StandInNode
from stratum import Client as StratumClient
from test_evaluated import Evaluator, evaluated, submit
from test_payout_batches import balances, earn, signed_batch, states
from test_pool import rows
from test_postgres import check_books, compare, mine_while, stored_shares


@pytest.fixture(scope="module")
def server():
    with Postgres() as server:
        yield server


@pytest.fixture
def node():
    with StandInNode("bitcoin") as node:
        yield node


_databases = iter(range(1, 1000))


@pytest.fixture
def settings(server, node):
    """What fronts on a ledger of their own are set to."""
    name = f"fronts_{next(_databases)}"
    server.sql(f"CREATE DATABASE {name}", database="postgres")
    yield common(server, node, name)
    server.sql(f"DROP DATABASE {name} WITH (FORCE)", database="postgres")


def database(settings):
    return settings["store__url"].rsplit("/", 1)[1]


def test_a_miner_may_come_to_any_front(server, settings, tmp_path):
    with two(tmp_path, settings) as (first, second):
        assert first.leads() and not second.leads()
        # A session is one of the pool, and so are work and shares.
        miner = first.miner("//Roaming")
        miner.pool = second
        job = miner.job()
        miner.pool = first
        share, share_id = job.find(block=False)
        (verdict,) = miner.verdicts(share)
        assert verdict["verdict"] == "accepted", verdict
        miner.pool = second
        (again,) = miner.verdicts(share)
        assert (again["reason"], again["sequence"]) == ("duplicate", verdict["sequence"]), again
        # So are bans, at once.
        first.must_control("miner_manager", "ban", hotkey=miner.hotkey, reason="a test")
        problem(miner.fetch(), 403, "banned")
        second.must_control("miner_manager", "unban", hotkey=miner.hotkey)
        assert miner.job().id
        assert miner.status()["shares"]["accepted"] == 1
        # Long polls and events go through.
        with concurrent.futures.ThreadPoolExecutor() as threads:
            waiting = threads.submit(miner.fetch, longpoll=job.id)
            time.sleep(0.3)
            other = first.miner("//Finder")
            other.block()
            assert waiting.result(20).status == 200
        assert stored_shares(server, database(settings))[share_id] == verdict["sequence"]


def register_from(front, address, uri):
    """Registers a miner through a proxy that says that it is for this address."""
    miner = Miner(front, uri)
    connection = http.client.HTTPConnection(*front.address, timeout=20)
    connection.connect()
    connection.sock.sendall(f"PROXY TCP4 {address} 127.0.0.1 4711 80\r\n".encode())
    body = encode({})
    return send_on(connection, "POST", "/v1/miners", body, miner.sign("POST", "/v1/miners", body))


def test_who_is_passed_on_is_known_by_its_own_address(settings, tmp_path):
    with two(tmp_path, {**settings, "limits__new_miners_per_hour": "2"}) as (first, second):
        # Whoever comes to a front through a proxy that it trusts is who the proxy says, also at the one that leads.
        for number, front in enumerate((first, second)):
            assert register_from(front, "192.0.2.7", f"//Near{number}").status == 201
        refused = register_from(second, "192.0.2.7", "//Near2")
        assert refused.status == 429, refused
        assert register_from(second, "198.51.100.9", "//Far").status == 201


def test_stratum_goes_through_the_front_that_stands_by(server, settings, tmp_path):
    with two(tmp_path, settings) as (first, second):
        hotkey = first.miner("//Lines").hotkey
        line = StratumClient(second.listen["stratum"][0], timeout=20)
        line.subscribe()
        assert line.call("mining.authorize", f"{hotkey}.rig", "x")["result"] is True
        work = line.current_work()
        line.accepted(work.find(extranonce2=1, start=0), user=f"{hotkey}.rig")
        line.close()
        assert len(stored_shares(server, database(settings))) == 1
        relayed = second.figures()['dwarves_relayed_total{listener="stratum"}']
        assert relayed == 1, second.figures()


def test_it_is_seen_who_leads_and_who_stands_by(settings, tmp_path):
    with two(tmp_path, settings) as (first, second):
        fronts = second.fronts()
        assert [fronts[name]["leads"] for name in ("a", "b")] == [True, False], fronts
        assert all(front["lives"] for front in fronts.values())
        assert fronts["b"]["listeners"]["http"] == "%s:%d" % second.address
        assert second.get("/healthz").json == {"status": "alive"}
        figures = {front.name: front.figures() for front in (first, second)}
        for name, leads in (("a", 1), ("b", 0)):
            of = figures[name]
            assert (of["dwarves_front_leads"], of["dwarves_fronts_live"], of["dwarves_front_leader_live"]) == (leads, 2, 1)
        assert figures["a"]["dwarves_fronts_silent"] == 0
        # Neither takes links, so none is missed.
        assert figures["a"]["dwarves_fronts_unlinked"] == 0 and fronts["b"]["unlinked_ms"] is None
        done = subprocess.run(
            [binary(), "status", "--once", "--data-dir", second.data_dir],
            capture_output=True, text=True, env=environment({}), timeout=60,
        )
        assert "front      1 a: leads" in done.stdout and "2 b: stands by" in done.stdout, done
        # Whoever is killed is missed.
        second.kill()
        silent = "front_silent: b (front 2) has said nothing for"

        def is_missed():
            return any(silent in words for words in first.get("/readyz").json["hindrances"])

        eventually("the silent one is named", is_missed, 10)
        figures = first.figures()
        assert figures["dwarves_fronts_silent"] == 1 and figures["dwarves_hindrances"] >= 1
        second.start()
        eventually("it is missed no more", lambda: not is_missed())
        # Whoever stops in order is not.
        assert second.stop() == 0
        eventually("it is not missed", lambda: list(first.fronts()) == ["a"])


def test_the_next_front_leads_when_the_leader_is_killed(server, settings, tmp_path):
    with two(tmp_path, settings) as (first, second):
        miner = second.miner("//Heir")
        share, share_id, verdict = miner.accepted(block=False)
        block = miner.block()
        since = time.monotonic()
        first.kill()
        # Meanwhile nobody is told anything wrong.
        answer = miner.fetch()
        if answer.status != 200:
            assert problem(answer, 503, "not_ready"), answer
            assert int(answer.headers["retry-after"]) >= 1
        wait_for_lead(second, since)
        # The session goes on, what counted counts once, and the block is followed.
        (again,) = miner.verdicts(share)
        assert again["verdict"] == "rejected" and again["reason"] in ("duplicate", "stale"), again
        if again["reason"] == "duplicate":
            assert again["sequence"] == verdict["sequence"]
        miner.accepted()
        assert any(row["hash"] == block for row in rows(second, "/v1/blocks", "blocks"))
        eventually("rounds go on", lambda: second.get("/v1/rounds?limit=1").json["rounds"], 10)
        # The first one comes back, and stands by.
        first.start()
        assert not first.leads() and second.leads()
        miner.pool = first
        miner.accepted()
        # The second one stops in order: nobody waits for it to be silent.
        since = time.monotonic()
        assert second.stop() == 0
        wait_for_lead(first, since, 3)
        miner.accepted()
        rounds = rows(first, "/v1/rounds?limit=100", "rounds")
        assert [r["id"] for r in rounds] == list(range(rounds[0]["id"], 0, -1)), "a round is missing or double"
    check_books(server, database(settings))


def test_a_leader_that_stands_still_is_followed_and_ends(server, settings, tmp_path):
    with two(tmp_path, settings) as (first, second):
        miner = second.miner("//Patient")
        miner.accepted()
        since = time.monotonic()
        freeze(first)
        wait_for_lead(second, since)
        for _ in range(5):
            miner.accepted()
        before = stored_shares(server, database(settings))
        thaw(first)
        assert first.process.wait(15) == 70
        first.process = None
        assert "another front has taken the lead" in first.log()
        assert stored_shares(server, database(settings)) == before
        first.start()
        assert second.leads() and not first.leads()
    check_books(server, database(settings))


def test_fronts_that_are_killed_again_and_again_lose_no_acknowledged_share(server, settings, tmp_path):
    dice = random.Random()
    with two(tmp_path, settings) as fronts:

        def kill():
            front = dice.choice(fronts)
            front.kill()
            eventually("a front leads", lambda: any(other.process and other.leads() for other in fronts), 20)
            front.start(ready=False)

        miners = mine_while(fronts[0], server, kill, 5, random.randrange(1 << 30))
        acknowledged = compare(server, database(settings), miners)
        assert len(acknowledged) > 100
        rounds = rows(fronts[1], "/v1/rounds?limit=100", "rounds")
        assert [r["id"] for r in rounds] == list(range(rounds[0]["id"], 0, -1)), "a round is missing or double"


def test_the_same_fronts_go_on_when_the_server_was_away(node, tmp_path):
    with Postgres() as server, two(tmp_path, common(server, node)) as (first, second):
        miner = second.miner("//Waiting")
        miner.accepted()
        server.kill()
        time.sleep(4)
        server.start()
        # That the ledger cannot be written is found out by whoever writes.
        eventually("work is taken again", lambda: miner.submit(miner.job().find()[0]).status == 200, 20)
        for _ in range(2):
            assert first.leads() and not second.leads()
            miner.accepted()
            time.sleep(3)


def test_evaluated_work_and_batches_go_on_at_the_next_front(server, tmp_path):
    """There is no chain: results, rounds and exported payouts are followed from the ledger alone."""
    server.sql("CREATE DATABASE evaluated", database="postgres")
    with Evaluator() as evaluator:
        of = evaluated(evaluator.url, payouts__threshold_sats="1000")
        of |= {"store__kind": "postgres", "store__url": server.url("evaluated"), "front__peers": '["127.0.0.1"]'}
        of["stratum__listen"] = ""
        with two(tmp_path, of) as (first, second):
            miners = earn(second, (0.5, 0.25, 1))
            done = first.must_control("payout_exporter", "export", batch="one")
            batch = signed_batch(first, "one")
            owed = [balances(miner) for miner in miners]
            since = time.monotonic()
            first.kill()
            wait_for_lead(second, since)
            assert signed_batch(second, "one") == batch, "the same bytes at another front"
            assert [balances(miner) for miner in miners] == owed
            again = second.must_control("payout_exporter", "export", batch="one")
            assert (again["is_new"], again["digest"]) == (False, done["digest"])
            second.must_control("payout_exporter", "mark_paid", batch="one", reference="tx-1")
            first.start()
            assert states(first, "one") == [("paid", "tx-1")] * 3
            submit(miners[0], {"loss": 0.125})
            first.must_control("reward_distributor", "distribute_now")
            since = time.monotonic()
            assert second.stop() == 0
            wait_for_lead(first, since, 3)
            rounds = rows(first, "/v1/rounds?limit=100", "rounds")
            assert [r["id"] for r in rounds] == list(range(rounds[0]["id"], 0, -1)), "a round is missing or double"
            assert first.pool()["ledger_sum_sats"] == 0
    check_books(server, "evaluated")


def refused(directory, settings, **more):
    env = environment({key.replace("__", "."): value for key, value in {**settings, **more}.items()})
    done = subprocess.run(
        [binary(), "serve", "--data-dir", directory], capture_output=True, text=True, env=env, timeout=60, cwd=directory
    )
    assert done.returncode != 0, done
    return done.stdout + done.stderr


def test_who_may_not_be_a_front_is_told_why(settings, tmp_path):
    with Front("a", tmp_path / "a", **settings) as first:
        other = tmp_path / "other"
        other.mkdir()
        (other / "pool.key").touch()
        (other / "pool.key").unlink()
        listen = {"http__listen": "127.0.0.1:0"}
        # Whoever has no key may not make one beside a ledger that has a history.
        assert "pool.key" in refused(other, settings, front__name="b", **listen)
        with Pool(data_dir=tmp_path / "stranger"):
            pass
        shutil.copy(tmp_path / "stranger" / "pool.key", other / "pool.key")
        said = refused(other, settings, front__name="b", **listen)
        assert "the ledger is that of the pool with the hotkey" in said and first.hotkey in said, said
        shutil.copy(first.data_dir / "pool.key", other / "pool.key")
        said = refused(other, settings, front__name="a", **listen)
        assert 'another front that is called "a" runs on this ledger' in said, said
        said = refused(other, {**settings, "chain__kind": "devnet", "chain__url": "", "chain__payout_address": ""},
                       front__name="b", **listen)
        assert "several fronts need nodes" in said, said
        assert first.leads() and len(first.fronts()) == 1


def test_a_front_of_an_older_version_passes_on_but_does_not_lead(server, settings, tmp_path):
    """The one that leads is newer, and has brought the schema up to its own version."""
    with two(tmp_path, settings) as (first, second):
        server.sql("INSERT INTO dwarves_schema (version, name) VALUES (9000, 'later')", database=database(settings))
        miner = second.miner("//Upgraded")
        miner.accepted()
        first.kill()
        assert second.process.wait(20) != 0
        second.process = None
        assert "schema version 9000" in second.log(), second.log()[-2000:]
        server.sql("DELETE FROM dwarves_schema WHERE version = 9000", database=database(settings))
        second.start()
        assert second.leads()


def test_a_front_without_peers_only_waits(settings, tmp_path):
    alone = {**settings, "front__peers": "[]"}
    with Front("a", tmp_path / "a", **alone) as first:
        second = Front("b", tmp_path / "b", first=first, **alone)
        second.address = ("127.0.0.1", int(second.settings["http.listen"].rsplit(":", 1)[1]))
        second.spawn()
        try:
            eventually("it listens", lambda: (second.data_dir / "listening.json").exists())
            assert not (second.data_dir / "listen.json").exists()
            problem(second.get("/v1/pool"), 503, "not_ready")
            problem(second.get("/readyz"), 503, "not_ready")
            assert second.get("/healthz").status == 200
            assert "front.peers is empty" in second.log()
            since = time.monotonic()
            first.kill()
            wait_for_lead(second, since)
        finally:
            print(second.log()[-3000:])
            second.kill()


HAPROXY = """
global
    maxconn 2000
defaults
    timeout connect 2s
    timeout client 90s
    timeout server 90s
    option redispatch
    retries 3
listen http
    mode http
    bind 127.0.0.1:{http}
    balance roundrobin
    option httpchk GET /readyz
    option forwardfor
    server a {a} check inter 500ms fall 2 rise 1
    server b {b} check inter 500ms fall 2 rise 1
"""


def test_behind_haproxy_requests_may_go_to_any_front(server, settings, tmp_path):
    """Each request goes to another front than the one before."""
    program = shutil.which("haproxy") or "/usr/sbin/haproxy"
    with two(tmp_path, {**settings, "http__proxies": '["127.0.0.1"]'}) as (first, second):
        port = free_port()
        conf = tmp_path / "haproxy.cfg"
        conf.write_text(HAPROXY.format(http=port, a="%s:%d" % first.address, b="%s:%d" % second.address))
        proxy = subprocess.Popen([program, "-f", conf], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            sprayed = Pool(data_dir=first.data_dir)
            sprayed.address, sprayed.hotkey = ("127.0.0.1", port), first.hotkey
            eventually("the proxy answers", lambda: answers(sprayed))

            def kill():
                # A front that leads, and later the other one.
                front = first if first.leads() else second
                front.kill()
                eventually("the other leads", lambda: any(f.process and f.leads() for f in (first, second)), 20)
                front.start(ready=False)

            miners = mine_while(sprayed, server, kill, 2, random.randrange(1 << 30))
            acknowledged = compare(server, database(settings), miners)
            assert len(acknowledged) > 50
            refusals = {reason for miner in miners for reason in miner.reasons}
            assert refusals <= {"accepted", "duplicate", "stale"}, refusals
        finally:
            proxy.terminate()
            proxy.wait(10)


def answers(pool):
    try:
        return pool.get("/v1/pool").status == 200
    except OSError:
        return False
