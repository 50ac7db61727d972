"""The machine's clock is set wrong under a running pool, and right again. libfaketime plays the machine's clock; it
leaves the time that passes alone, as setting a clock does."""

import datetime
import glob
import json
import os
import subprocess
import time

import pytest
from harness import Miner, Pool, binary, eventually
from stratum import Client

# Debian and Ubuntu: apt-get install faketime. tests/all brings it.
LIBRARIES = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") + glob.glob("/usr/lib/faketime/libfaketimeMT.so.1")
YEAR = 365 * 86_400


@pytest.fixture(params=[30])
def lying_pool(request, tmp_path, monkeypatch):
    """A pool and a function that sets its clock wrong by this many seconds. Dates follow one that stays wrong after
    the parameter's seconds."""
    assert LIBRARIES, "libfaketime is missing: apt-get install faketime"
    offset = tmp_path / "offset"

    def lie(seconds):
        # Replaced at once, never half written.
        new = tmp_path / "new"
        new.write_text(f"{seconds:+d}\n")
        os.replace(new, offset)

    lie(0)
    monkeypatch.setenv("LD_PRELOAD", LIBRARIES[0])
    monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(offset))
    monkeypatch.setenv("FAKETIME_NO_CACHE", "1")
    monkeypatch.setenv("DONT_FAKE_MONOTONIC", "1")
    with Pool(data_dir=tmp_path / "data", **{"stratum.listen": "127.0.0.1:0", "clock.settle_secs": str(request.param)}) as pool:
        yield pool, lie


def rounds(pool):
    return pool.get("/v1/rounds?limit=1").json["rounds"][0]["id"]


def hindrances(pool):
    return " ".join(pool.get("/readyz").json["hindrances"])


def test_a_clock_that_is_a_year_off_for_a_while_closes_no_round_and_stops_none(lying_pool):
    pool, lie = lying_pool
    eventually("rounds close", lambda: pool.get("/v1/rounds").json["rounds"])
    began, before = time.monotonic(), rounds(pool)
    for wrong in (YEAR, -3_600):
        lie(wrong)
        eventually("it is seen", lambda: "clock_jumped" in hindrances(pool))
        seen = rounds(pool)
        eventually("rounds go on meanwhile", lambda: rounds(pool) > seen)
        lie(0)
        eventually("it is over", lambda: "clock" not in hindrances(pool))
        seen = rounds(pool)
        eventually("rounds go on after it", lambda: rounds(pool) > seen)
    closed, passed = rounds(pool) - before, time.monotonic() - began
    assert closed <= passed + 2, f"{closed} rounds in {passed:.1f} s"
    assert pool.must_control("reward_distributor", "reset_schedule")
    seen = rounds(pool)
    eventually("rounds go on after a reset", lambda: rounds(pool) > seen)
    assert pool.pool()["ledger_sum_sats"] == 0


def test_a_life_under_a_wrong_clock_leaves_nothing_behind(lying_pool):
    pool, lie = lying_pool
    eventually("rounds close", lambda: pool.get("/v1/rounds").json["rounds"])
    before = rounds(pool)
    lie(YEAR)
    pool.restart()
    time.sleep(3)
    assert rounds(pool) <= before + 1, "an absence of a year is not believed at once"
    lie(0)
    pool.restart()
    seen = rounds(pool)
    eventually("rounds go on within an interval", lambda: rounds(pool) > seen, 5)
    assert rounds(pool) <= before + 8


@pytest.mark.parametrize("offset", ["-1h", "+1h"])
def test_a_miner_whose_own_clock_is_wrong_mines_all_the_same(tmp_path, offset):
    assert LIBRARIES, "libfaketime is missing: apt-get install faketime"
    lying = {**os.environ, "LD_PRELOAD": LIBRARIES[0], "FAKETIME": offset, "DONT_FAKE_MONOTONIC": "1"}
    key = tmp_path / "miner.key"
    with Pool(data_dir=tmp_path / "data") as pool:
        subprocess.run([binary(), "hotkey", "new", key], check=True, capture_output=True)
        command = [binary(), "mine", "--hotkey", key, "--pool", pool.url, "--threads", "1", "--throttle", "200"]
        mining = subprocess.Popen(command, env=lying, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            eventually("its shares are accepted", lambda: pool.pool()["shares"]["accepted"] >= 20)
        finally:
            mining.terminate()
            said, _ = mining.communicate(timeout=20)
    assert mining.returncode == 0, said
    assert "this computer's clock is 3" in said, said


def dated(pool):
    """The pool's date, in seconds since 1970: what it writes into its audit trail."""
    pool.must_control("pool_manager", "status")
    return datetime.datetime.fromisoformat(pool.audit("?limit=1")["audit"][0]["at"]).timestamp()


class Open:
    """What a miner has open when the clock is set: a session with a job over HTTP, and one over Stratum."""

    def __init__(self, pool, banned_secs):
        self.pool = pool
        self.miner = pool.miner("//Open")
        self.job = self.miner.job("rig")
        address = json.loads((pool.data_dir / "listen.json").read_text())["stratum"][0]
        self.stratum = Client(address).subscribe().authorize(f"{self.miner.hotkey}.rig")
        self.work = self.stratum.next_work()
        self.banned = pool.miner("//Banned")
        until = datetime.datetime.fromtimestamp(time.time() + banned_secs, datetime.timezone.utc).isoformat()
        pool.must_control("miner_manager", "ban", hotkey=self.banned.hotkey, reason="spam", until=until)
        self.shares = 0

    def goes_on(self, what, with_session=True):
        """All of it is as it was before."""
        self.shares += 1
        if with_session:
            (verdict,) = self.miner.verdicts(self.job.find(time=self.job.time + self.shares)[0])
            assert verdict["verdict"] == "accepted", (what, verdict)
            assert self.miner.fetch("rig").status == 200, what
            assert self.banned.fetch().status == 403, what
        answer = self.stratum.submit(self.work.find(extranonce2=self.shares))
        assert answer["result"] is True, (what, answer)


@pytest.mark.parametrize("lying_pool", [1, 30], indirect=True, ids=["followed", "waited-out"])
@pytest.mark.parametrize("wrong", [3_600, -3_600, YEAR, -YEAR], ids=["+1h", "-1h", "+1y", "-1y"])
def test_what_is_open_outlives_every_jump(lying_pool, wrong):
    pool, lie = lying_pool
    is_followed = pool.settings["clock.settle_secs"] == "1"
    # A jump that is not followed ends no ban before its time.
    there = Open(pool, banned_secs=2 * YEAR if is_followed else 1_800)
    there.goes_on("before")
    for offset, what in ((wrong, "wrong"), (0, "right again")):
        lie(offset)
        if is_followed:
            eventually("dates follow", lambda: abs(dated(pool) - time.time() - offset) < 60)
        else:
            time.sleep(1.5)
        # A date that is followed a year ahead is past the end of every session over HTTP.
        there.goes_on(what, with_session=not (is_followed and offset == YEAR))
    # A request that is signed now is as good as ever.
    assert there.miner.signed("POST", "/v1/sessions", {}).status == 201
