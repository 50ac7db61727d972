"""The machine's clock is set wrong under a running pool, and right again. libfaketime plays the machine's clock; it
leaves the time that passes alone, as setting a clock does."""

import glob
import os
import subprocess
import time

import pytest
from harness import Pool, binary, eventually

# Debian and Ubuntu: apt-get install faketime. tests/all brings it.
LIBRARIES = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") + glob.glob("/usr/lib/faketime/libfaketimeMT.so.1")
YEAR = 365 * 86_400


@pytest.fixture
def lying_pool(tmp_path, monkeypatch):
    """A pool and a function that sets its clock wrong by so many seconds."""
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
    with Pool(data_dir=tmp_path / "data", **{"stratum.listen": "127.0.0.1:0", "clock.settle_secs": "30"}) as pool:
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
