"""Miners on Stratum at a front that stands by: it serves them by a link with the one that leads, which judges."""

import concurrent.futures
import contextlib
import random
import socket
import time

import pytest
from fronts import Front, common, freeze, thaw, two, wait_for_lead
from harness import eventually, free_port
from postgres import Postgres
from rigs import Rig, end, front_end, session, told
from standin_node import StandInNode
from stratum import sha256d
from test_postgres import check_books, stored_shares


@pytest.fixture(scope="module")
def server():
    with Postgres() as server:
        yield server


@pytest.fixture
def nodes():
    with StandInNode("bitcoin") as first, StandInNode("bitcoin") as second:
        yield first, second


_databases = iter(range(1, 1000))


@pytest.fixture
def database(server):
    name = f"linked_{next(_databases)}"
    server.sql(f"CREATE DATABASE {name}", database="postgres")
    yield name
    server.sql(f"DROP DATABASE {name} WITH (FORCE)", database="postgres")


def linked(directory, server, database, nodes):
    """Two fronts with links, each with a node of its own."""
    own = [{"front__listen": f"127.0.0.1:{free_port()}", "chain__url": node.url} for node in nodes]
    return two(directory, common(server, nodes[0], database), own=own)


def is_linked(front):
    return front.figures().get("dwarves_front_linked") == 1


def wait_for_link(front):
    eventually(f"{front.name} is linked", lambda: is_linked(front), 20)


def test_miners_are_served_at_both_fronts_and_counted_once(server, database, nodes, tmp_path):
    with linked(tmp_path, server, database, nodes) as (first, second):
        wait_for_link(second)
        miner = first.miner("//Both")
        here, there = session(first, miner.hotkey), session(second, miner.hotkey)
        assert front_end(here) != front_end(there)
        for line in (here, there):
            work = line.current_work()
            share = work.find(extranonce2=1, block=False)
            line.accepted(share)
            assert line.rejected(share)[0] == 22, "a duplicate"
            assert line.rejected(work.find(extranonce2=2, above=True))[0] == 23, "of low difficulty"
        assert len(stored_shares(server, database)) == 2
        assert miner.status()["shares"]["accepted"] == 2
        # Not a byte of it was passed on, and each front has the figures of its own session.
        assert second.figures()['dwarves_relayed_total{listener="stratum"}'] == 0
        for front in (first, second):
            figures = front.figures()
            assert figures["dwarves_stratum_connections"] == 1
            assert figures['dwarves_acknowledgement_seconds_count{protocol="stratum"}'] == 3
            assert figures["process_open_fds"] < figures["process_max_fds"]
        figures = first.figures()
        assert (figures["dwarves_fronts_linked"], figures["dwarves_fronts_unlinked"]) == (1, 0)
        assert figures['dwarves_front_silent_seconds{front="b"}'] < 3
        fronts = first.fronts()
        assert (fronts["a"]["linked"], fronts["b"]["linked"]) == (False, True)
        assert (fronts["a"]["unlinked_ms"], fronts["b"]["unlinked_ms"]) == (None, None)
        # What an operator decides at the one front is true at the other, at once.
        first.must_control("miner_manager", "ban", hotkey=miner.hotkey, reason="a test")
        for line in (here, there):
            assert line.is_closed() is not False
        with pytest.raises(AssertionError):
            session(second, miner.hotkey)
        first.must_control("miner_manager", "unban", hotkey=miner.hotkey)
        line = session(second, miner.hotkey)
        line.accepted(line.current_work().find(extranonce2=3, block=False))
        # When there is no work, miners at both are told; and when there is again.
        first.must_control("pool_manager", "pause")
        assert line.submit(line.current_work().find(extranonce2=4, block=False))["error"] is not None
        first.must_control("pool_manager", "resume")
        eventually("it counts again", lambda: session(second, miner.hotkey).current_work(), 10)
    check_books(server, database)


