"""Statements of work, as a validator reads them: signed, exact, the same for ever, also through kill -9."""

import copy
import datetime
import importlib.util
import json
import subprocess
import sys
import time

import pytest
from bittensor.keyfiles import Keypair
from harness import ROOT, Pool, binary, environment, eventually

EPOCH = 2
PROGRAM = ROOT / "clients/python/verify_statement.py"

spec = importlib.util.spec_from_file_location("verify_statement", PROGRAM)
verifier = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verifier)


def begun(pool):
    """Waits until epochs have begun: shares of before are in none."""
    eventually("epochs begin", lambda: "epochs begin" in pool.log())


def mine(miner, worker, count):
    """Has so many shares of a worker accepted, and gives how many that were."""
    job = miner.job(worker)
    verdicts = miner.verdicts(*[job.find()[0] for _ in range(count)], worker=worker)
    return sum(verdict["verdict"] == "accepted" for verdict in verdicts)


def epochs(pool):
    """All statements, oldest first."""
    rows, cursor = [], ""
    while cursor is not None:
        page = pool.get("/v1/epochs?limit=7" + (f"&cursor={cursor}" if cursor else "")).json
        rows += page["epochs"]
        cursor = page["next_cursor"]
    return rows[::-1]


def statement(pool, id):
    answer = pool.get(f"/v1/epochs/{id}")
    assert answer.status == 200, answer
    return answer.json


def verified(pool):
    """All statements, each checked and following the one before."""
    before, stated = None, []
    for epoch in epochs(pool):
        answer = statement(pool, epoch["id"])
        stated.append(verifier.check(answer, pool.hotkey, before))
        before = answer
    return stated


def shares_of(stated):
    """How many shares each worker has in all statements."""
    sums = {}
    for one in stated:
        for miner in one["miners"]:
            for work in miner["workers"]:
                key = (miner["hotkey"], work["worker"])
                sums[key] = sums.get(key, 0) + int(work["shares"])
    return {key: count for key, count in sums.items() if count}


def stated_up_to(pool, moment):
    """Waits until all shares up to a moment are stated."""
    def is_stated():
        newest = pool.get("/v1/epochs?limit=1").json["epochs"]
        return newest and datetime.datetime.fromisoformat(newest[0]["end"].replace("Z", "+00:00")).timestamp() > moment

    eventually("all epochs up to a moment are stated", is_stated)


