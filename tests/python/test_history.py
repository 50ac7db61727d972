"""Charts and hashrates come from the ledger: a crash leaves no hole in them and doubles nothing."""

import time

from harness import Pool

# Shares take some four hashes and are all of one difficulty; no block is found by chance.
SETTINGS = {
    "work.start_difficulty": "0.000000001",
    "work.min_difficulty": "0.000000001",
    "work.max_difficulty": "0.000000001",
    "chain.devnet_block_hashes": "1000000000000",
    "limits.recent_shares_per_job_times": "0",
    "limits.recent_shares_per_miner_percent": "100",
    "rewards.run_interval_secs": "1",
}
HASHES = 1e-9 * 2**32


def steps(pool, miner, resolution):
    """The history of the pool, the miner and one worker."""
    of_miner = f"/v1/miners/{miner.hotkey}/history?resolution={resolution}"
    paths = [f"/v1/pool/history?resolution={resolution}", of_miner, f"{of_miner}&worker=rig"]
    return [pool.get(path).json for path in paths]


def accepted(history):
    return sum(point["accepted"] for point in history["points"])


def rates(answer):
    return {rate["window_secs"]: rate["hashrate"] for rate in answer.json["hashrates"]}


def test_after_a_kill_the_charts_have_no_hole_and_count_nothing_twice(tmp_path):
    with Pool(data_dir=tmp_path / "data", log_path=tmp_path / "pool.log", **SETTINGS) as pool:
        miner = pool.miner("//History")
        begin = time.time()
        shares = 0
        # Across the ten seconds after which shares come into the history, so that some are there and some are not.
        while time.time() < begin + 13:
            miner.accepted("rig")
            shares += 1
            time.sleep(0.2)
        assert shares > 20
        before = {resolution: [accepted(of) for of in steps(pool, miner, resolution)] for resolution in ("minute", "hour", "day")}
        assert before == dict.fromkeys(before, [shares] * 3)
        pool.restart(kill=True)
        span = time.time() - begin
        for resolution, expected in before.items():
            for history in steps(pool, miner, resolution):
                assert accepted(history) == expected[0]
                assert history["points"][-1]["is_open"]
        # The very first answers after the start are right.
        for answer in (pool.get("/v1/pool"), pool.get(f"/v1/miners/{miner.hotkey}")):
            for window, rate in rates(answer).items():
                assert 0.6 * shares * HASHES / span < rate < 1.4 * shares * HASHES / span, (window, rate, span)
        history = steps(pool, miner, "minute")[0]
        kinds = [mark["kind"] for mark in history["marks"]]
        assert kinds == ["pool_started", "pool_stopped", "pool_started"]
        # It goes on where it was.
        miner.accepted("rig")
        share, _ = miner.job("rig").find(above_target=True)
        (verdict,) = miner.verdicts(share, worker="rig")
        assert verdict["reason"] == "low_difficulty"
        for history in steps(pool, miner, "minute"):
            assert accepted(history) == shares + 1
        # A clean stop changes nothing, and saves what was refused.
        pool.restart()
        for resolution in before:
            for history in steps(pool, miner, resolution):
                assert accepted(history) == shares + 1
                assert sum(point["rejected"]["low_difficulty"] for point in history["points"]) == 1
