"""Numbers of different routes against each other, and against what miners did: nothing that is shown is made up."""

import ast
import datetime
import glob
import math
import operator
import subprocess
import time
from decimal import Decimal
from fractions import Fraction

import pytest
from harness import Pool, binary, eventually

LIBRARIES = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") + glob.glob("/usr/lib/faketime/libfaketimeMT.so.1")
DAY = 86_400
SUBSIDY = 5_000_000_000

# Shares take some four hashes and are all of one difficulty; no block is found by chance.
STEADY = {
    "work.max_difficulty": "0.000000001",
    "chain.devnet_block_hashes": "1000000000000",
}
HASHES = 1e-9 * 2**32


def rows(pool, path, name):
    found, cursor = [], None
    while True:
        answer = pool.get(f"{path}?limit=100" + (f"&cursor={cursor}" if cursor else ""))
        assert answer.status == 200, answer
        found += answer.json[name]
        cursor = answer.json["next_cursor"]
        if cursor is None:
            return found


def test_what_miners_are_told_of_their_shares_is_what_they_did():
    """Accepted and refused shares, by worker, by miner, of the pool, over time, and one by one."""
    with Pool(**STEADY) as pool:
        alice, bob = pool.miner("//ReadsAlice"), pool.miner("//ReadsBob")
        begin = time.time()
        done = {(alice, "one"): 9, (alice, "two"): 5, (bob, "rig"): 7}
        for (miner, worker), shares in done.items():
            for _ in range(shares):
                miner.accepted(worker)
        refused = {(alice, "one"): {"low_difficulty": 2, "duplicate": 1}, (alice, "two"): {}, (bob, "rig"): {"low_difficulty": 1}}
        for (miner, worker), reasons in refused.items():
            for _ in range(reasons.get("low_difficulty", 0)):
                share, _ = miner.job(worker).find(above_target=True)
                assert miner.verdicts(share, worker=worker)[0]["reason"] == "low_difficulty"
            for _ in range(reasons.get("duplicate", 0)):
                share, _, _ = miner.accepted(worker)
                done[miner, worker] += 1
                assert miner.verdicts(share, worker=worker)[0]["reason"] == "duplicate"
        known = {}
        for miner in (alice, bob):
            told = miner.status()
            mine = {worker: shares for (of, worker), shares in done.items() if of is miner}
            workers = {one["name"]: one for one in told["workers"] if one["shares"] > 0}
            assert {name: one["shares"] for name, one in workers.items()} == mine
            assert told["shares"]["accepted"] == sum(mine.values())
            for name, one in workers.items():
                expected = refused[miner, name]
                assert {reason: n for reason, n in one["rejected"].items() if n} == expected
                assert 0 <= one["last_share_age_secs"] <= time.time() - begin + 1
                assert [rate["window_secs"] for rate in one["hashrates"]] == [600, 3_600, DAY]
                for rate in one["hashrates"]:
                    # It began a moment ago: the time before does not count, and the error says how little is known.
                    assert rate["over_secs"] <= max(10, time.time() - begin + 61), rate
                    assert rate["hashrate"] * rate["over_secs"] == pytest.approx(mine[name] * HASHES, rel=0.12)
                    assert rate["error"] == pytest.approx(1 / math.sqrt(mine[name]))
            for reason, n in told["shares"]["rejected"].items():
                assert n == sum(one["rejected"][reason] for one in workers.values())
            known[miner.hotkey] = told
        # The pool's rates may be half a second old.
        whole = eventually("the pool's rates", lambda: (told := pool.pool())["share_rate"] * told["hashrates"][0]["over_secs"] > sum(done.values()) * 0.88 and told)
        assert whole["shares"]["accepted"] == sum(one["shares"]["accepted"] for one in known.values()) == sum(done.values())
        for reason, n in whole["shares"]["rejected"].items():
            assert n == sum(one["shares"]["rejected"][reason] for one in known.values()), reason
        rate = whole["hashrates"][0]
        assert whole["share_rate"] * rate["over_secs"] == pytest.approx(sum(done.values()), rel=0.12)
        assert whole["effort_percentile"] == pytest.approx(1 - math.exp(-whole["round_effort"]))
        # Each share by itself.
        shares = [pool.get(f"/v1/shares/{n + 1}").json for n in range(sum(done.values()))]
        for (miner, worker), n in done.items():
            assert len([one for one in shares if (one["hotkey"], one["worker"]) == (miner.hotkey, worker)]) == n
        for miner, path in [(None, "/v1/pool/history"), (alice, None), (bob, None)]:
            history = pool.get(path or f"/v1/miners/{miner.hotkey}/history").json["points"]
            units = sum(Decimal(one["units"]) for one in shares if miner is None or one["hotkey"] == miner.hotkey)
            assert sum(Decimal(point["units"]) for point in history) == units
            if miner is not None:
                assert Decimal(known[miner.hotkey]["performance"]["units"]) == units
                assert known[miner.hotkey]["blocks"]["expected"] == pytest.approx(float(units))


OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


def reckon(formula, names):
    """A formula of a worked example, in exact fractions."""

    def of(node):
        if isinstance(node, ast.BinOp):
            return OPERATORS[type(node.op)](of(node.left), of(node.right))
        if isinstance(node, ast.Constant):
            return Fraction(node.value)
        if isinstance(node, ast.Name):
            return names[node.id]
        assert isinstance(node, ast.Call), ast.dump(node)
        call = {"floor": lambda value: Fraction(math.floor(value)), "min": min, "max": max}[node.func.id]
        return call(*map(of, node.args))

    return of(ast.parse(formula, mode="eval").body)


def check_example(pool, hotkey, round_id):
    """Reckons an amount again, step by step. Gives it, or None if the round credited nothing."""
    answer = pool.get(f"/v1/miners/{hotkey}/rounds/{round_id}")
    if answer.status == 404:
        return None
    assert answer.status == 200, answer
    example, names = answer.json, {}
    for step in example["steps"]:
        names |= {name: Fraction(value) for name, value in step["values"].items()}
        names[step["name"]] = reckon(step["formula"], names)
        assert names[step["name"]] == Fraction(step["result"]), (step, names)
    assert names[example["steps"][-1]["name"]] == example["amount_sats"]
    return example["amount_sats"]


def check_rounds(pool, hotkeys):
    """Rounds add up to their credits, credits to balances, and every amount comes out again."""
    credits = {hotkey: rows(pool, f"/v1/miners/{hotkey}/credits", "credits") for hotkey in hotkeys}
    credited = [one for one in rows(pool, "/v1/rounds", "rounds") if one["credited_sats"]]
    assert len(credited) >= 2
    checked = 0
    for one in credited:
        assert one["reward_sats"] == one["fee_sats"] + one["credited_sats"] + one["kept_sats"], one
        details = pool.get(f"/v1/rounds/{one['id']}").json
        assert {key: details[key] for key in one} == one
        assert sum(credit["amount_sats"] for credit in details["credits"]) == one["credited_sats"]
        for hotkey in hotkeys:
            of_round = sum(credit["amount_sats"] for credit in details["credits"] if credit["hotkey"] == hotkey)
            mine = sum(credit["amount_sats"] for credit in credits[hotkey] if (credit["round_id"], credit["kind"]) == (one["id"], "credit"))
            assert mine == of_round
            if of_round:
                assert check_example(pool, hotkey, one["id"]) == of_round
                checked += 1
    assert checked >= 2, "amounts that were reckoned again"
    for hotkey in hotkeys:
        balances = pool.get(f"/v1/miners/{hotkey}").json["balance_sats"]
        assert sum(balances.values()) == sum(one["amount_sats"] for one in credits[hotkey])
    return credits


