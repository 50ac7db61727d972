"""`dwarves ledger copy`: a pool moves from SQLite to PostgreSQL and back, mines on, and nothing is lost or counted twice."""

import random
import subprocess
import time

import pytest
from crash_miners import address_of
from harness import PAYING, Pool, binary, environment, eventually
from postgres import Postgres
from test_pool import rows
from test_postgres import check_books


@pytest.fixture(scope="module")
def server():
    with Postgres() as server:
        yield server


def command(*arguments):
    return [binary(), "ledger", *map(str, arguments)]


def ledger(*arguments, cwd, **settings):
    settings = {key.replace("__", "."): value for key, value in settings.items()}
    return subprocess.run(
        command(*arguments), cwd=cwd, env=environment(settings), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=120,
    )


def listed(pool, **settings):
    """What the commands print that read a ledger themselves."""
    printed = {}
    exports = [("export", table) for table in ("shares", "credits", "payouts", "rounds", "blocks")]
    for arguments in [*exports, ("miners",), ("workers",), ("payouts",), ("batch",)]:
        done = subprocess.run(
            [binary(), *arguments, "--data-dir", pool.data_dir], cwd=pool.data_dir, env=environment(settings),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        )
        assert done.returncode == 0 and done.stderr == "", (arguments, done)
        printed[arguments] = done.stdout
    return printed


def what_is_said(pool, miner):
    """What the API says of money and work, which no move may change."""
    answers = {path: pool.get(path).json for path in ("/v1/blocks?limit=100", "/v1/payouts?limit=100")}
    # How deep a block is is learnt now and then.
    for block in answers["/v1/blocks?limit=100"]["blocks"]:
        del block["confirmations"]
    answers["credits"] = pool.get(f"/v1/miners/{miner.hotkey}/credits?limit=100").json
    answers["rounds"] = [row for row in rows(pool, "/v1/rounds", "rounds") if row["credited_sats"] > 0]
    status = miner.status()
    answers["accepted"] = status["shares"]["accepted"]
    return answers


def hold_still(pool, miner):
    """Stops what would move by itself between two looks, and gives what is said then."""
    pool.must_control("paymaster", "pause")
    before = []

    def stands():
        before.append(what_is_said(pool, miner))
        return len(before) > 1 and before[-2] == before[-1]

    eventually("nothing moves any more", stands, 30, 1.5)
    return before[-1]


def refuses_to_start(pool, words):
    with pytest.raises(AssertionError) as failed:
        pool.start()
    assert words in str(failed.value), failed.value