def test_a_block_found_at_a_front_that_stands_by_goes_to_its_nodes_and_is_followed(server, database, nodes, tmp_path):
    with linked(tmp_path, server, database, nodes) as (first, second):
        wait_for_link(second)
        miner = first.miner("//Finder")
        line = session(second, miner.hotkey)
        work = line.current_work()
        share = work.find(extranonce2=9, block=True)
        header = work.header(share[1], int(share[3], 16), int(share[2], 16))
        line.accepted(share)
        block = sha256d(header)[::-1].hex()
        eventually("both nodes have it", lambda: all(node.submitted for node in nodes))
        assert all(header == node.submitted[0][:80] for node in nodes)
        assert nodes[0].submitted[0] == nodes[1].submitted[0]
        found = lambda: [row for row in first.get("/v1/blocks").json["blocks"] if row["hash"] == block]  # noqa: E731
        eventually("it is in the books", found)
        assert found()[0]["found_by"] == miner.hotkey
        # Work on the next one is told at both.
        assert line.work_after(work).previous != work.previous


def test_another_tip_at_one_fronts_node_is_heard_by_the_one_that_leads(server, database, nodes, tmp_path):
    settings = {**common(server, nodes[0], database), "chain__poll_interval_secs": "60"}
    own = [{"front__listen": f"127.0.0.1:{free_port()}", "chain__url": node.url} for node in nodes]
    own[1]["chain__poll_interval_secs"] = "0.2"
    with two(tmp_path, settings, own=own) as (first, second):
        wait_for_link(second)
        line = session(second, first.miner("//Tip").hotkey)
        work = line.current_work()
        # Both nodes have it. The one of the front that leads tells nobody, and is not asked for half a minute.
        nodes[0].height += 1
        with nodes[1].changed:
            nodes[1].height += 1
            nodes[1].changed.notify_all()
        assert line.work_after(work).previous != work.previous


def test_fronts_that_are_killed_frozen_and_started_again_lose_no_acknowledged_share(server, database, nodes, tmp_path):
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    dice = random.Random(seed)
    with linked(tmp_path, server, database, nodes) as fronts:
        wait_for_link(fronts[1])
        hotkeys = [fronts[0].miner(f"//Many{n}").hotkey for n in range(4)]
        miners = [Rig(fronts, hotkey, n) for n, hotkey in enumerate(hotkeys)]
        for miner in miners:
            miner.start()
        for _ in range(5):
            time.sleep(dice.uniform(0.5, 2))
            front = dice.choice(fronts)
            was_frozen = dice.random() < 0.3
            if was_frozen:
                # Long enough for the other to lead, and for the link to be given up.
                freeze(front)
                time.sleep(7)
                thaw(front)
                time.sleep(1)
                if front.process.poll() is not None:
                    front.process = None
                    front.start(ready=False)
            else:
                front.kill()
                eventually("a front leads", lambda: any(one.process and one.leads() for one in fronts), 20)
                front.start(ready=False)
        eventually("both are there", lambda: sum(one.leads() for one in fronts) == 1, 20)
        standing_by = next(one for one in fronts if not one.leads())
        wait_for_link(standing_by)
        time.sleep(1.5)
        end(miners)
        stored = set(stored_shares(server, database))
        acknowledged, sent = told(miners)
        assert len(acknowledged) > 200, len(acknowledged)
        assert acknowledged <= stored, f"{len(acknowledged - stored)} of {len(acknowledged)} are lost"
        assert stored <= sent, f"{len(stored - sent)} are stored that nobody sent"
    check_books(server, database)


