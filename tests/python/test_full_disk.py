"""A disk that is full: shares are refused, none is lost, and the pool goes on when there is space again."""

import os
import subprocess

import pytest
from harness import Job, Pool, eventually, problem
from journals import shares_of

SIZE_MB = 24


@pytest.fixture
def small_disk(tmp_path):
    """A small disk of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.fail(
            f"a small disk cannot be mounted ({done.stderr.strip()}). Run this test as root, or in a namespace of "
            "your own: unshare --map-root-user --mount tests/all"
        )
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk):
    """Uses up all space. Gives the file that holds it."""
    filler = disk / "filler"
    with open(filler, "wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1 << 8):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass
    assert os.statvfs(disk).f_bavail == 0
    return filler


def mine_until_refused(miner, acknowledged, batches=2000):
    """Submits shares until the pool refuses; notes those that it accepts. Gives the refusal."""
    for _ in range(batches):
        answer = miner.fetch()
        if answer.status == 503:
            return answer
        assert answer.status == 200, answer
        job = Job(answer.json)
        found = [job.find(block=False) for _ in range(100)]
        answer = miner.submit(*(share for share, _ in found))
        if answer.status != 200:
            return answer
        for (share, share_id), verdict in zip(found, answer.json["results"]):
            if verdict["verdict"] == "accepted":
                acknowledged[share_id] = verdict["sequence"]
            else:
                assert verdict["reason"] == "stale", verdict
    raise AssertionError("the disk is full, and still shares are accepted")


def test_a_full_disk_refuses_shares_and_an_emptied_one_takes_them(small_disk, tmp_path):
    with Pool(data_dir=small_disk / "data", log_path=tmp_path / "pool.log", chain__devnet_block_hashes=10**9) as pool:
        miner = pool.miner("//Full")
        pool.must_control("miner_manager", "set_share_difficulty", hotkey=miner.hotkey, difficulty=1e-9)
        acknowledged = {}
        miner_job = miner.job()
        share, share_id = miner_job.find(block=False)
        (verdict,) = miner.verdicts(share)
        acknowledged[share_id] = verdict["sequence"]

        filler = fill(small_disk)
        refusal = mine_until_refused(miner, acknowledged)
        problem(refusal, 503, "unavailable")
        assert "retry-after" in refusal.headers, refusal.headers
        assert pool.is_alive()
        assert pool.get("/healthz").status == 200
        problem(pool.get("/readyz"), 503, "not_ready")
        # Reading goes on, and so do verdicts that need no disk.
        assert pool.get("/v1/pool").json["ledger_sum_sats"] == 0
        assert pool.get(f"/v1/miners/{miner.hotkey}").status == 200
        low, _ = miner_job.find(above_target=True)
        (verdict,) = miner.verdicts(low)
        assert verdict["reason"] in ("low_difficulty", "stale"), verdict
        # Other writes are refused in the same words and do nothing.
        stranger = pool.control("reward_distributor", "set_fee", fee_bps=5000)
        assert stranger.status == 503, stranger
        assert pool.pool()["fee_bps"] == 100
        # But a ban and a pause hold at once, and say that they are not saved.
        banned = pool.must_control("miner_manager", "ban", hotkey=miner.hotkey, reason="on a full disk")
        assert banned["banned"] is True and banned["saved"] is False, banned
        problem(miner.submit(low), 403, "banned")
        assert pool.must_control("paymaster", "pause") == {"paused": True, "saved": False}

        # What was refused may come again as soon as there is space.
        filler.unlink()

        def taken():
            answer = miner.fetch()
            if answer.status != 200:
                return False
            share, share_id = Job(answer.json).find(block=False)
            answer = miner.submit(share)
            if answer.status != 200 or answer.json["results"][0]["verdict"] != "accepted":
                return False
            acknowledged[share_id] = answer.json["results"][0]["sequence"]
            return True

        eventually("the ban is saved", lambda: pool.control("miner_manager", "unban", hotkey=miner.hotkey).status == 200, secs=40)
        trail = [(row["message"], row["outcome"]) for row in pool.audit()["audit"]]
        # The row came with the ban: what the trail has is saved.
        assert any(message == "ban" and outcome.get("done", {}).get("banned") is True for message, outcome in trail), trail
        eventually("shares are taken again", taken, secs=40)
        eventually("the pool is ready again", lambda: pool.get("/readyz").status == 200, secs=40)
        assert "panicked" not in pool.log()
        pool.must_control("reward_distributor", "set_fee", fee_bps=200)

        accepted = pool.pool()["shares"]["accepted"]
        assert accepted == len(acknowledged) == max(acknowledged.values())
        pool.restart(kill=True)
        assert pool.pool()["shares"]["accepted"] == len(acknowledged)
        assert pool.pool()["fee_bps"] == 200
        check_ledger(pool, acknowledged)


def check_ledger(pool, acknowledged):
    """Every acknowledged share is in the ledger's file, at its sequence."""
    import sqlite3

    pool.stop()
    with sqlite3.connect(pool.data_dir / "dwarves.db") as db:
        stored = {share.hash[::-1].hex(): share.sequence for share in shares_of(db)}
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert stored == acknowledged


def test_a_block_found_on_a_full_disk_does_not_break_the_books(small_disk, tmp_path):
    with Pool(data_dir=small_disk / "data", log_path=tmp_path / "pool.log", chain__devnet_block_hashes=20_000) as pool:
        miner = pool.miner("//Full")
        pool.must_control("miner_manager", "set_share_difficulty", hotkey=miner.hotkey, difficulty=1e-9)
        miner.block()
        job = miner.job()
        filler = fill(small_disk)
        acknowledged = {}
        mine_until_refused(miner, acknowledged)
        # So many that the chain's own file, which lies on the same disk, finds no space either.
        for _ in range(25):
            share, _ = job.find(block=True)
            answer = miner.submit(share)
            assert answer.status == 503 or answer.json["results"][0]["verdict"] in ("rejected", "accepted"), answer
        assert pool.is_alive(), pool.log()[-2000:]
        filler.unlink()
        eventually("the pool is ready again", lambda: pool.get("/readyz").status == 200, secs=60)

        def mined():
            answer = miner.fetch()
            return answer.status == 200 and miner.block()

        eventually("blocks are found again", mined, secs=60)
        eventually("a round closes", lambda: pool.get("/v1/rounds").json["rounds"], secs=20)
        assert pool.pool()["ledger_sum_sats"] == 0
        pool.restart(kill=True)
        miner.block()
        assert pool.pool()["ledger_sum_sats"] == 0


def test_a_start_on_a_full_disk_says_why_and_a_later_one_works(small_disk, tmp_path):
    filler = fill(small_disk)
    pool = Pool(data_dir=small_disk / "data", log_path=tmp_path / "pool.log")
    pool.spawn()
    process, pool.process = pool.process, None
    assert process.wait(20) == 1, pool.log()
    assert "panicked" not in pool.log()
    assert "error:" in pool.log() and str(small_disk) in pool.log(), pool.log()
    filler.unlink()
    with pool:
        pool.miner().accepted()
