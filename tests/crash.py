#!/usr/bin/env python3
"""kill -9 under load, many times: nothing that was acknowledged is lost, nothing counts twice.

Several miners submit single shares and batches over HTTP without pause, and several sessions over Stratum; all remember
every acknowledgement. An operator gives orders, pays every moment, and remembers what was answered and shown. At random
moments, and at some that are aimed at a payout that is just set aside or just signed, the pool is killed and started
again on the same data. What was sent and never answered is sent again: it must either count now, or be a duplicate
(over HTTP with the sequence of the first).

After every kill the ledger's file is read without the pool and compared with that of the kill before (journals.py):

- every share, block, round, credit, payout and order that was acknowledged or shown is there;
- rows of shares, batches, rounds, credits, entries and orders are only added, and every old one is there byte for byte;
- blocks and payouts keep what never changes, and go only where they may; what is booked of a payout is what its state is;
- all entries add up to 0, those of every round and payout too, and balances are what the entries add up to.

And at the end:

- every acknowledged share is there once, at its sequence, under its hash;
- no header's hash is there twice; sequences are 1..n without a gap, and so are batches and rounds;
- every block was credited once at most, and is on the chain once;
- whoever asked again for a share with a known sequence was told that sequence;
- every share is in one statement at most, and none is left out between two; each says what its shares came to.

Payouts were reserved, signed, broadcast, confirmed and cancelled when the pool was killed. `returned` is not among the
states: no other transaction can spend the coins of the devnet's wallet.

Meanwhile the machine's clock is a year off for a while in every other life, and a stranger makes up names under a miner's
hotkey, sends junk and goes away in the middle:

- there are no more rounds than time passed for;
- no name that did no work is in the ledger.

And once an older copy of the ledger is put back, as somebody does who has lost the newer one. What was acknowledged after
the copy is lost with it; all that is said above holds of what was acknowledged before it and after the restore, and blocks
that the chain has are found again. What the wallet paid meanwhile the operator adopts.

    tests/crash.py [--kills N] [--seed N] [--miners N] [--rigs N]

The seed is printed; the same seed gives the same moments. Needs the `bittensor` package (tests/all has it).
"""

import argparse
import collections
import contextlib
import itertools
import os
import pathlib
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "python"))

from crash_miners import Client, Hostile, Rig, address_of  # noqa: E402
from crash_operator import Operator  # noqa: E402
from crash_statements import check_statements  # noqa: E402
from harness import Miner, Pool  # noqa: E402
from journals import BALANCES, BLOCKS, BATCHES, CREDITED, JOURNAL, OWNERS, ROUNDS, WORKERS  # noqa: E402
from journals import Journals, balances, copy_ledger, credits_of, folded, shares_of, uneven_rounds  # noqa: E402

# A share takes about 4 hashes and a block about 2,500: a block every few hundred shares.
SETTINGS = {
    "chain__devnet_block_hashes": 2500,
    "chain__maturity_confirmations": 3,
    "rewards__run_interval_secs": 1,
    "http__workers": 2,
    "stratum__listen": "127.0.0.1:0",
    # Payouts are on their way all the time.
    "payouts__threshold_sats": 10_000,
    "payouts__confirmations": 2,
    "payouts__interval_secs": 1,
    "payouts__fee_payer": "miners",
    # An epoch ends in most lives, and some are killed while it does.
    "statements__epoch_secs": 1,
}
YEAR = 365 * 86_400
# States of a payout that do not last.
AIMED = ("reserved", "signed")


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
    """A copy of the ledger of a pool that does not run, with what the miners and the operator had been told by then."""

    def __init__(self, pool, miners, operator, folder):
        # Whatever the kill interrupted has failed by then, and nobody can send anything.
        time.sleep(0.2)
        self.folder = folder
        folder.mkdir()
        copy_ledger(pool.data_dir, folder)
        self.told = [dict(miner.acknowledged) for miner in miners]
        self.remembered = operator.remembered()

    def put_back(self, pool, miners, operator):
        """Puts it in place of the ledger that is there. Gives how many acknowledgements are lost by that."""
        time.sleep(0.2)
        copy_ledger(self.folder, pool.data_dir)
        operator.forget_after(self.remembered)
        return sum(miner.forget_after(told) for miner, told in zip(miners, self.told))