def test_a_front_whose_leader_stands_still_lets_miners_go_and_leads(server, database, nodes, tmp_path):
    with linked(tmp_path, server, database, nodes) as (first, second):
        wait_for_link(second)
        hotkey = first.miner("//Still").hotkey
        line = session(second, hotkey)
        line.accepted(line.current_work().find(extranonce2=1, block=False))
        since = time.monotonic()
        freeze(first)
        # What it is sent now nobody answers, and it is not acknowledged.
        line.post("mining.submit", line.user, *line.current_work().find(extranonce2=2, block=False))
        wait_for_lead(second, since)
        assert line.is_closed() is not False
        again = session(second, hotkey)
        again.accepted(again.current_work().find(extranonce2=3, block=False))
        thaw(first)
        assert first.process.wait(15) == 70
        first.process = None
        first.start()
        wait_for_link(first)
        third = session(first, hotkey)
        third.accepted(third.current_work().find(extranonce2=4, block=False))
        assert len({front_end(one) for one in (line, third)}) == 2
    check_books(server, database)


def test_strangers_get_nothing_from_the_listener_for_links(server, database, nodes, tmp_path):
    with linked(tmp_path, server, database, nodes) as (first, second):
        wait_for_link(second)
        host, port = first.fronts()["a"]["listeners"]["front"].rsplit(":", 1)

        def said_to(words):
            with socket.create_connection((host, int(port)), timeout=15) as stranger:
                stranger.sendall(words)
                try:
                    return stranger.recv(100)
                except ConnectionResetError:
                    return b""

        lines = [b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00", b"\xff\xff" + bytes(65535), b"\x00\x30" + bytes(48), b"\x00\x40half"]
        with concurrent.futures.ThreadPoolExecutor() as threads:
            assert list(threads.map(said_to, lines)) == [b""] * len(lines)
        eventually("it is said who came", lambda: first.log().count("no link with a front at") >= len(lines))
        line = session(second, first.miner("//Friend").hotkey)
        line.accepted(line.current_work().find(extranonce2=1, block=False))


def test_without_links_miners_are_passed_on(server, database, nodes, tmp_path):
    """A front that leads and takes no links, as those of an older version: the others do without."""
    own = [{}, {"front__listen": f"127.0.0.1:{free_port()}"}]
    with two(tmp_path, common(server, nodes[0], database), own=own) as (first, second):
        line = session(second, first.miner("//Passed").hotkey)
        line.accepted(line.current_work().find(extranonce2=1, block=False))
        assert second.figures()['dwarves_relayed_total{listener="stratum"}'] == 1
        assert not is_linked(second) and "a has no front.listen" in second.log()


def test_miners_are_passed_on_for_as_long_as_no_link_can_be_had(server, database, nodes, tmp_path):
    """Of two fronts whose numbers come to the same extranonces, only one gives out work: the one that leads."""
    with contextlib.ExitStack() as fronts:
        settings = common(server, nodes[0], database)
        own = [{"front__listen": f"127.0.0.1:{free_port()}"} for _ in range(2)]
        first = fronts.enter_context(Front("a", tmp_path / "a", **settings, **own[0]))
        server.sql(
            "INSERT INTO fronts (number, lease, name, places, version, since, beat, beat_at)"
            " VALUES (64, 1, 'z', '', '', 0, 0, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)",
            database=database,
        )
        second = fronts.enter_context(Front("b", tmp_path / "b", first=first, **settings, **own[1]))
        assert second.fronts()["b"]["number"] == 65
        refused = "refuses it: another front gives out the extranonces of number 1"
        eventually("the link is refused", lambda: refused in second.log())
        line = session(second, first.miner("//Patient").hotkey)
        for number in range(5):
            line.accepted(line.current_work().find(extranonce2=number, block=False))
            # It is tried again and again meanwhile.
            time.sleep(1)
        assert not is_linked(second) and front_end(line) == 1
        assert first.figures()["dwarves_fronts_unlinked"] == 1
        missed, said = first.fronts()["b"]["unlinked_ms"], first.get("/readyz").json["hindrances"]
        # It is a hindrance once it has lasted for a minute.
        assert 5_000 < missed < 60_000 and not any(words.startswith("front_unlinked") for words in said), (missed, said)
