"""`dwarves export`: every row once, as the API shows it, beside a running pool; the same bytes again."""

import csv
import io
import json
import subprocess
import time

import pytest
from harness import PAYING, Pool, binary, environment, eventually
from terminal import run_in_terminal

TABLES = ("shares", "credits", "payouts", "rounds", "blocks")


def export(pool, table, *arguments, **kwargs):
    done = subprocess.run(
        [binary(), "export", table, "--data-dir", pool.data_dir, *map(str, arguments)], cwd=pool.data_dir,
        env=environment({}), stdin=subprocess.DEVNULL, capture_output=True, timeout=60, **kwargs,
    )
    assert done.returncode == 0 and b"panicked" not in done.stderr, done
    assert done.stderr == b"", "nothing but what went wrong, where nobody watches"
    return done.stdout.decode()


def rows(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.fixture(scope="module")
def quiet():
    """A pool with shares of several workers, blocks, rounds, credits and a payout, of which nothing moves any more."""
    with Pool(**PAYING) as pool:
        miner = pool.miner()
        miner.register(payout_address="bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080")
        other = pool.miner("//Other")

        def paid():
            miner.accepted(block=True)
            other.accepted(worker="rig-2", block=False)
            return pool.get(f"/v1/miners/{miner.hotkey}").json["balance_sats"]["paid"]

        eventually("a payout is deep", paid)
        pool.must_control("reward_distributor", "pause")
        pool.must_control("paymaster", "pause")
        time.sleep(0.5)
        pool.first, pool.second = miner, other
        yield pool


def test_every_table_is_the_same_in_both_formats_and_has_the_same_bytes_again(quiet):
    for table in TABLES:
        text = export(quiet, table)
        assert text.endswith("\r\n") and text == export(quiet, table)
        table_rows = rows(text)
        objects = [json.loads(line) for line in export(quiet, table, "--format", "jsonl").splitlines()]
        assert len(table_rows) == len(objects) > 0, table
        for row, one in zip(table_rows, objects, strict=True):
            assert list(row) == list(one), table
            shown = ["" if value is None else json.dumps(value) if isinstance(value, bool) else str(value) for value in one.values()]
            numbers = [isinstance(value, float) for value in one.values()]
            for cell, value, is_float in zip(row.values(), shown, numbers, strict=True):
                assert float(cell) == float(value) if is_float else cell == value, (table, row, one)
    # And again without a pool.
    before = {table: export(quiet, table) for table in TABLES}
    assert quiet.stop() == 0
    assert {table: export(quiet, table) for table in TABLES} == before
    quiet.start()


def test_rows_are_what_the_api_shows(quiet):
    shares = rows(export(quiet, "shares"))
    assert [int(row["sequence"]) for row in shares] == list(range(1, len(shares) + 1))
    assert len(shares) == quiet.pool()["shares"]["accepted"]
    assert {(row["hotkey"], row["worker"]) for row in shares} == {
        (quiet.first.hotkey, "default"), (quiet.second.hotkey, "rig-2"),
    }
    blocks = {block["hash"]: block for block in quiet.get("/v1/blocks?limit=100").json["blocks"]}
    assert {row["hash"] for row in shares if row["is_block"] == "true"} == set(blocks)
    for row in rows(export(quiet, "blocks")):
        block = blocks[row["hash"]]
        assert row["state"] == block["state"] and int(row["reward_sats"]) == block["reward_sats"]
        assert row["found_at"] == block["found_at"] and row["found_by"] == block["found_by"]
    rounds = quiet.get("/v1/rounds?limit=100").json["rounds"]
    assert [int(row["id"]) for row in rows(export(quiet, "rounds"))] == sorted(row["id"] for row in rounds)
    credits = rows(export(quiet, "credits"))
    for miner in (quiet.first, quiet.second):
        told = quiet.get(f"/v1/miners/{miner.hotkey}/credits?limit=100").json["credits"]
        mine = [row for row in credits if row["hotkey"] == miner.hotkey]
        assert [(int(row["round_id"]), int(row["amount_sats"]), row["units"]) for row in mine] == [
            (credit["round_id"], credit["amount_sats"], credit["units"]) for credit in reversed(told)
        ]
    paid = quiet.get(f"/v1/miners/{quiet.first.hotkey}/payouts?limit=100").json["payouts"]
    assert [(int(row["payout_id"]), row["txid"], int(row["amount_sats"])) for row in rows(export(quiet, "payouts"))] == [
        (payout["payout_id"], payout["txid"], payout["amount_sats"]) for payout in reversed(paid)
    ]


def test_periods_part_the_rows_without_gap_or_overlap(quiet):
    for table, column in [("shares", "at"), ("blocks", "found_at"), ("rounds", "closed_at"), ("credits", "closed_at"), ("payouts", "reserved_at")]:
        whole = rows(export(quiet, table))
        middle = whole[len(whole) // 2][column]
        before, after = rows(export(quiet, table, "--to", middle)), rows(export(quiet, table, "--from", middle))
        assert before + after == whole if table != "blocks" else len(before) + len(after) == len(whole), table
        assert all(row[column] < middle for row in before) and all(row[column] >= middle for row in after)
    assert rows(export(quiet, "shares", "--to", "2020-01-01")) == []
    assert rows(export(quiet, "shares", "--from", "2100-01-01")) == []
    today = rows(export(quiet, "shares"))[0]["at"][:10]
    assert rows(export(quiet, "shares", "--from", today)) != []


def test_a_text_is_no_formula(quiet):
    # The API lets nobody name a worker so; the ledger's other writers may: an operator's note, a tool.
    quiet.must_control("pool_manager", "status")
    worker = quiet.miner("//Formula")
    worker.accepted(worker="-1.2", block=False)
    assert [row["worker"] for row in rows(export(quiet, "shares"))][-1] == "'-1.2"
    last = export(quiet, "shares", "--format", "jsonl").splitlines()[-1]
    assert json.loads(last)["worker"] == "-1.2", "JSON has no formulas"


def test_mistakes_are_told_and_a_reader_that_had_enough_is_no_failure(quiet):
    for arguments in (["shares", "--from", "yesterday"], ["moons"], ["shares", "--format", "xls"]):
        done = subprocess.run([binary(), "export", *arguments], cwd=quiet.data_dir, env=environment({}), capture_output=True)
        assert done.returncode == 2, done
    done = subprocess.run(
        [binary(), "export", "shares", "--data-dir", quiet.data_dir, "--from", "2026-01-02", "--to", "2026-01-01"],
        cwd=quiet.data_dir, env=environment({}), capture_output=True, text=True,
    )
    assert done.returncode == 1 and "--from must lie before --to" in done.stderr, done
    piped = f"'{binary()}' export shares --data-dir '{quiet.data_dir}' | head -n 1; test ${{PIPESTATUS[0]}} -eq 0"
    done = subprocess.run(["bash", "-c", piped], cwd=quiet.data_dir, env=environment({}), capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("sequence,") and done.stderr == "", done


def test_a_terminal_sees_the_rows_alone_once_it_is_done(quiet):
    code, terminal = run_in_terminal("export", "rounds", "--data-dir", quiet.data_dir, cwd=quiet.data_dir, columns=200)
    assert code == 0 and "closed_at" in terminal.text
