#!/usr/bin/env python3
"""kill -9 under load, many times: nothing that was acknowledged is lost, nothing counts twice.

Several miners submit single shares and batches without pause and remember every acknowledgement. At random
moments the pool is killed and started again on the same data. What was sent and never answered is sent again:
it must either count now, or be a duplicate with the sequence of the first. At the end the ledger's file is
read without the pool:

- every acknowledged share is there once, at its sequence, under its hash;
- no header's hash is there twice; sequences are 1..n without a gap, and so are batches and rounds;
- every block was credited once at most, and is on the chain once;
- the entries of every round add up to 0, and the balances are what the entries add up to;
- whoever asked again for a share with a known sequence was told that sequence.

Meanwhile the machine's clock is a year off for a while in every other life, and a stranger makes up names under a miner's
hotkey, sends junk and goes away in the middle:

- there are no more rounds than time passed for;
- no name that did no work is in the ledger.

And once an older copy of the ledger is put back, as somebody does who has lost the newer one. What was acknowledged after
the copy is lost with it; all that is said above holds of what was acknowledged before it and after the restore, and blocks
that the chain has are found again.

    tests/crash.py [--kills N] [--seed N] [--miners N]

The seed is printed; the same seed gives the same moments. Needs the `bittensor` package (tests/all has it).
"""

import argparse
import collections
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import socket
import sqlite3
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "python"))

from harness import Job, Pool, encode  # noqa: E402

# A share takes about 4 hashes and a block about 2,500: a block every few hundred shares.
SETTINGS = {
    "chain__devnet_block_hashes": 2500,
    "chain__maturity_confirmations": 3,
    "rewards__run_interval_secs": 1,
    "http__workers": 2,
    "stratum__listen": "127.0.0.1:0",
}
YEAR = 365 * 86_400
LEDGER = ("dwarves.db", "dwarves.db-wal", "dwarves.db-shm")
JUNK = [
    b'{"id":1,"method":"mining.submit","params":["x","y","z","0","0"]}\n',
    b'{"id":2,"method":"mining.authorize","params":[' + b"[" * 200 + b"\n",
    b'{"id":3,"method":"mining.subscribe","params":[]}\n' * 50,
    b"GET / HTTP/1.1\r\n\r\n",
    bytes(range(256)),
]


class Lost(Exception):
    """The pool went away before it answered."""