def check(what, holds, problems, detail=""):
    """Notes whether a promise holds."""
    print(f"{'ok  ' if holds else 'FAIL'} {what}" + (f": {detail}" if detail and not holds else ""), flush=True)
    if not holds:
        problems.append(what)
    return 1


def aim(pool, state, secs):
    """kill -9 once the newest payout is in this state, or when the time is up."""
    command = [sys.executable, pathlib.Path(__file__).parent / "python/crash_aim.py", pool.data_dir, state]
    env = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    subprocess.run([*command, str(pool.process.pid), str(secs)], env=env, check=True)


def check_journals(journals, operator, kills, problems):
    """Tells what was found after the kills. Gives the number of checks."""
    checks = 0
    for what, times in journals.looked.items():
        checks += check(f"after each kill: {what}", not journals.broken[what], problems, journals.broken[what][:3])
        assert times > 0
    states = dict(journals.states)
    print(f"     payouts at the kills, by state: {states}; {operator.cancelled} were given up")
    print(
        f"     {len(operator.orders)} orders were answered, and {len(operator.blocks)} blocks, {len(operator.rounds)} rounds,"
        f" {sum(operator.credits.values())} credits and {len(operator.payouts)} parts of payouts shown"
    )
    # A few kills may miss the states that do not last.
    wanted = ["broadcast", "confirmed"] + (["reserved", "signed", "cancelled"] if kills >= 30 else [])
    missing = [state for state in wanted if not states.get(state)]
    checks += check("payouts were in every state when the pool was killed", not missing, problems, missing)
    checks += check("orders were answered", len(operator.orders) > kills, problems, len(operator.orders))
    shown = [operator.blocks, operator.rounds, operator.credits, operator.payouts]
    checks += check("blocks, rounds, credits and payouts were shown", all(shown), problems, [len(one) for one in shown])
    return checks


def ledger_of(pool, into):
    """A copy of the ledger of a pool that does not run, with its log."""
    copy_ledger(pool.data_dir, into)
    return sqlite3.connect(into / "dwarves.db")


def cuts_of(log):
    """Where the ledger ended when each life of the pool began, by its log."""
    return {int(shares) for shares in re.findall(r"the pool's life begins life=\d+ miners=\d+ shares=(\d+)", log)}