def test_statements_say_what_each_worker_did():
    with Pool(statements__epoch_secs=EPOCH) as pool:
        begun(pool)
        miners = [pool.miner("//One"), pool.miner("//Two")]
        accepted = {}
        for turn in range(4):
            for n, miner in enumerate(miners):
                for worker in ("rig1", "rig2")[: n + 1]:
                    count = mine(miner, worker, 3 + n + turn)
                    key = (miner.hotkey, worker)
                    accepted[key] = accepted.get(key, 0) + count
            time.sleep(EPOCH / 3)
        stated_up_to(pool, time.time())
        stated = verified(pool)
        assert shares_of(stated) == accepted
        assert any(int(one["total"]["shares"]) for one in stated)
        for before, after in zip(stated, stated[1:]):
            assert after["start"] == before["end"]
            assert int(after["end"]) % EPOCH == 0

        # The same bytes for ever, for whoever asks, and caches may keep them.
        id = epochs(pool)[0]["id"]
        first = pool.get(f"/v1/epochs/{id}")
        assert "immutable" in first.headers["cache-control"]
        tag = first.headers["etag"]
        assert tag == f'"{first.json["digest"]}"'
        again = pool.get(f"/v1/epochs/{id}", headers={"If-None-Match": tag})
        assert (again.status, again.body) == (304, b"")
        # The first epoch may be a second long, so the second one may bear the next number.
        for unknown in ("1", "x", str(id - 1), str(2**63), str(2**70)):
            refused = pool.get(f"/v1/epochs/{unknown}")
            assert (refused.status, refused.code) == (404, "epoch_unknown"), refused

        # The program as a validator starts it.
        run = subprocess.run([sys.executable, PROGRAM, pool.url, pool.hotkey], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        lines = [json.loads(line) for line in run.stdout.splitlines()]
        assert len(lines) >= len(stated)
        sums = {}
        for line in lines:
            for who, work in line["hotkeys"].items():
                sums[who] = sums.get(who, 0) + work["shares"]
        expected = {}
        for (who, _), count in accepted.items():
            expected[who] = expected.get(who, 0) + count
        assert {who: n for who, n in sums.items() if n} == expected
        second = epochs(pool)[1]["id"]
        one = subprocess.run([sys.executable, PROGRAM, pool.url, pool.hotkey, str(second)], capture_output=True, text=True)
        assert one.returncode == 0 and json.loads(one.stdout)["start"] == second, one
        stranger = Keypair.create_from_uri("//Stranger").ss58_address
        wrong = subprocess.run([sys.executable, PROGRAM, pool.url, stranger], capture_output=True, text=True)
        assert wrong.returncode == 1 and "signature" in wrong.stderr, wrong
        assert first.body == pool.get(f"/v1/epochs/{id}").body


def forged(answer, key, change):
    """The answer with a changed statement, signed by `key`, as a pool could that lies."""
    line, _, body = answer["statement"].partition("\n")
    stated = json.loads(body)
    change(stated)
    text = line + "\n" + json.dumps(stated, sort_keys=True, separators=(",", ":"))
    digest = verifier.hashlib.sha256(text.encode()).hexdigest()
    return answer | {"statement": text, "digest": digest, "signature": "0x" + key.sign(text.encode()).hex()}


def test_the_verifier_takes_nothing_that_does_not_hold():
    key = Keypair.create_from_uri("//Pool")
    hotkey = key.ss58_address
    work = {"active_minutes": "1", "hashes": "10", "rejected": {"stale": "2"}, "shares": "2", "units": "5"}
    stated = {
        "algorithm": "sha256d", "start": "100", "end": "200", "pool": hotkey, "previous": "",
        "sequence_after": "3", "sequence_through": "5",
        "miners": [{"hotkey": "5A", "workers": [work | {"worker": "rig"}]}], "total": dict(work),
    }  # fmt: skip
    text = "dwarves/work-statement/1\n" + json.dumps(stated, sort_keys=True, separators=(",", ":"))
    empty = {"statement": text, "id": 100, "previous": None}
    good = forged(empty, key, lambda stated: None)
    assert verifier.check(good, hotkey)["total"]["shares"] == "2"

    def next_one(stated):
        none = {name: "0" for name in verifier.WORK} | {"rejected": {}}
        stated |= {"start": "200", "end": "300", "sequence_after": "5", "miners": [], "total": none}
        stated["previous"] = good["digest"]

    after = forged(good | {"id": 200, "previous": good["digest"]}, key, next_one)
    verifier.check(after, hotkey, good)

    def refused(answer, words, before=None, by=hotkey):
        with pytest.raises(verifier.Invalid, match=words):
            verifier.check(answer, by, before)

    def changed(words, change, of=good, before=None, **fields):
        refused(forged(copy.deepcopy(of) | fields, key, change), words, before)

    refused(good, "signature", by=Keypair.create_from_uri("//Other").ss58_address)
    refused(good | {"signature": "0x" + "00" * 64}, "signature")
    other_line = good["statement"].replace("/1\n", "/2\n")
    refused(good | {"statement": other_line, "signature": "0x" + key.sign(other_line.encode()).hex()}, "first line")
    spaced = good["statement"].replace(",", ", ")
    refused(good | {"statement": spaced, "signature": "0x" + key.sign(spaced.encode()).hex()}, "one form")
    refused(good | {"digest": "00" * 32}, "digest")
    changed("another pool", lambda s: s.update(pool="5B"))
    changed("another", lambda s: None, id=101)
    changed("ends before", lambda s: s.update(end="100"))
    for name in verifier.WORK:
        changed("add up", lambda s, name=name: s["total"].update({name: "9"}))
        changed("whole number", lambda s, name=name: s["total"].update({name: 2}))
        changed("whole number", lambda s, name=name: s["total"].update({name: "-2"}))
        changed("as numbers are written", lambda s, name=name: s["total"].update({name: "02"}))
    changed("add up", lambda s: s["total"]["rejected"].update(stale="3"))
    changed("named twice", lambda s: s["miners"][0]["workers"].append(s["miners"][0]["workers"][0]))
    changed("between the two", lambda s: s.update(sequence_after="4"))
    changed("one before is another", lambda s: s.update(previous="ab"))
    changed("does not follow", lambda s: s.update(previous="ab"), after, good, previous="ab")
    changed("begins before", lambda s: s.update(start="199"), after, good, id=199)
    changed("stated twice", lambda s: s.update(sequence_after="4", sequence_through="4"), after, good)
    changed("left out", lambda s: s.update(sequence_after="6", sequence_through="6"), after, good)
    # Time that nobody stated is told, and is no contradiction: statements may have been switched off.
    gap = forged(after | {"id": 250}, key, lambda s: s.update(start="250", sequence_after="9", sequence_through="9"))
    assert verifier.summary(verifier.check(gap, hotkey, good), stated)["gap_secs"] == 50


def test_no_share_is_lost_or_stated_twice_when_the_pool_is_killed(tmp_path):
    """Killed again and again while epochs close; in the end every share is in one statement."""
    settings = {"data_dir": tmp_path / "data", "statements__epoch_secs": 1}
    accepted, seen = {}, {}
    for life in range(6):
        with Pool(**settings) as pool:
            begun(pool)
            miner = pool.miner()
            begin = time.monotonic()
            # Each life ends at another moment of an epoch.
            while time.monotonic() < begin + 1.3 + life * 0.17:
                count = mine(miner, "rig", 2)
                accepted[miner.hotkey, "rig"] = accepted.get((miner.hotkey, "rig"), 0) + count
            for epoch in epochs(pool):
                body = pool.get(f"/v1/epochs/{epoch['id']}").body
                assert seen.setdefault(epoch["id"], body) == body
            pool.kill()
    with Pool(**settings) as pool:
        stated_up_to(pool, time.time() + 1)
        stated = verified(pool)
        assert shares_of(stated) == accepted
        for id, body in seen.items():
            assert pool.get(f"/v1/epochs/{id}").body == body
        for before, after in zip(stated, stated[1:]):
            assert after["start"] == before["end"]


def test_a_restored_ledger_gives_no_name_twice(tmp_path):
    """What was stated after the backup is lost, and none of those epochs is stated again in other words."""
    settings = {"data_dir": tmp_path / "data", "statements__epoch_secs": 1}
    copy_of_it = tmp_path / "copy.db"

    def command(*arguments):
        done = subprocess.run([binary(), *arguments, "--data-dir", tmp_path / "data"], cwd=tmp_path, env=environment({}))
        assert done.returncode == 0

    with Pool(**settings) as pool:
        begun(pool)
        miner = pool.miner()
        before = mine(miner, "rig", 3)
        stated_up_to(pool, time.time())
        command("backup", copy_of_it)
        kept = {epoch["id"] for epoch in epochs(pool)}
        mine(miner, "rig", 4)
        stated_up_to(pool, time.time() + 1)
        seen = {epoch["id"]: pool.get(f"/v1/epochs/{epoch['id']}").body for epoch in epochs(pool)}
        pool.stop()
    command("restore", "--replace", copy_of_it)
    with Pool(**settings) as pool:
        eventually("a new epoch is stated", lambda: max(epoch["id"] for epoch in epochs(pool)) > max(seen))
        again = {epoch["id"]: pool.get(f"/v1/epochs/{epoch['id']}").body for epoch in epochs(pool)}
        assert kept <= set(again)
        for id in set(again) & set(seen):
            assert again[id] == seen[id]
        stated = verified(pool)
        assert shares_of(stated) == {(miner.hotkey, "rig"): before}
        newest = max(again)
        gaps = [int(b["start"]) - int(a["end"]) for a, b in zip(stated, stated[1:])]
        assert sum(gap > 0 for gap in gaps) == 1, "the time that was lost is a gap"
        # It does not begin anew at every start.
        pool.restart()
        eventually("epochs go on", lambda: max(epoch["id"] for epoch in epochs(pool)) > newest + 2)
        stated = verified(pool)
        gaps = [int(b["start"]) - int(a["end"]) for a, b in zip(stated, stated[1:])]
        assert sum(gap > 0 for gap in gaps) == 1


def test_without_the_setting_there_are_none():
    with Pool() as pool:
        assert pool.get("/v1/epochs").json == {"epochs": [], "next_cursor": None}
        assert pool.get("/v1/epochs?limit=0").code == "query_invalid"