class Client(threading.Thread):
    """A miner that mines without pause, whatever happens to the pool."""

    def __init__(self, pool, number, seed):
        super().__init__(name=f"miner-{number}", daemon=True)
        self.pool = pool
        self.random = random.Random(seed * 1000 + number)
        self.worker = f"rig-{number}"
        self.uri = f"//Crash{number}"
        self.miner = None
        self.connection = None
        self.stopping = threading.Event()
        # What the pool said: the sequence of every share that it ever acknowledged, by its hash.
        self.acknowledged = {}
        # The shares that it refused, by their hashes: there may be blocks among them.
        self.refused = {}
        # Sent and never answered: the shares with their hashes.
        self.unanswered = []
        self.lost_requests = 0
        self.settled = collections.Counter()
        self.reasons = collections.Counter()
        self.busy = 0
        self.failure = None

    def register(self):
        self.miner = self.pool.miner(self.uri)

    def run(self):
        try:
            while not self.stopping.is_set():
                try:
                    self.mine()
                except Lost:
                    time.sleep(0.01)
        except BaseException as failure:  # noqa: BLE001: told by the main thread, whatever it is
            self.failure = failure

    def request(self, method, path, body=None):
        """One request with the session token; `Lost` if there is no whole answer."""
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(*self.pool.address, timeout=20)
            self.connection.request(method, path, body=encode(body), headers=self.miner.bearer())
            response = self.connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            if self.connection is not None:
                self.connection.close()
                self.connection = None
            raise Lost from error

    def mine(self):
        status, work = self.request("GET", f"/v1/work?worker={self.worker}")
        if status == 503:
            self.busy += 1
            time.sleep(0.02)
            return
        assert status == 200, (status, work)
        job = Job(work)
        if self.unanswered:
            self.settle()
        # A job is good for several requests: singles and batches in turn.
        for _ in range(self.random.randint(1, 6)):
            count = 1 if self.random.random() < 0.5 else self.random.randint(2, 40)
            shares = [job.find() for _ in range(count)]
            if self.recent and self.random.random() < 0.1:
                # Somebody repeats what was acknowledged long ago.
                shares.insert(self.random.randrange(count + 1), self.random.choice(self.recent))
            if not self.submit(shares):
                return

    recent = []

    def forget_after(self, acknowledged):
        """An older ledger was put back: what was said after its copy is lost, and so is the work that was given out."""
        lost = len(self.acknowledged) - len(acknowledged)
        self.acknowledged = dict(acknowledged)
        self.unanswered = []
        self.recent = []
        return lost

    def settle(self):
        """Sends again what was never answered."""
        batch, self.unanswered = self.unanswered[:1000], self.unanswered[1000:]
        verdicts = self.send(batch)
        for (_, share_id), verdict in zip(batch, verdicts):
            reason = verdict.get("reason", "accepted")
            self.settled[reason] += 1
            assert reason in ("accepted", "duplicate", "stale"), (share_id, verdict)

    def send(self, shares):
        """Submits shares and notes every acknowledgement. Gives the verdicts."""
        # Before the answer is there, nothing is known of any of them.
        self.unanswered += shares
        while True:
            try:
                status, answer = self.request("POST", "/v1/work", {"shares": [share for share, _ in shares]})
            except Lost:
                self.lost_requests += 1
                raise
            if status == 200:
                break
            assert status == 503, (status, answer)
            self.busy += 1
            time.sleep(0.02)
        del self.unanswered[-len(shares) :]
        verdicts = answer["results"]
        assert len(verdicts) == len(shares), answer
        for (share, share_id), verdict in zip(shares, verdicts):
            self.note(share, share_id, verdict)
        return verdicts

    def note(self, share, share_id, verdict):
        reason = verdict.get("reason", "accepted")
        self.reasons[reason] += 1
        if reason == "accepted":
            assert verdict["share_id"] == share_id, (share_id, verdict)
            assert share_id not in self.acknowledged, f"{share_id} was accepted twice: {verdict}"
            self.acknowledged[share_id] = verdict["sequence"]
            self.recent = [*self.recent[-50:], (share, share_id)]
        elif reason == "duplicate":
            first = self.acknowledged.setdefault(share_id, verdict["sequence"])
            assert first == verdict["sequence"], f"{share_id} is {first}, not {verdict}"
        else:
            assert reason in ("stale", "unknown_job"), verdict
            self.refused[share_id] = verdict["detail"]

    def submit(self, shares):
        """Submits shares; whether the job still lives."""
        verdicts = self.send(shares)
        return not any(verdict.get("reason") in ("stale", "unknown_job") for verdict in verdicts)


class Hostile(threading.Thread):
    """A stranger at the Stratum port, in the name of somebody else."""

    def __init__(self, pool, victim, seed):
        super().__init__(name="hostile", daemon=True)
        self.pool = pool
        self.victim = victim
        self.random = random.Random(seed)
        self.stopping = threading.Event()
        self.names = 0
        self.junk = 0

    def run(self):
        while not self.stopping.is_set():
            try:
                self.visit()
            except (OSError, KeyError, IndexError):
                pass  # The pool is being killed, or put us out.
            time.sleep(0.2)

    def visit(self):
        host, port = self.pool.listen["stratum"][0].rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=2) as connection:
            connection.sendall(b'{"id":1,"method":"mining.subscribe","params":["stranger"]}\n')
            for _ in range(20):
                self.names += 1
                login = {"id": 2, "method": "mining.authorize", "params": [f"{self.victim}.made-up-{self.names}", "d=1e12"]}
                connection.sendall(json.dumps(login).encode() + b"\n")
            connection.recv(4096)
            connection.sendall(self.random.choice(JUNK))
            self.junk += 1
            if self.random.random() < 0.5:
                connection.recv(4096)


class LyingClock:
    """The pool's machine, whose clock can be set; the time that passes is left alone. See test_clock.py."""

    def __init__(self, folder):
        libraries = [*pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")]
        if not libraries:
            raise SystemExit("libfaketime is missing: apt-get install faketime")
        self.file = folder / "offset"
        self.be_off(0)
        os.environ.update(
            LD_PRELOAD=str(libraries[0]),
            FAKETIME_TIMESTAMP_FILE=str(self.file),
            FAKETIME_NO_CACHE="1",
            DONT_FAKE_MONOTONIC="1",
        )

    def be_off(self, seconds):
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self.file)


