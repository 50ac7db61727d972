"""Payouts that somebody else sends: an evaluated pool's emission, exported, verified, marked paid, through kill -9; and weights."""

import csv
import importlib.util
import io
import json
import subprocess
import sys

import pytest
from harness import ROOT, Pool, binary, environment
from test_evaluated import Evaluator, evaluated, submit

PROGRAM = ROOT / "clients/python/verify_batch.py"

spec = importlib.util.spec_from_file_location("verify_batch", PROGRAM)
verifier = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verifier)


def settings(evaluator, **more):
    return evaluated(evaluator.url, payouts__threshold_sats="1000", **more)


def earn(pool, losses, prefix="//Batch"):
    """Lets miners submit work of these losses, and closes a round. Returns the miners."""
    miners = [pool.miner(f"{prefix}{n}") for n in range(len(losses))]
    for miner, loss in zip(miners, losses):
        submit(miner, {"loss": loss})
    pool.must_control("reward_distributor", "distribute_now")
    return miners


def balances(miner):
    told = miner.pool.get(f"/v1/miners/{miner.hotkey}").json["balance_sats"]
    return told["payable"], told["in_flight"], told["paid"]


def as_admin(pool, path):
    answer = pool.get(path, headers={"Authorization": f"Bearer {pool.admin_token()}"})
    assert answer.status == 200, answer
    return answer


def signed_batch(pool, name):
    return as_admin(pool, f"/v1/admin/batches/{name}").body


def states(pool, name):
    rows = as_admin(pool, f"/v1/admin/batches/{name}/payouts").json["payouts"]
    return [(row["state"], row["reference"]) for row in rows]


def refusal(pool, message, **fields):
    answer = pool.control("payout_exporter", message, **fields)
    return answer.status, answer.json["code"]


def dwarves(pool, *args):
    command = [binary(), *args, "--data-dir", str(pool.data_dir)]
    return subprocess.run(command, env=environment(pool.settings), capture_output=True, check=True, timeout=60)


