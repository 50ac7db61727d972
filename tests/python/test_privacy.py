"""Who sees what of a miner on a running pool, when the operator says that it is for its owner."""

import json

import pytest
from harness import PAYING, Pool, eventually, problem

PRIVATE = {"privacy.balances": "owner", "privacy.worker_names": "owner"}
NAME = "cellar-rig"


def pool_of(**privacy):
    return Pool(**{key.replace(".", "__"): value for key, value in {**PAYING, **privacy}.items()})


def with_money(pool):
    """Two miners with credits and a payout each. Gives them."""
    address = "bcrt1qqyqszqgpqyqszqgpqyqszqgpqyqszqgpvxat9t"
    miners = []
    for name in ("//Alice", "//Bob"):
        miner = pool.miner(name)
        assert miner.register(payout_address=address).status == 200
        miners.append(miner)

    def are_paid():
        for miner in miners:
            miner.accepted(NAME)
        return all(own(pool, miner, "/payouts")["payouts"] for miner in miners)

    eventually("both are paid", are_paid, secs=60)
    return miners


def own(pool, miner, rest=""):
    answer = pool.get(f"/v1/miners/{miner.hotkey}{rest}", miner.bearer())
    assert answer.status == 200, answer
    return answer.json


def operator(pool):
    return {"Authorization": f"Bearer {pool.admin_token()}"}


@pytest.fixture(scope="module")
def private():
    with pool_of(**PRIVATE) as pool:
        pool.alice, pool.bob = with_money(pool)
        yield pool


def test_money_and_names_are_for_the_owner_and_the_operator(private):
    path = f"/v1/miners/{private.alice.hotkey}"
    shown = own(private, private.alice)
    assert shown["balance_sats"] and shown["payout_address"] and "hidden" not in shown
    assert NAME in [worker["name"] for worker in shown["workers"]]
    for headers in ({}, private.bob.bearer(), {"Authorization": "Basic YTpi"}):
        answer = private.get(path, headers)
        assert answer.headers["vary"] == "authorization, cookie, x-bittensor-signature"
        assert answer.headers["cache-control"] == "no-store"
        told = answer.json
        assert told["balance_sats"] is None and told["payout_address"] is None and told["workers"] is None
        assert {"balance_sats", "payout_address", "workers"} <= set(told["hidden"])
        assert told["hashrate"] > 0 and told["shares"]["accepted"] > 0
        assert NAME not in answer.body.decode()
        for rest in ("/credits", "/payouts", "/earnings", "/credits?format=csv"):
            problem(private.get(path + rest, headers), 403, "hidden")
        problem(private.get(f"{path}/history?worker={NAME}", headers), 403, "hidden", "worker")
        assert private.get(f"{path}/history", headers).status == 200
    for headers in (operator(private), private.alice.sign("GET", path)):
        assert private.get(path, headers).json["balance_sats"] is not None


def test_a_round_and_a_payout_show_each_miner_its_own_part(private):
    credit = own(private, private.alice, "/credits")["credits"][-1]
    payout = next(one for one in own(private, private.alice, "/payouts")["payouts"] if one["txid"])
    for path, rows in ((f"/v1/rounds/{credit['round_id']}", "credits"), (f"/v1/payouts/{payout['txid']}", "parts")):
        mine = private.get(path, private.alice.bearer()).json
        assert {row["hotkey"] for row in mine[rows]} == {private.alice.hotkey}, mine
        everything = private.get(path, operator(private)).json
        assert "hidden" not in everything
        nobody = private.get(path).json
        assert nobody[rows] == [] and nobody["hidden"] == [rows]
        table = private.get(path + "?format=csv")
        assert table.headers["x-hidden"] == rows and len(table.body.splitlines()) == 1
        # What does not name a miner is as it was.
        assert {key: value for key, value in nobody.items() if key not in (rows, "hidden")} == {
            key: value for key, value in everything.items() if key not in (rows, "hidden")
        }
    why = f"/v1/miners/{private.alice.hotkey}/rounds/{credit['round_id']}"
    problem(private.get(why), 403, "hidden")
    problem(private.get(why, private.bob.bearer()), 403, "hidden")
    example = private.get(why, private.alice.bearer()).json
    assert example["amount_sats"] > 0 and private.bob.hotkey not in json.dumps(example["remainder"])


def test_a_share_and_a_block_name_no_worker(private):
    _, _, verdict = private.alice.accepted(NAME)
    path = f"/v1/shares/{verdict['sequence']}"
    nobody = private.get(path).json
    assert nobody["worker"] is None and nobody["hidden"] == ["worker"] and nobody["hotkey"] == private.alice.hotkey
    assert private.get(path, private.alice.bearer()).json["worker"] == NAME
    path = f"/v1/blocks/{private.alice.block(NAME)}"
    # The ledger has the block a moment after its share.
    nobody = eventually("the block is known", lambda: (got := private.get(path)).status == 200 and got.json)
    assert nobody["worker"] is None and nobody["hidden"] == ["worker"]
    assert private.get(path, operator(private)).json["worker"] == NAME


def test_the_pool_says_what_it_hides_and_wrong_proofs_are_told_so(private):
    assert private.pool()["privacy"] == {"balances": "owner", "worker_names": "owner"}
    path = f"/v1/miners/{private.alice.hotkey}"
    problem(private.get(path, {"Authorization": "Bearer junk"}), 401, "session_invalid")
    signed = private.alice.sign("GET", path)
    assert private.get(path, signed).status == 200
    problem(private.get(path, signed), 401, "replayed")
    other = private.alice.sign("GET", "/v1/pool")
    problem(private.get(path, other), 401, "signature_invalid")


def test_a_public_pool_asks_nobody_and_says_nothing_of_it():
    with Pool() as pool:
        miner = pool.miner()
        miner.accepted(NAME)
        path = f"/v1/miners/{miner.hotkey}"
        for headers in ({}, {"Authorization": "Bearer junk"}):
            answer = pool.get(path, headers)
            assert answer.status == 200 and "hidden" not in answer.json and "vary" not in answer.headers
            assert answer.json["balance_sats"] is not None
            assert NAME in [worker["name"] for worker in answer.json["workers"]]
        assert "privacy" not in pool.pool()


def test_each_setting_hides_its_own():
    for key, hidden in (("privacy.balances", "balance_sats"), ("privacy.worker_names", "workers")):
        with Pool(**{key.replace(".", "__"): "owner"}) as pool:
            miner = pool.miner()
            miner.accepted(NAME)
            told = pool.get(f"/v1/miners/{miner.hotkey}").json
            for field in ("balance_sats", "workers"):
                assert (told[field] is None) == (field == hidden), (key, field)