class Backup:
    """A copy of the ledger of a pool that does not run, with what the miners had been told by then."""

    def __init__(self, pool, clients, folder):
        # Whatever the kill interrupted has failed by then, and nobody can send anything.
        time.sleep(0.2)
        self.folder = folder
        folder.mkdir()
        copy_ledger(pool.data_dir, folder)
        self.told = [dict(client.acknowledged) for client in clients]

    def put_back(self, pool, clients):
        """Puts it in place of the ledger that is there. Gives how many acknowledgements are lost by that."""
        time.sleep(0.2)
        for name in LEDGER:
            (pool.data_dir / name).unlink(missing_ok=True)
        copy_ledger(self.folder, pool.data_dir)
        return sum(client.forget_after(told) for client, told in zip(clients, self.told))


def copy_ledger(source, target):
    for name in LEDGER:
        if (source / name).exists():
            shutil.copy(source / name, target / name)


def check(what, holds, problems, detail=""):
    """Notes whether a promise holds."""
    print(f"{'ok  ' if holds else 'FAIL'} {what}" + (f": {detail}" if detail and not holds else ""), flush=True)
    if not holds:
        problems.append(what)
    return 1


def ledger_of(pool, into):
    """A copy of the ledger of a pool that does not run, with its log."""
    copy_ledger(pool.data_dir, into)
    return sqlite3.connect(into / "dwarves.db")


def cuts_of(log):
    """Where the ledger ended when each life of the pool began, by its log."""
    return {int(shares) for shares in re.findall(r"the pool's life begins life=\d+ miners=\d+ shares=(\d+)", log)}


