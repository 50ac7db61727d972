"""A ledger of an older version goes on without a hand: the same balances, nothing held, nothing paid twice.

Each of the ledgers has shares, rounds, immature blocks and a payout that is on its way; the README.md beside it says how it
was made.
"""

import contextlib
import shutil
import sqlite3

import pytest
from harness import ROOT, Pool, eventually

# Of each older version: the devnet's difficulty and the shares.
LEDGERS = {"ledger-d4dd595": (100_000, 129), "ledger-0.2.0": (20_000, 38)}
SETTINGS = {
    "chain__maturity_confirmations": 3,
    "payouts__confirmations": 2,
    "payouts__interval_secs": 1,
    "payouts__start_held": "true",
    "clock__settle_secs": 1,
}


def read(path, sql):
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()


@pytest.fixture(params=LEDGERS)
def ledger(request, tmp_path):
    """A copy of a ledger, the settings that it goes on with and its shares."""
    hashes, shares = LEDGERS[request.param]
    copy = tmp_path / "data"
    shutil.copytree(ROOT / "tests/fixtures" / request.param, copy)
    (copy / "pool.key").chmod(0o600)
    return copy, {**SETTINGS, "chain__devnet_block_hashes": hashes}, shares


def balances(data_dir):
    """What each miner has in all: rounds and payouts move it between the accounts, but neither makes nor loses any."""
    sql = "SELECT hotkey, SUM(amount) FROM balances WHERE account LIKE 'miner%' GROUP BY hotkey ORDER BY hotkey"
    return read(data_dir / "dwarves.db", sql)


def test_a_ledger_of_an_older_version_keeps_its_balances_and_goes_on(ledger, tmp_path):
    data_dir, settings, shares = ledger
    before = balances(data_dir)
    payouts = read(data_dir / "dwarves.db", "SELECT id, txid FROM payouts ORDER BY id")
    assert before and payouts
    with Pool(data_dir=data_dir, log_path=tmp_path / "pool.log", **settings) as pool:
        assert pool.pool()["ledger_sum_sats"] == 0
        assert pool.pool()["shares"]["accepted"] == shares
        status = pool.must_control("pool_manager", "status")
        held = [hold["hold"] for hold in status["payouts"]["holds"]]
        assert held == ["start"], "its own payouts hold nothing"
        pool.stop()
        assert balances(data_dir) == before
    with Pool(data_dir=data_dir, log_path=tmp_path / "pool.log", **{**settings, "payouts__start_held": "false"}) as pool:
        miner = pool.miner("//Upgrade")
        # The fixture grows older every day, and its rounds are made up for some a minute; an operator need not wait.
        eventually("the date is believed", lambda: reset_schedule(pool))
        eventually("blocks are found and a payout goes on", lambda: miner.block() and goes_on(pool, len(payouts)), secs=60)
        assert pool.pool()["ledger_sum_sats"] == 0
        pool.stop()
    known = read(data_dir / "dwarves.db", "SELECT id, txid FROM payouts ORDER BY id")
    assert known[: len(payouts)] == payouts, "what was sent stays what it was"
    (identity,) = read(data_dir / "dwarves.db", "SELECT value FROM settings WHERE name = 'ledger.chain'")
    assert '"height"' in identity[0]


def reset_schedule(pool):
    status = pool.must_control("pool_manager", "status")
    if status["rounds_missed"]:
        answer = pool.control("reward_distributor", "reset_schedule")
        assert answer.status == 200 or "ask again" in answer.json["detail"], answer
    # Its payout was sent on the day it was made, so that it is stuck by now, until the blocks that follow.
    return not status["rounds_missed"] and all("payout_stuck" in why for why in status["hindrances"])


def goes_on(pool, last):
    status = pool.must_control("pool_manager", "status")
    payouts = status["payouts"]
    return payouts["last_payout"] > last and not payouts["troubles"] and not status["hindrances"]


def test_another_chain_and_a_lost_key_are_refused(ledger, tmp_path):
    data_dir, settings, _ = ledger
    shutil.rmtree(data_dir / "devnet")
    for wanted in ("is not the ledger's chain", "pool.key is missing"):
        pool = Pool(data_dir=data_dir, log_path=tmp_path / "pool.log", **settings)
        pool.spawn()
        process, pool.process = pool.process, None
        assert process.wait(20) == 1, pool.log()
        assert wanted in pool.log(), pool.log()
        (data_dir / "pool.key").unlink(missing_ok=True)
    assert not (data_dir / "pool.key").exists(), "no new one is made"