def test_what_is_earned_is_exported_signed_paid_and_never_twice(tmp_path):
    with Evaluator() as evaluator, Pool(**settings(evaluator)) as pool:
        miners = earn(pool, (0.5, 0.25, 1, 999))
        # The fourth is owed less than is paid at once: it carries over.
        assert [balances(miner)[0] for miner in miners] == [285673, 571347, 142837, 143]
        done = pool.must_control("payout_exporter", "export", batch="one")
        assert (done["is_new"], done["payouts"], done["total_sats"]) == (True, 3, 999857)
        assert done["held"] == {"below_threshold": {"miners": 1, "amount_sats": 143}}
        first = signed_batch(pool, "one")
        pool.kill()
        pool.start()
        assert signed_batch(pool, "one") == first, "the same bytes, also after kill -9"
        again = pool.must_control("payout_exporter", "export", batch="one")
        assert (again["is_new"], again["digest"]) == (False, done["digest"])
        assert signed_batch(pool, "one") == first
        batch = verifier.check(json.loads(first), pool.hotkey)
        # A pool without payout addresses pays hotkeys, the greatest amount first.
        paid = [(payout["hotkey"], payout["address"], payout["amount"]) for payout in batch["payouts"]]
        order = [miners[1], miners[0], miners[2]]
        assert paid == [(m.hotkey, m.hotkey, a) for m, a in zip(order, ("571347", "285673", "142837"))]
        assert (batch["unit"], batch["decimals"], batch["previous"]) == ("TAO", "9", "")
        assert [balances(miner)[:2] for miner in miners] == [(0, 285673), (0, 571347), (0, 142837), (143, 0)]

        table = as_admin(pool, "/v1/admin/batches/one?format=csv")
        rows = verifier.check_csv(table.body.decode(), table.headers["x-signature"], pool.hotkey)
        assert table.headers["x-signer"] == pool.hotkey
        assert [(row["payout"], row["amount"], row["amount_in_units"]) for row in rows][0] == ("1", "571347", "0.000571347")
        with pytest.raises(verifier.Invalid, match="signature"):
            verifier.check_csv(table.body.decode().replace("571347", "571348"), table.headers["x-signature"], pool.hotkey)
        with pytest.raises(verifier.Invalid, match="signature"):
            answer = json.loads(first)
            verifier.check({**answer, "text": answer["text"].replace("571347", "571348")}, pool.hotkey)

        # The command reads the same bytes from the ledger, and the program verifies both files.
        printed = dwarves(pool, "batch", "one").stdout
        assert printed.strip() == first.strip()
        (tmp_path / "one.json").write_bytes(printed)
        told = dwarves(pool, "batch", "one", "--format", "csv")
        assert told.stdout == table.body
        (tmp_path / "one.csv").write_bytes(told.stdout)
        signature = told.stderr.decode().split()[-1]
        for args in (["one.json", pool.hotkey], ["one.csv", pool.hotkey, signature]):
            run = subprocess.run([sys.executable, PROGRAM, *args], cwd=tmp_path, capture_output=True, text=True, timeout=60)
            assert run.returncode == 0, run
            assert [json.loads(line)["amount"] for line in run.stdout.splitlines()] == ["571347", "285673", "142837"]

        # Sent, marked, killed: the mark stays, and once more changes nothing.
        done = pool.must_control("payout_exporter", "mark_paid", batch="one", reference="0xabc")
        assert (done["marked"], done["total_sats"]) == (3, 999857)
        pool.kill()
        pool.start()
        assert states(pool, "one") == [("paid", "0xabc")] * 3
        assert pool.must_control("payout_exporter", "mark_paid", batch="one", reference="0xabc")["marked"] == 0
        assert [balances(miner) for miner in miners][:2] == [(0, 0, 285673), (0, 0, 571347)]
        assert refusal(pool, "mark_paid", batch="one", reference="0xdef") == (409, "already_paid")
        assert refusal(pool, "unmark_paid", batch="one", reference="0xdef") == (409, "other_reference")
        assert refusal(pool, "mark_paid", batch="two", reference="0xabc") == (404, "batch_unknown")
        assert refusal(pool, "mark_paid", batch="one", reference="0xabc", payouts=[9]) == (404, "payout_unknown")
        assert refusal(pool, "mark_paid", batch="one", reference="a b") == (422, "control_field_invalid")
        assert refusal(pool, "give_back", batch="one") == (409, "was_paid")
        assert refusal(pool, "export", batch="two") == (409, "nothing_due")
        mine = miners[1].pool.get(f"/v1/miners/{miners[1].hotkey}/payouts").json["payouts"][0]
        assert (mine["state"], mine["batch"], mine["reference"], mine["txid"]) == ("paid", "one", "0xabc", None)

        history = list(csv.DictReader(io.StringIO(dwarves(pool, "export", "payouts").stdout.decode(), newline="")))
        assert [(row["state"], row["batch"], row["reference"]) for row in history] == [("paid", "one", "0xabc")] * 3

        # One of them was not sent after all; the signed bytes stay what they are.
        pool.must_control("payout_exporter", "unmark_paid", batch="one", reference="0xabc", payouts=[2])
        assert states(pool, "one") == [("paid", "0xabc"), ("exported", None), ("paid", "0xabc")]
        assert balances(miners[0]) == (0, 285673, 0)
        assert refusal(pool, "give_back", batch="one", payouts=[2]) == (409, "was_paid")
        pool.must_control("payout_exporter", "mark_paid", batch="one", reference="0xdef", payouts=[2])
        assert signed_batch(pool, "one") == first

        # What comes next is in another batch, which follows the first, and may be given back while nobody sent it.
        for miner in miners[:2]:
            submit(miner, {"loss": 0.125})
        pool.must_control("reward_distributor", "distribute_now")
        pool.must_control("payout_exporter", "export", batch="two")
        verifier.check(json.loads(signed_batch(pool, "two")), pool.hotkey, json.loads(first))
        flying = balances(miners[0])
        assert flying[0] == 0 and flying[1] > 0
        pool.must_control("payout_exporter", "give_back", batch="two")
        assert balances(miners[0]) == (flying[1], 0, 285673)
        assert refusal(pool, "mark_paid", batch="two", reference="x") == (409, "given_back")
        listed = as_admin(pool, "/v1/admin/batches").json["batches"]
        assert [(b["batch"], b["exported"], b["paid"]) for b in listed] == [("two", 0, 0), ("one", 0, 3)]
        assert listed[0]["cancelled"] == listed[0]["payouts"]
        state = as_admin(pool, "/v1/admin/state").json
        assert state["books"]["difference_sats"] == 0
        assert state["payouts"]["by_export"] is True and state["payouts"]["next_plan_at"] is None
        trail = as_admin(pool, "/v1/admin/audit").json["audit"]
        assert {"export", "mark_paid", "unmark_paid", "give_back"} <= {row["message"] for row in trail}