def check_earnings(pool, hotkey, scheme, credits, fee_bps):
    """Yesterday's earnings are its credits, and what was to be expected follows from its work."""
    (yesterday,) = [one for one in pool.get(f"/v1/miners/{hotkey}/earnings").json["periods"] if one["name"] == "yesterday"]
    inside = [one for one in credits if yesterday["from"] <= one["closed_at"] < yesterday["to"]]
    assert len(inside) == len(credits) >= 1, "all of it was yesterday"
    earned = sum(one["amount_sats"] for one in inside)
    assert yesterday["earned_sats"] == earned > 0

    def units(path):
        points = pool.get(f"{path}/history?resolution=day&from={yesterday['from']}&to={yesterday['to']}").json["points"]
        return sum(float(point["units"]) for point in points if point["at"] == yesterday["from"])

    mine, all_ = units(f"/v1/miners/{hotkey}"), units("/v1/pool")
    found = [one for one in rows(pool, "/v1/blocks", "blocks") if one["state"] not in ("orphaned", "refused")]
    assert yesterday["blocks"] == len(found) and yesterday["expected_blocks"] == pytest.approx(all_)
    assert not yesterday["is_cut"]
    if scheme in ("pps", "fpps"):
        # Every share is paid its worth: there is no luck in it. What it is worth on the devnet is the subsidy.
        assert yesterday["expected_sats"] == earned and yesterday["spread_sats"] == 0
        assert earned == pytest.approx(mine * SUBSIDY * (1 - fee_bps / 10_000), abs=2)
        return
    block = sum(one["reward_sats"] for one in found) / len(found) * (1 - fee_bps / 10_000)
    spread = block * math.sqrt(mine) if scheme == "solo" else mine * block / math.sqrt(all_)
    assert yesterday["expected_sats"] == pytest.approx(mine * block, abs=1)
    assert yesterday["spread_sats"] == pytest.approx(spread, abs=1)


@pytest.mark.parametrize("scheme", ["pplns", "proportional", "solo", "pps", "fpps"])
def test_rounds_credits_and_earnings_add_up_and_every_amount_comes_out_again(tmp_path, monkeypatch, scheme):
    assert LIBRARIES, "libfaketime is missing: apt-get install faketime"
    offset = tmp_path / "offset"

    def noon(days_ago):
        """Sets the clock of all processes that begin from now on to noon (UTC) of a day."""
        now = datetime.datetime.now(datetime.timezone.utc)
        wanted = now.replace(hour=12, minute=0, second=0) - datetime.timedelta(days=days_ago)
        offset.write_text(f"{int((wanted - now).total_seconds()):+d}\n")

    noon(1)
    monkeypatch.setenv("LD_PRELOAD", LIBRARIES[0])
    monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(offset))
    monkeypatch.setenv("DONT_FAKE_MONOTONIC", "1")
    settings = {
        "rewards.scheme": scheme,
        "rewards.fee_bps": "150",
        "rewards.window_units": '"0.5"' if scheme == "pplns" else "2",
        "work.start_difficulty": "0.0000002",
        "chain.devnet_block_hashes": "40000",
        # A day's absence is nothing to think about.
        "clock.tolerance_secs": str(2 * DAY),
    }
    with Pool(data_dir=tmp_path / "data", log_path=tmp_path / "pool.log", **settings) as pool:
        hotkeys, miners = [], []
        for name, hashes in (("fast", 30_000), ("slow", 10_000)):
            key = tmp_path / f"{name}.key"
            made = subprocess.run([binary(), "hotkey", "new", key], capture_output=True, text=True, check=True)
            words = (made.stdout + made.stderr).replace(".", " ").split()
            hotkeys.append(next(word for word in words if word.startswith("5") and len(word) == 48))
            command = [binary(), "mine", "--pool", pool.url, "--hotkey", key, "--worker", name, "--threads", "1", "--throttle", str(hashes)]
            miners.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL))
        try:
            credited = lambda hotkey: pool.get(f"/v1/miners/{hotkey}/credits").json.get("credits", [])  # noqa: E731
            eventually("both are credited, twice", lambda: all(len(credited(hotkey)) >= 2 for hotkey in hotkeys), 60)
        finally:
            for miner in miners:
                miner.terminate()
            for miner in miners:
                miner.wait(20)
        # Until a round has come after the last block and the last share.
        last = rows(pool, "/v1/rounds", "rounds")[0]["id"]
        eventually("the last rounds", lambda: rows(pool, "/v1/rounds", "rounds")[0]["id"] > last + 2)
        check_rounds(pool, hotkeys)
        assert pool.stop() == 0
        noon(0)
        pool.start()
        for hotkey in hotkeys:
            credits = rows(pool, f"/v1/miners/{hotkey}/credits", "credits")
            check_earnings(pool, hotkey, scheme, credits, 150)