def check_ledger(db, clients, cuts, problems):
    """Compares the ledger with what the miners were told. Gives the number of checks.

    `cuts` are the sequences with which the ledger ended when a life of the pool began.
    """
    checks = 0
    rows = lambda sql: db.execute(sql).fetchall()  # noqa: E731
    integrity = rows("PRAGMA integrity_check")
    checks += check("the database is whole", integrity == [("ok",)], problems, integrity[:3])

    shares = rows("SELECT sequence, hash, template FROM shares ORDER BY sequence")
    sequences = [sequence for sequence, _, _ in shares]
    checks += check("sequences are 1..n", sequences == list(range(1, len(shares) + 1)), problems, len(shares))
    # The hash is stored as the hash function gives it, and told as explorers write it: the other way round.
    by_hash = collections.defaultdict(list)
    for sequence, share_hash, _ in shares:
        by_hash[share_hash[::-1].hex()].append(sequence)
    twice = {share_id: found for share_id, found in by_hash.items() if len(found) > 1}
    checks += check("no header is there twice", not twice, problems, list(twice.items())[:3])

    told = {}
    for client in clients:
        told.update(client.acknowledged)
    lost = [(share_id, n) for share_id, n in told.items() if by_hash.get(share_id) != [n]]
    checks += check(
        f"every one of {len(told)} acknowledged shares is there once, at its sequence", not lost, problems,
        [(share_id, n, by_hash.get(share_id)) for share_id, n in lost[:3]],
    )
    checks += check("there were shares enough to mean anything", len(told) > 1000, problems, len(told))

    batches = rows("SELECT first_sequence, last_sequence FROM batches ORDER BY id")
    joined = all(a[1] + 1 == b[0] for a, b in zip(batches, batches[1:]))
    ends = batches and (batches[0][0], batches[-1][1]) == (1, len(shares))
    checks += check("every share is in one batch", bool(joined and ends), problems, batches[-3:])

    rounds = [number for (number,) in rows("SELECT id FROM rounds ORDER BY id")]
    checks += check(
        f"every round from 1 to {len(rounds)} closed once", rounds == list(range(1, len(rounds) + 1)), problems, rounds[-3:]
    )
    unequal = rows("SELECT round, SUM(delta) FROM journal GROUP BY round, payout, step HAVING SUM(delta) <> 0")
    checks += check("the entries of every round add up to 0", not unequal, problems, unequal[:3])
    (total,) = rows("SELECT COALESCE(SUM(delta), 0) FROM journal")[0]
    checks += check("all entries add up to 0", total == 0, problems, total)
    strangers = rows("SELECT round FROM journal WHERE round NOT IN (SELECT id FROM rounds)")
    checks += check("every entry belongs to a round", not strangers, problems, strangers[:3])
    folded = {
        (account, hotkey): amount
        for account, hotkey, amount in rows("SELECT account, hotkey, SUM(delta) FROM journal GROUP BY account, hotkey")
        if amount != 0
    }
    balances = {
        (account, hotkey): amount
        for account, hotkey, amount in rows("SELECT account, hotkey, amount FROM balances")
        if amount != 0
    }
    checks += check("balances are what the entries add up to", folded == balances, problems)
    negative = [
        account for (account, _), amount in balances.items()
        if amount < 0 and account not in ("chain", "emission", "reserve")
    ]
    checks += check("no miner's and no fee's account is below 0", not negative, problems, negative)

    blocks = rows("SELECT hash, height, state, accounting, reward, sequence FROM blocks ORDER BY height")
    credited = rows("SELECT hash FROM credited_blocks")
    checks += check("no block is credited twice", len(credited) == len(set(credited)), problems)
    places = {share_id: found[0] for share_id, found in by_hash.items()}
    # A block goes to the chain beside its share's commit. If a crash falls between the two, the share was never
    # acknowledged, and the block is found on the chain again: its place is where the crash cut the ledger off.
    # A block whose share came too late goes to the chain all the same: its miner knows the refusal.
    refused = {}
    for client in clients:
        refused.update(client.refused)
    shareless = {block: block[0][::-1].hex() for block in blocks if block[0][::-1].hex() not in places}
    late = [block for block, share_id in shareless.items() if share_id in refused]
    recovered = [block for block in shareless if block not in late and block[5] in cuts]
    misplaced = [
        block for block in blocks
        if block not in recovered and block not in late and places.get(block[0][::-1].hex()) != block[5]
    ]
    print(f"     {len(recovered)} blocks were found again on the chain after a crash kept them from the ledger")
    print(f"     {len(late)} blocks were among the {len(refused)} refused shares")
    checks += check("every block is the share that it says it is", not misplaced, problems, misplaced[:3])
    untold = [(share_id, refused[share_id]) for share_id in map(shareless.get, late) if "submitted" not in refused[share_id]]
    checks += check("who sent a block too late was told that it is one", not untold, problems, untold[:3])
    nowhere = [block for block in late if not 0 <= block[5] <= len(shares)]
    checks += check("a block without a share has its place among the shares", not nowhere, problems, nowhere[:3])
    paid = {r: (reward, fee, kept, credit) for r, reward, fee, kept, credit in rows(
        "SELECT id, reward, fee, kept, credited FROM rounds WHERE reward > 0")}
    uneven = {r: p for r, p in paid.items() if p[0] != p[1] + p[2] + p[3]}
    checks += check("reward = fee + credited + kept in every round", not uneven, problems, uneven)
    per_round = dict(rows("SELECT round, SUM(amount) FROM credits GROUP BY round"))
    wrong = {r: p for r, p in paid.items() if per_round.get(r, 0) != p[3]}
    checks += check("the credits of every round are what it credited", not wrong, problems, wrong)
    chain = collections.Counter(height for _, height, state, *_ in blocks if state in ("immature", "mature"))
    checks += check("at every height one block at most counts", all(n == 1 for n in chain.values()), problems)
    good = [block for block in blocks if block[2] in ("immature", "mature")]
    checks += check("there were blocks enough to mean anything", len(good) > 20, problems, len(good))
    earned = sum(block[4] for block in blocks if (block[0],) in set(credited) and block[2] != "orphaned")
    brought = -folded.get(("chain", b""), 0)
    checks += check("the books hold what the credited blocks earned", earned == brought, problems, (earned, brought))
    print(
        f"     {len(shares)} shares, {len(batches)} batches, {len(blocks)} blocks "
        f"({dict(collections.Counter(block[2] for block in blocks))}), {len(rounds)} rounds"
    )
    return checks