def check_ledger(db, clients, rigs, cuts, problems):
    """Compares the ledger with what the miners were told. Gives the number of checks.

    `cuts` are the sequences with which the ledger ended when a life of the pool began.
    """
    checks = 0
    rows = lambda sql: db.execute(sql).fetchall()  # noqa: E731
    integrity = rows("PRAGMA integrity_check")
    checks += check("the database is whole", integrity == [("ok",)], problems, integrity[:3])

    shares = list(shares_of(db))
    sequences = [share.sequence for share in shares]
    checks += check("sequences are 1..n", sequences == list(range(1, len(shares) + 1)), problems, len(shares))
    # The hash is stored as the hash function gives it, and told as explorers write it: the other way round.
    by_hash = collections.defaultdict(list)
    for share in shares:
        by_hash[share.hash[::-1].hex()].append(share.sequence)
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
    over_stratum = set().union(*(rig.acknowledged for rig in rigs))
    lost = [share_id for share_id in over_stratum if len(by_hash.get(share_id, [])) != 1]
    checks += check(
        f"every one of {len(over_stratum)} shares acknowledged over Stratum is there once", not lost, problems,
        [(share_id, by_hash.get(share_id)) for share_id in lost[:3]],
    )
    checks += check("there were Stratum shares enough to mean anything", len(over_stratum) > 500, problems, len(over_stratum))
    checks += check("there were shares enough to mean anything", len(told) > 1000, problems, len(told))

    batches = rows(f"SELECT first_sequence, place, committed_at, total_before FROM {BATCHES} ORDER BY first_sequence")
    totals = [0, *itertools.accumulate(share.units for share in shares)]
    wrong = [row for row in batches if int.from_bytes(row[3], "big") != totals[row[0] - 1]]
    checks += check("every row of shares begins with the total of all before it", not wrong, problems, wrong[:3])
    torn = [(a, b) for a, b in zip(batches, batches[1:])
            if b[1] not in (0, b[0] - a[0] + a[1]) or (b[1] > 0 and a[2] != b[2]) or a[2] > b[2]]
    checks += check("rows of one commit belong together, and times only grow", not torn, problems, torn[:3])

    rounds = [number for (number,) in rows(f"SELECT id FROM {ROUNDS} ORDER BY id")]
    checks += check(
        f"every round from 1 to {len(rounds)} closed once", rounds == list(range(1, len(rounds) + 1)), problems, rounds[-3:]
    )
    for owner in OWNERS:
        unequal = rows(f"SELECT {owner}, SUM(delta) FROM {JOURNAL} WHERE {owner} IS NOT NULL GROUP BY {owner} HAVING SUM(delta) <> 0")
        checks += check(f"the entries of every {owner} add up to 0", not unequal, problems, unequal[:3])
        strangers = rows(f"SELECT {owner} FROM {JOURNAL} WHERE {owner} NOT IN (SELECT id FROM {owner}s)")
        checks += check(f"every entry belongs to a {owner}", not strangers, problems, strangers[:3])
    uneven = uneven_rounds(db)
    checks += check("the packed entries of every round add up to 0", not uneven, problems, uneven[:3])
    sums, stored = folded(db), balances(db)
    total = sum(sums.values())
    checks += check("all entries add up to 0", total == 0 and len(sums) > 2, problems, total)
    different = [(account, sums.get(account), stored.get(account)) for account in sums.keys() | stored.keys()
                 if sums.get(account) != stored.get(account)]
    checks += check("balances are what the entries add up to", not different, problems, different[:3])
    negative = [
        account for (account, _), amount in stored.items()
        if amount < 0 and account not in ("chain", "emission", "reserve")
    ]
    checks += check("no miner's and no fee's account is below 0", not negative, problems, negative)

    blocks = rows(f"SELECT hash, height, state, accounting, reward, sequence FROM {BLOCKS} ORDER BY height")
    credited = rows(f"SELECT hash FROM {CREDITED}")
    checks += check("no block is credited twice", len(credited) == len(set(credited)), problems)
    places = {share_id: found[0] for share_id, found in by_hash.items()}
    # A block goes to the chain beside its share's commit. If a crash falls between the two, the share was never
    # acknowledged, and the block is found on the chain again: its place is where the crash cut the ledger off.
    # A block whose share came too late goes to the chain all the same: its miner knows the refusal.
    refused = {}
    for client in clients:
        refused.update(client.refused)
    # Stratum tells no more than that a share is late. What a lost session sent may have been refused, too.
    unsaid = set().union(*(rig.refused.keys() | rig.unknowable for rig in rigs))
    shareless = {block: block[0][::-1].hex() for block in blocks if block[0][::-1].hex() not in places}
    late = [block for block, share_id in shareless.items() if share_id in refused or share_id in unsaid]
    recovered = [block for block in shareless if block not in late and block[5] in cuts]
    misplaced = [
        block for block in blocks
        if block not in recovered and block not in late and places.get(block[0][::-1].hex()) != block[5]
    ]
    print(f"     {len(recovered)} blocks were found again on the chain after a crash kept them from the ledger")
    print(f"     {len(late)} blocks were among the {len(refused)} refused shares")
    checks += check("every block is the share that it says it is", not misplaced, problems, misplaced[:3])
    untold = [(share_id, refused[share_id]) for share_id in map(shareless.get, late)
              if share_id in refused and "submitted" not in refused[share_id]]
    checks += check("who sent a block too late was told that it is one", not untold, problems, untold[:3])
    nowhere = [block for block in late if not 0 <= block[5] <= len(shares)]
    checks += check("a block without a share has its place among the shares", not nowhere, problems, nowhere[:3])
    paid = {r: (reward, fee, kept, credit) for r, reward, fee, kept, credit in rows(
        f"SELECT id, reward, fee, kept, credited FROM {ROUNDS} WHERE reward > 0")}
    uneven = {r: p for r, p in paid.items() if p[0] != p[1] + p[2] + p[3]}
    checks += check("reward = fee + credited + kept in every round", not uneven, problems, uneven)
    per_round = collections.Counter()
    for _hotkey, round_id, _half_steps, amount, kind in credits_of(db):
        per_round[round_id] += amount if kind == "credit" else 0
    wrong = {r: p for r, p in paid.items() if per_round.get(r, 0) != p[3]}
    checks += check("the credits of every round are what it credited", not wrong, problems, wrong)
    chain = collections.Counter(height for _, height, state, *_ in blocks if state in ("immature", "mature"))
    checks += check("at every height one block at most counts", all(n == 1 for n in chain.values()), problems)
    good = [block for block in blocks if block[2] in ("immature", "mature")]
    checks += check("there were blocks enough to mean anything", len(good) > 20, problems, len(good))
    earned = sum(block[4] for block in blocks if (block[0],) in set(credited) and block[2] != "orphaned")
    brought = -sums.get(("chain", b""), 0)
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
    parser.add_argument("--rigs", type=int, default=2)
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 31)
    print(f"crash test: {arguments.kills} kills, {arguments.miners} miners, {arguments.rigs} rigs, seed {seed}", flush=True)
    moments = random.Random(seed)
    begin = time.monotonic()
    problems = []
    checks = 0
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dwarves-crash-")))
        clock = LyingClock(folder)
        pool = stack.enter_context(Pool(data_dir=folder / "data", **SETTINGS))
        clients = [Client(pool, number, seed, address_of(number)) for number in range(arguments.miners)]
        for client in clients:
            client.register()
            # Without this the pool would make a share as hard as is good for it; here many are wanted.
            pool.must_control("miner_manager", "set_share_difficulty", hotkey=client.miner.hotkey, difficulty=1e-9)
        rigs = [Rig(pool, number, seed, clients[number % len(clients)].miner) for number in range(arguments.rigs)]
        miners = [*clients, *rigs]
        idle = Miner(pool, "//CrashIdle")
        idle.register()
        operator = Operator(pool, [client.miner for client in clients], idle.hotkey)
        hostile = Hostile(pool, clients[0].miner.hotkey, seed)
        threads = [*miners, operator, hostile]
        for thread in threads:
            thread.start()
        journals = Journals(folder)
        secs_to_ready = []
        copied_at = arguments.kills // 3
        backup, lost_by_restore = None, 0
        for number in range(1, arguments.kills + 1):
            # Some kills hit a pool at work, some one that has only just begun.
            if number % 2 == 0:
                clock.be_off(moments.choice((-YEAR, -3_600, 3_600, YEAR)))
            # A payout is set aside or signed for some thousandths of a second only: such a moment is waited for.
            state = AIMED[number // 2 % len(AIMED)] if number % 2 == 1 and moments.random() < 0.75 else None
            wait = moments.uniform(0.0, 0.2) if moments.random() < 0.2 else moments.uniform(0.2, 1.6)
            if state is not None:
                aim(pool, state, 1.6)
            else:
                time.sleep(wait)
            clock.be_off(0)
            pool.kill()
            if moments.random() < 0.1:
                # And some one that is not even ready.
                pool.spawn()
                time.sleep(moments.uniform(0.0, 0.15))
                pool.kill()
            if journals.after_kill(pool.data_dir, miners, operator):
                break
            if number == copied_at:
                backup = Backup(pool, miners, operator, folder / "backup")
            elif backup is not None and number == 2 * copied_at:
                lost_by_restore = backup.put_back(pool, miners, operator)
                journals.begin_again(pool.data_dir)
            # A payout that was set aside and never signed can be given up, if payouts are held.
            is_held = bool(journals.reserved) and operator.cancelled == 0
            pool.settings["payouts.start_held"] = "true" if is_held else "false"
            pool.start()
            secs_to_ready.append(pool.secs_to_ready)
            if is_held:
                operator.wait_for_a_round()
            failed = [thread for thread in [*miners, operator] if thread.failure is not None]
            if failed:
                break
            if number % 10 == 0:
                print(f"     {number} kills, ready after {secs_to_ready[-1]:.2f} s", flush=True)
        # One quiet second after the last start: rounds close, and what is unanswered is settled.
        time.sleep(2.5)
        for thread in threads:
            thread.stopping.set()
        for thread in threads:
            thread.join(30)
        print(f"     a stranger made up {hostile.names} names and sent junk {hostile.junk} times")
        print(f"     an older ledger was put back, and {lost_by_restore} acknowledgements were lost with the newer one")
        if copied_at > 0:
            checks += check("an older ledger was put back", lost_by_restore > 0, problems, lost_by_restore)
        checks += check("the stranger was there", hostile.names > 100, problems, hostile.names)
        for thread in [*miners, operator]:
            checks += check(f"{thread.name} saw nothing strange", thread.failure is None, problems, repr(thread.failure))
        lost = sum(miner.lost_requests for miner in miners)
        settled = sum((client.settled for client in clients), collections.Counter())
        again = sum((rig.settled for rig in rigs), collections.Counter())
        left = sum(len(miner.unanswered) for miner in miners)
        reasons = sum((miner.reasons for miner in miners), collections.Counter())
        print(f"     {lost} requests lost their answer; sent again: {dict(settled)}, over Stratum: {dict(again)}; all verdicts: {dict(reasons)}")
        print(f"     ready after {sum(secs_to_ready) / len(secs_to_ready):.2f} s on average, {max(secs_to_ready):.2f} s at most")
        checks += check("the pool came back by itself each time", len(secs_to_ready) == arguments.kills, problems)
        checks += check("and within 5 s", max(secs_to_ready) < 5, problems, max(secs_to_ready))
        checks += check("no request is left unanswered", left == 0, problems, left)
        checks += check("answers were lost, and some of what they told had counted", settled["duplicate"] > 0, problems, dict(settled))
        resumed = sum(rig.resumed for rig in rigs)
        checks += check("Stratum sessions came back", resumed >= arguments.kills // 2, problems, resumed)
        checks += check_journals(journals, operator, arguments.kills, problems)
        sums = {pool.pool()["ledger_sum_sats"] for _ in range(3)}
        checks += check("GET /v1/pool tells a ledger sum of 0", sums == {0}, problems, sums)
        told = pool.pool()["shares"]["accepted"]
        pool.kill()
        with contextlib.closing(ledger_of(pool, folder)) as db:
            checks += check_ledger(db, clients, rigs, cuts_of(pool.log()), problems)
            stored = sum(1 for _ in shares_of(db))
            checks += check_statements(db, pool.hotkey, check, problems)
            (made_up,) = db.execute(f"SELECT COUNT(*) FROM {WORKERS} WHERE name LIKE 'made-up%'").fetchone()
            checks += check("no name that did no work is in the ledger", made_up == 0, problems, made_up)
            (rounds,) = db.execute(f"SELECT COUNT(*) FROM {ROUNDS}").fetchone()
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