def test_batches_are_for_operators_and_of_pools_without_a_wallet():
    with Pool() as pool:
        assert pool.get("/v1/admin/batches").status == 401
        assert as_admin(pool, "/v1/admin/batches").json == {"batches": [], "next_cursor": None}
        answer = pool.control("payout_exporter", "export", batch="one")
        assert (answer.status, answer.json["code"]) == (409, "control_refused")
        assert "wallet" in answer.json["detail"]
        assert pool.get("/v1/admin/weights").status == 401


def bittensors_weights(amounts):
    """`convert_weights_and_uids_for_emit` of bittensor, as it is written there, in floats."""
    largest = float(max(amounts.values()))
    scaled = {uid: round(float(amount) / largest * 65_535) for uid, amount in sorted(amounts.items())}
    return {uid: weight for uid, weight in scaled.items() if weight}


def test_weights_are_those_that_validators_set(tmp_path):
    metagraph = tmp_path / "metagraph.json"
    more = {"bittensor__metagraph": json.dumps(str(metagraph)), "bittensor__version_key": "10005000"}
    with Evaluator() as evaluator, Pool(**settings(evaluator, **more)) as pool:
        answer = pool.get("/v1/admin/weights", headers={"Authorization": f"Bearer {pool.admin_token()}"})
        assert (answer.status, answer.json["code"]) == (404, "round_unknown")
        miners = earn(pool, (0.5, 0.25, 1, 50_000), prefix="//Weights")
        answer = pool.get("/v1/admin/weights", headers={"Authorization": f"Bearer {pool.admin_token()}"})
        assert (answer.status, answer.json["code"]) == (409, "metagraph_unusable")
        rows = [{"uid": uid, "hotkey": miner.hotkey} for uid, miner in zip((7, 3, 65_535), (miners[0], miners[1], miners[3]))]
        metagraph.write_text(json.dumps({"netuid": 14, "block": 5, "neurons": rows}))
        told = as_admin(pool, "/v1/admin/weights").json
        earned = {m.hotkey: sum(balances(m)) for m in miners}
        amounts = {row["uid"]: earned[row["hotkey"]] for row in rows}
        assert dict(zip(told["uids"], told["weights"])) == bittensors_weights(amounts)
        assert told["uids"] == [3, 7] and max(told["weights"]) == 65_535, "what rounds to 0 is dropped"
        assert told["without_uid"] == [{"hotkey": miners[2].hotkey, "amount_sats": earned[miners[2].hotkey]}]
        assert (told["version_key"], told["netuid"], told["block"]) == (10005000, 14, 5)
        assert (told["first_round"], told["last_round"]) == (1, 1)
        submit(miners[1], {"loss": 0.1})
        pool.must_control("reward_distributor", "distribute_now")
        both = as_admin(pool, "/v1/admin/weights?rounds=2").json
        assert (both["first_round"], both["last_round"]) == (1, 2)
        amounts = {row["uid"]: sum(balances(m)) for row, m in zip(rows, (miners[0], miners[1], miners[3]))}
        assert dict(zip(both["uids"], both["weights"])) == bittensors_weights(amounts)
        assert as_admin(pool, "/v1/admin/weights?through=1").json == told
        table = as_admin(pool, "/v1/admin/weights?rounds=2&format=csv").body.decode()
        rows = list(csv.DictReader(io.StringIO(table)))
        assert [(int(row["uid"]), int(row["weight"])) for row in rows] == list(zip(both["uids"], both["weights"]))
        assert json.loads(dwarves(pool, "weights", "--rounds", "2").stdout) == both
        printed = dwarves(pool, "weights", "--rounds", "2", "--format", "csv").stdout.decode()
        assert printed == table
        for query in ("rounds=0", "rounds=101", "rounds=x", "through=x"):
            answer = pool.get(f"/v1/admin/weights?{query}", headers={"Authorization": f"Bearer {pool.admin_token()}"})
            assert (answer.status, answer.json["code"]) == (400, "query_invalid"), query
        answer = pool.get("/v1/admin/weights?through=9", headers={"Authorization": f"Bearer {pool.admin_token()}"})
        assert (answer.status, answer.json["code"]) == (404, "round_unknown")