def main():
    parser = argparse.ArgumentParser(description="kill -9 under load")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--miners", type=int, default=4)
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 31)
    print(f"crash test: {arguments.kills} kills, {arguments.miners} miners, seed {seed}", flush=True)
    moments = random.Random(seed)
    begin = time.monotonic()
    problems = []
    checks = 0
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dwarves-crash-")))
        clock = LyingClock(folder)
        pool = stack.enter_context(Pool(data_dir=folder / "data", **SETTINGS))
        clients = [Client(pool, number, seed) for number in range(arguments.miners)]
        for client in clients:
            client.register()
            # Without this the pool would make a share as hard as is good for it; here many are wanted.
            pool.must_control("miner_manager", "set_share_difficulty", hotkey=client.miner.hotkey, difficulty=1e-9)
        for client in clients:
            client.start()
        hostile = Hostile(pool, clients[0].miner.hotkey, seed)
        hostile.start()
        secs_to_ready = []
        copied_at = arguments.kills // 3
        backup, lost_by_restore = None, 0
        for number in range(1, arguments.kills + 1):
            # Some kills hit a pool at work, some one that has only just begun.
            if number % 2 == 0:
                clock.be_off(moments.choice((-YEAR, -3_600, 3_600, YEAR)))
            time.sleep(moments.uniform(0.0, 0.2) if moments.random() < 0.2 else moments.uniform(0.2, 1.6))
            clock.be_off(0)
            pool.kill()
            if moments.random() < 0.1:
                # And some one that is not even ready.
                pool.spawn()
                time.sleep(moments.uniform(0.0, 0.15))
                pool.kill()
            if number == copied_at:
                backup = Backup(pool, clients, folder / "backup")
            elif backup is not None and number == 2 * copied_at:
                lost_by_restore = backup.put_back(pool, clients)
            pool.start()
            secs_to_ready.append(pool.secs_to_ready)
            failed = [client for client in clients if client.failure is not None]
            if failed:
                break
            if number % 10 == 0:
                print(f"     {number} kills, ready after {secs_to_ready[-1]:.2f} s", flush=True)
        # One quiet second after the last start: rounds close, and what is unanswered is settled.
        time.sleep(2.5)
        for client in clients:
            client.stopping.set()
        hostile.stopping.set()
        for client in clients:
            client.join(30)
        hostile.join(30)
        print(f"     a stranger made up {hostile.names} names and sent junk {hostile.junk} times")
        print(f"     an older ledger was put back, and {lost_by_restore} acknowledgements were lost with the newer one")
        if copied_at > 0:
            checks += check("an older ledger was put back", lost_by_restore > 0, problems, lost_by_restore)
        checks += check("the stranger was there", hostile.names > 100, problems, hostile.names)
        for client in clients:
            checks += check(f"{client.name} saw nothing strange", client.failure is None, problems, repr(client.failure))
        lost = sum(client.lost_requests for client in clients)
        settled = sum((client.settled for client in clients), collections.Counter())
        left = sum(len(client.unanswered) for client in clients)
        reasons = sum((client.reasons for client in clients), collections.Counter())
        print(f"     {lost} requests lost their answer; sent again: {dict(settled)}; all verdicts: {dict(reasons)}")
        print(f"     ready after {sum(secs_to_ready) / len(secs_to_ready):.2f} s on average, {max(secs_to_ready):.2f} s at most")
        checks += check("the pool came back by itself each time", len(secs_to_ready) == arguments.kills, problems)
        checks += check("and within 5 s", max(secs_to_ready) < 5, problems, max(secs_to_ready))
        checks += check("no request is left unanswered", left == 0, problems, left)
        checks += check("answers were lost, and some of what they told had counted", settled["duplicate"] > 0, problems, dict(settled))
        sums = {pool.pool()["ledger_sum_sats"] for _ in range(3)}
        checks += check("GET /v1/pool tells a ledger sum of 0", sums == {0}, problems, sums)
        told = pool.pool()["shares"]["accepted"]
        pool.kill()
        with contextlib.closing(ledger_of(pool, folder)) as db:
            checks += check_ledger(db, clients, cuts_of(pool.log()), problems)
            (stored,) = db.execute("SELECT COUNT(*) FROM shares").fetchone()
            (made_up,) = db.execute("SELECT COUNT(*) FROM workers WHERE name LIKE 'made-up%'").fetchone()
            checks += check("no name that did no work is in the ledger", made_up == 0, problems, made_up)
            (rounds,) = db.execute("SELECT COUNT(*) FROM rounds").fetchone()
            passed = time.monotonic() - begin
            checks += check("no round of a wrong clock", rounds <= passed + 2, problems, (rounds, passed))
        checks += check("GET /v1/pool told as many shares as the ledger has", told == stored, problems, (told, stored))
        if problems:
            print(pool.log()[-4000:])
    print(f"crash test: {time.monotonic() - begin:.0f} s, seed {seed}")
    print(f"crash test: {checks - len(problems)} checks passed, {len(problems)} failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