def test_a_pool_moves_to_a_server_mines_on_and_moves_back(server, tmp_path):
    server.sql("CREATE DATABASE moved", database="postgres")
    url = server.url("moved")
    settings = {key.replace(".", "__"): value for key, value in PAYING.items()}
    with Pool(**settings) as pool:
        alice = pool.miner("//MovingAlice")
        assert alice.register(payout_address=address_of(1)).status == 200
        for _ in range(40):
            alice.accepted()
        alice.block()

        def is_paid():
            alice.accepted()
            return [p for p in rows(pool, "/v1/payouts", "payouts") if p["state"] == "confirmed"]

        eventually("a payout is deep", is_paid, 60)
        # One that is under way goes over as well as one that is done.
        job = alice.job()
        share, share_id = job.find(block=False)
        (verdict,) = alice.verdicts(share)
        assert verdict["verdict"] == "accepted", verdict
        before = hold_still(pool, alice)
        file = pool.data_dir / "dwarves.db"
        # Nobody copies below a pool that runs.
        beside = ledger("copy", "--from", file, "--to", url, cwd=tmp_path)
        assert beside.returncode == 1 and "in use by another running pool" in beside.stderr, beside
        assert pool.stop() == 0
        printed = listed(pool)
        assert alice.hotkey in printed["miners",] and len(printed["export", "shares"].splitlines()) > 40

        # Killed again and again, it goes on where it was.
        dice = random.Random(7)
        for _ in range(4):
            copying = subprocess.Popen(
                command("copy", "--from", file, "--to", url), cwd=tmp_path, env=environment({}),
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            time.sleep(dice.uniform(0.02, 0.25))
            copying.kill()
            copying.wait()
        done = ledger("copy", "--from", file, "--to", url, cwd=tmp_path)
        if done.returncode != 0:
            # The last one was killed behind its last step.
            assert "a history of its own" in done.stderr, done
        else:
            for part in ("rows are the same in both", "shares rows", "balances of miner_paid, sats", "ok     books"):
                assert part in done.stdout, done
        check_books(server, "moved")
        assert listed(pool, **{"store.kind": "postgres", "store.url": url}) == printed

        # The old ledger is nobody's any more.
        refuses_to_start(pool, "this ledger was moved to database moved")
        pool.settings |= {"store.kind": "postgres", "store.url": url}
        pool.start()
        assert hold_still(pool, alice) == before
        alice.open_session()
        # What was accepted there is known here.
        (verdict,) = alice.verdicts(share)
        assert verdict["verdict"] == "rejected" and verdict["reason"] in ("duplicate", "stale"), verdict
        found = server.sql(f"SELECT COUNT(*) FROM shares WHERE hash = '\\x{bytes.fromhex(share_id)[::-1].hex()}'", database="moved")
        assert found == [["1"]]
        assert pool.pool()["ledger_sum_sats"] == 0
        for _ in range(20):
            alice.accepted()
        alice.block()
        alice.accepted()
        pool.must_control("paymaster", "resume")
        eventually("another payout is deep", lambda: len(is_paid()) > len(before["/v1/payouts?limit=100"]["payouts"]), 60)
        there = hold_still(pool, alice)
        assert there["accepted"] > before["accepted"]
        assert pool.stop() == 0
        check_books(server, "moved")

        # And back, into a new file: from the ledger of the settings.
        back = pool.data_dir / "back.db"
        done = ledger("copy", "--to", back, "--data-dir", pool.data_dir, cwd=tmp_path, store__kind="postgres", store__url=url)
        assert done.returncode == 0 and "path = " in done.stdout, done
        assert back.stat().st_mode & 0o777 == 0o600
        refuses_to_start(pool, "this ledger was moved to")
        pool.settings |= {"store.kind": "sqlite", "store.path": "back.db"}
        del pool.settings["store.url"]
        pool.start()
        assert hold_still(pool, alice) == there
        alice.open_session()
        alice.accepted()
        assert pool.pool()["ledger_sum_sats"] == 0
        assert pool.stop() == 0


def test_a_ledger_that_was_moved_is_taken_back_with_payouts_held(server, tmp_path):
    server.sql("CREATE DATABASE given_up", database="postgres")
    with Pool() as pool:
        miner = pool.miner("//Returning")
        assert miner.register().status == 200
        miner.accepted()
        assert pool.stop() == 0
        data = ("--data-dir", pool.data_dir)
        early = ledger("reclaim", *data, cwd=tmp_path)
        assert early.returncode == 1 and "was not moved" in early.stderr, early
        to = ("--to", server.url("given_up"))
        done = ledger("copy", *to, *data, cwd=tmp_path)
        assert done.returncode == 0, done
        again = ledger("copy", *to, *data, cwd=tmp_path)
        assert again.returncode == 1 and "a history of its own" in again.stderr, again
        checked = subprocess.run(
            [binary(), "check", *map(str, data)], cwd=tmp_path, env=environment({}), capture_output=True, text=True, timeout=60
        )
        assert checked.returncode != 0 and "was moved to database given_up" in checked.stdout, checked
        taken = ledger("reclaim", *data, cwd=tmp_path)
        assert taken.returncode == 0 and "payouts held" in taken.stdout, taken
        pool.start()
        holds = pool.must_control("pool_manager", "status")
        assert "restored" in str(holds), holds
        miner.open_session()
        miner.accepted()


def test_what_cannot_be_copied_is_refused_with_what_to_do(server, tmp_path):
    cases = [
        (("--from", "a.db", "--to", "b.db"), "dwarves backup"),
        (("--from", server.url("a"), "--to", server.url("b")), "pg_dump"),
        (("--from", "a.db", "--to", server.url("postgres")), "there is no such file"),
        (("--from", "a.db", "--to", "mysql://a/b"), "postgresql://"),
        (("--from", "a.db", "--to", server.url("nowhere")), "there is no such file"),
    ]
    for arguments, words in cases:
        done = ledger("copy", *arguments, cwd=tmp_path)
        assert done.returncode == 1 and words in done.stderr, (arguments, done)
    assert ledger("copy", cwd=tmp_path).returncode == 2
    assert not (tmp_path / "a.db").exists() and not (tmp_path / "b.db").exists()
