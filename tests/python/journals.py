"""The ledger's journals after a kill, compared with those of the life before and with what people were told.

The tables' names stand here and nowhere else in the crash test. A ledger is compared as a file: copied while no pool
runs, opened with `sqlite3`, with the copy of the last time beside it.
"""

import collections
import contextlib
import json
import pathlib
import shutil
import sqlite3

FILES = ("dwarves.db", "dwarves.db-wal", "dwarves.db-shm")

BATCHES, BLOCKS, ROUNDS, CREDITS, AUDIT = "batches", "blocks", "rounds", "credits", "audit"
CREDITED, BALANCES, WORKERS = "credited_blocks", "balances", "workers"
PAYOUTS, PARTS = "payouts", "payout_parts"
STATEMENTS = "statements"
# Double entry: the table, and the columns of which one says what moved the money. The entries of each such thing add up
# to 0.
JOURNAL, ROUND_ENTRIES, PACKED_CREDITS = "journal", "round_entries", "packed_credits"
OWNERS = ("round", "payout")

# Rows are added and never change; by the column that numbers them, if there is one.
APPENDED = {
    BATCHES: "first_sequence",
    ROUNDS: "id",
    CREDITS: "id",
    AUDIT: "id",
    CREDITED: None,
    "block_credits": None,
    JOURNAL: "id",
    ROUND_ENTRIES: "round",
    PACKED_CREDITS: "id",
    "credit_marks": None,
    STATEMENTS: "start",
}
ACCOUNTS = (
    *("chain", "emission", "fee_immature", "fee", "reserve_immature", "reserve", "network_fees"),
    *("miner_immature", "miner_payable", "miner_in_flight", "miner_paid"),
)
# Rows go on, and these columns of them never change.
LASTING = {
    BLOCKS: "id, hash, height, reward, found_at",
    PAYOUTS: "id, reserved_at, fee_payer, fee_rate",
    PARTS: "id, payout, place, hotkey, address, amount",
}
# These columns, once they are set, stay what they are: of each, when it counts as set.
SET_ONCE = {
    BLOCKS: ("hash", {"finder": "before.finder <> x''"}),
    PAYOUTS: ("id", {name: f"before.{name} IS NOT NULL" for name in ("txid", "inputs", "fee", "sent_at")}),
}
# What may have become of a payout, in however many steps.
SENT = {"broadcast", "confirmed", "returned"}
BECOMES = {
    "reserved": {"reserved", "signed", "cancelled"} | SENT,
    "signed": {"signed"} | SENT,
    "broadcast": SENT,
    "confirmed": SENT,
    "returned": SENT,
    "cancelled": {"cancelled"},
}
# And of a block's reward in the books.
BOOKED = {
    "none": {"none", "credited", "matured", "reversed", "reversed_mature"},
    "credited": {"credited", "matured", "reversed", "reversed_mature"},
    "matured": {"matured", "reversed_mature"},
    "reversed": {"reversed"},
    "reversed_mature": {"reversed_mature"},
}


def copy_ledger(source, target):
    for name in FILES:
        (target / name).unlink(missing_ok=True)
        if (source / name).exists():
            shutil.copy(source / name, target / name)


Share = collections.namedtuple(
    "Share", "sequence template bits units worker extranonce lacks_tail version time nonce received_at hash"
)


def unpack(first, committed_at, blob):
    """A row's shares, by what docs/schema.md says of them."""
    form, count, of_terms = blob[:3]
    assert form == 1, form
    place, terms = 3, []
    for _ in range(of_terms):
        template, shift = 0, 0
        while True:
            byte, place = blob[place], place + 1
            template, shift = template | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                break
        bits = int.from_bytes(blob[place : place + 4], "little")
        length, place = blob[place + 4], place + 5
        terms.append((template, bits, int.from_bytes(blob[place : place + length], "big")))
        place += length
    kept, place = blob[place], place + 1
    differs = [False] * kept
    if count > 1:
        differs = [bool(blob[place + at // 8] >> at % 8 & 1) for at in range(kept)]
        place += (kept + 7) // 8
    same = bytearray(70)
    for at in range(kept):
        if not differs[at]:
            same[at], place = blob[place], place + 1
    for sequence in range(first, first + count):
        record = same[:]
        for at in range(kept):
            if differs[at]:
                record[at], place = blob[place], place + 1
        little = lambda part: int.from_bytes(part, "little")  # noqa: E731
        wait = int.from_bytes(record[53:55] + record[63:69], "little", signed=True)
        yield Share(
            sequence,
            *terms[record[55]],
            worker=little(record[51:53] + record[56:58]),
            extranonce=bytes(record[27:39]),
            lacks_tail=bool(record[69]),
            version=little(record[43:47]),
            time=little(record[47:51]),
            nonce=little(record[39:43]),
            received_at=committed_at - wait,
            hash=bytes(record[:27] + record[58:63]),
        )
    assert place == len(blob), "all of it was read"


def pack(shares, committed_at):
    """The blob of some shares, in which all bytes of the record are said to differ."""
    terms = sorted({(share.template, share.bits, share.units) for share in shares})
    blob = bytearray([1, len(shares), len(terms)])
    for template, bits, units in terms:
        while template >= 0x80:
            blob.append(template & 0x7F | 0x80)
            template >>= 7
        length = (units.bit_length() + 7) // 8
        blob += bytes([template]) + bits.to_bytes(4, "little") + bytes([length]) + units.to_bytes(length, "big")
    blob.append(70)
    if len(shares) > 1:
        blob += bytes([0xFF] * 8 + [0x3F])
    for share in shares:
        little = lambda number: number.to_bytes(4, "little")  # noqa: E731
        worker, wait = little(share.worker), (committed_at - share.received_at).to_bytes(8, "little", signed=True)
        blob += share.hash[:27] + share.extranonce + little(share.nonce) + little(share.version) + little(share.time)
        blob += worker[:2] + wait[:2] + bytes([terms.index((share.template, share.bits, share.units))]) + worker[2:]
        blob += share.hash[27:] + wait[2:] + bytes([share.lacks_tail])
    return bytes(blob)


def shares_of(db, after=0):
    """Every share after this one that was not pruned, in order."""
    after = max(after, db.execute("SELECT pruned_through FROM pool").fetchone()[0])
    sql = (
        f"SELECT first_sequence, committed_at, shares FROM {BATCHES} WHERE first_sequence >="
        f" COALESCE((SELECT MAX(first_sequence) FROM {BATCHES} WHERE first_sequence <= ?), 0) ORDER BY first_sequence"
    )
    for row in db.execute(sql, [after]):
        yield from (share for share in unpack(*row) if share.sequence > after)


def units_of(half_steps):
    """Work as the API writes it, from what the ledger stores, of which 2 * 10^28 are one unit."""
    whole, rest = divmod(half_steps, 2 * 10**28)
    fraction = f"{rest * 5:029}".rstrip("0")
    return f"{whole}.{fraction}" if fraction else f"{whole}"


def numbers(blob):
    """The numbers of a blob of a round: 7 bits a byte, the lowest first."""
    number, shift = 0, 0
    for byte in blob:
        number, shift = number | (byte & 0x7F) << shift, shift + 7
        if byte < 0x80:
            yield number
            number, shift = 0, 0
    assert shift == 0, "a number ends with the blob"


def credited_miners(db):
    return dict(db.execute("SELECT number, hotkey FROM credited_miners"))


def round_entries(db):
    """Every entry of `round_entries`: its round, account, hotkey and what came or went."""
    miners = credited_miners(db)
    for round_id, blob in db.execute(f"SELECT round, entries FROM {ROUND_ENTRIES} ORDER BY round"):
        of_blob = numbers(blob)
        for account in of_blob:
            hotkey = miners[next(of_blob)] if account >= 7 else b""
            doubled = next(of_blob)
            yield round_id, ACCOUNTS[account], hotkey, -(doubled + 1) // 2 if doubled & 1 else doubled // 2


def credits_of(db):
    """Every credit: whose, of which round, for how many half-steps, how much, of what kind."""
    for hotkey, round_id, half_steps, amount, kind in db.execute(f"SELECT hotkey, round, half_steps, amount, kind FROM {CREDITS} ORDER BY id"):
        yield hotkey, round_id, int.from_bytes(half_steps, "big"), amount, kind
    miners = credited_miners(db)
    for round_id, kind, blob in db.execute(f"SELECT round, kind, credits FROM {PACKED_CREDITS} ORDER BY id"):
        of_blob = numbers(blob)
        for miner in of_blob:
            _back, half_steps, amount = next(of_blob), next(of_blob), next(of_blob)
            yield miners[miner], round_id, half_steps, amount, kind


def uneven_rounds(db):
    """Rounds whose packed entries do not add up to 0, with what they add up to."""
    sums = collections.Counter()
    for round_id, _account, _hotkey, delta in round_entries(db):
        sums[round_id] += delta
    return [(round_id, total) for round_id, total in sums.items() if total != 0]


def folded(db):
    """What all entries add up to, by account and hotkey."""
    sums = collections.Counter()
    for account, hotkey, delta in db.execute(f"SELECT account, hotkey, delta FROM {JOURNAL}"):
        sums[account, hotkey] += delta
    for _round, account, hotkey, delta in round_entries(db):
        sums[account, hotkey] += delta
    return {account: amount for account, amount in sums.items() if amount != 0}


def balances(db):
    rows = db.execute(f"SELECT account, hotkey, amount FROM {BALANCES} WHERE amount <> 0")
    return {(account, hotkey): amount for account, hotkey, amount in rows}


class Journals:
    """Looks at the ledger after each kill; every promise that did not hold, with what was found, is in `broken`."""

    def __init__(self, folder):
        self.folders = [folder / "journals-0", folder / "journals-1"]
        for path in self.folders:
            path.mkdir()
        self.has_before = False
        # Each promise with how often it was looked at, and what was found against it.
        self.looked = collections.Counter()
        self.broken = collections.defaultdict(list)
        # The sequences of each share that is in the ledger, by its hash as explorers write it.
        self.sequences = collections.defaultdict(list)
        self.through = 0
        # In which states payouts were when the pool was killed.
        self.states = collections.Counter()
        self.reserved = []

    def says(self, what, found):
        """Notes what was found against a promise; nothing: it holds."""
        self.looked[what] += 1
        self.broken[what] += list(found)[:3]

    def after_kill(self, data_dir, miners, operator):
        """Compares the ledger of a pool that was just killed with the life before, and with what was told since."""
        self.folders.reverse()
        here, before = self.folders
        copy_ledger(data_dir, here)
        with contextlib.closing(sqlite3.connect(here / "dwarves.db")) as db:
            if self.has_before:
                db.execute("ATTACH ? AS earlier", [str(before / "dwarves.db")])
                self.compare(db)
            self.index_shares(db)
            self.check_books(db)
            self.check_payouts(db)
            self.check_told(db, miners, operator)
        self.has_before = True
        return any(self.broken.values())

    def begin_again(self, data_dir):
        """An older ledger was put back: what comes is compared with that."""
        copy_ledger(data_dir, self.folders[0])
        self.sequences.clear()
        self.through = 0
        self.has_before = True

    def compare(self, db):
        for table, number in APPENDED.items():
            gone = db.execute(f"SELECT * FROM earlier.{table} EXCEPT SELECT * FROM main.{table} LIMIT 3").fetchall()
            self.says(f"every row of {table} that was there is there, byte for byte", gone)
            if number is None:
                continue
            crept_in = db.execute(
                f"SELECT {number} FROM main.{table} WHERE {number} <= (SELECT MAX({number}) FROM earlier.{table})"
                f" EXCEPT SELECT {number} FROM earlier.{table} LIMIT 3"
            ).fetchall()
            self.says(f"{table} is only added to at its end", crept_in)
        for table, columns in LASTING.items():
            gone = db.execute(
                f"SELECT {columns} FROM earlier.{table} EXCEPT SELECT {columns} FROM main.{table} LIMIT 3"
            ).fetchall()
            self.says(f"every row of {table} goes on with the same {columns}", gone)
        for table, (key, columns) in SET_ONCE.items():
            for column, is_set in columns.items():
                other = db.execute(
                    f"SELECT before.{key}, before.{column}, now.{column} FROM earlier.{table} AS before"
                    f" JOIN main.{table} AS now USING ({key})"
                    f" WHERE {is_set} AND now.{column} IS NOT before.{column} LIMIT 3"
                ).fetchall()
                self.says(f"{column} of {table}, once it is set, stays", other)
        bytes_sql = (
            f"SELECT id, before.bytes, now.bytes FROM earlier.{PAYOUTS} AS before JOIN main.{PAYOUTS} AS now USING (id)"
            " WHERE before.bytes IS NOT NULL AND now.bytes IS NOT before.bytes AND (now.bytes <> x'' OR now.is_watched)"
        )
        self.says("a payout's transaction is signed once, and kept while it is watched", db.execute(bytes_sql).fetchall())
        self.says("payouts go only where they may", self.moved(db, PAYOUTS, "id", "state", BECOMES))
        self.says("what is booked of a block goes only forward", self.moved(db, BLOCKS, "hash", "accounting", BOOKED))

    @staticmethod
    def moved(db, table, key, column, allowed):
        rows = db.execute(
            f"SELECT {key}, before.{column}, now.{column} FROM earlier.{table} AS before JOIN main.{table} AS now USING ({key})"
        )
        return [row for row in rows if row[2] not in allowed[row[1]]]

    def index_shares(self, db):
        twice = []
        for share in shares_of(db, self.through):
            # The hash is stored as the hash function gives it, and told as explorers write it: the other way round.
            sequence, share_hash = share.sequence, share.hash[::-1].hex()
            found = self.sequences[share_hash]
            found.append(sequence)
            if len(found) > 1:
                twice.append((share_hash, found))
            if sequence != self.through + 1:
                self.says("sequences have no gap", [(self.through, sequence)])
            self.through = sequence
        self.says("no header is there twice", twice)

    def check_books(self, db):
        (whole,) = db.execute("PRAGMA quick_check(3)").fetchone()
        self.says("the database is whole", [whole] if whole != "ok" else [])
        for owner in OWNERS:
            uneven = db.execute(
                f"SELECT {owner}, SUM(delta) FROM {JOURNAL} WHERE {owner} IS NOT NULL GROUP BY {owner} HAVING SUM(delta) <> 0"
            ).fetchall()
            self.says(f"the entries of every {owner} add up to 0", uneven)
        self.says("the entries of every round add up to 0", uneven_rounds(db))
        sums, stored = folded(db), balances(db)
        self.says("all entries add up to 0", [total for total in [sum(sums.values())] if total != 0])
        other = [
            (account, hotkey.hex()[:8], sums.get((account, hotkey)), stored.get((account, hotkey)))
            for account, hotkey in sums.keys() | stored.keys()
            if sums.get((account, hotkey)) != stored.get((account, hotkey))
        ]
        self.says("balances are what the entries of the journal add up to", other)

    def check_payouts(self, db):
        """Each payout's entries are those of its state."""
        booked = collections.defaultdict(collections.Counter)
        for payout, account, delta in db.execute(f"SELECT payout, account, delta FROM {JOURNAL} WHERE payout IS NOT NULL"):
            booked[payout][account] += delta
        sql = (
            f"SELECT {PAYOUTS}.id, state, SUM(amount), SUM({PARTS}.fee), SUM(borne) FROM {PAYOUTS}"
            f" JOIN {PARTS} ON payout = {PAYOUTS}.id GROUP BY {PAYOUTS}.id ORDER BY {PAYOUTS}.id"
        )
        wrong, self.reserved, known = [], [], set()
        for payout, state, amount, fee, borne in db.execute(sql):
            known.add(payout)
            self.states[state] += 1
            if state == "reserved":
                self.reserved.append(payout)
            is_out = state not in ("returned", "cancelled")
            expected = {
                "miner_payable": borne - amount if is_out else 0,
                "miner_in_flight": amount if is_out and state != "confirmed" else 0,
                "miner_paid": amount - fee if state == "confirmed" else 0,
            }
            found = {account: booked[payout][account] for account in expected}
            if found != expected:
                wrong.append((payout, state, found, expected))
        self.says("what is booked of each payout is what its state and parts say", wrong)
        self.says("every entry of a payout belongs to one", sorted(booked.keys() - known))

    def check_told(self, db, miners, operator):
        """What anybody was told before the kill is in the ledger after it."""
        for miner in miners:
            # An answer that was on its way is noted a little later, and is as good.
            told = dict(miner.acknowledged)
            lost = [(miner.name, share, n, self.sequences.get(share)) for share, n in told.items() if not self.has(share, n)]
            self.says("every acknowledged share is there once, at the sequence that was told", lost)
        blocks = {row[0][::-1].hex(): row[1] for row in db.execute(f"SELECT hash, height FROM {BLOCKS}")}
        shown = operator.blocks.items()
        self.says("every block that was shown is there", [(k, v, blocks.get(k)) for k, v in shown if blocks.get(k) != v])
        rounds = {row[0]: row[1:] for row in db.execute(f"SELECT id, reward, fee, credited, kept FROM {ROUNDS}")}
        shown = operator.rounds.items()
        self.says("every round that was shown is there", [(k, v, rounds.get(k)) for k, v in shown if rounds.get(k) != v])
        credits = collections.Counter(
            (hotkey.hex(), round_id, units_of(half_steps), amount, kind) for hotkey, round_id, half_steps, amount, kind in credits_of(db)
        )
        missing = [(credit, n, credits[credit]) for credit, n in operator.credits.items() if credits[credit] < n]
        self.says("every credit that was shown is there", missing)
        payouts = {
            (row[0], row[1]): row[2:]
            for row in db.execute(
                f"SELECT payout, lower(hex(hotkey)), lower(hex(txid)), state, amount FROM {PARTS}"
                f" JOIN {PAYOUTS} ON {PAYOUTS}.id = payout"
            )
        }
        gone = []
        for key, (txid, state, amount) in operator.payouts.items():
            found = payouts.get(key)
            stored_txid = bytes.fromhex(found[0])[::-1].hex() if found and found[0] else None
            if found is None or (txid and txid != stored_txid) or found[1] not in BECOMES[state] or found[2] != amount:
                gone.append((key, (txid, state, amount), found))
        self.says("every payout that was shown is there, with its transaction, and went only where it may", gone)
        sql = f"SELECT actor, message, fields, outcome FROM {AUDIT} ORDER BY id"
        trail = [(row[0], row[1], json.dumps(json.loads(row[2]), sort_keys=True), row[3]) for row in db.execute(sql)]
        missing, place = [], 0
        for order in operator.orders:
            # Orders whose answer was lost may be between those that were answered.
            found = place
            while found < len(trail) and not (trail[found][:3] == order[:3] and trail[found][3].startswith(order[3])):
                found += 1
            if found == len(trail):
                missing.append(order)
            else:
                place = found + 1
        self.says("every order that was answered is in the audit trail, in order and with its outcome", missing)
        numbered = collections.Counter(row[:3] for row in trail if operator.is_numbered(row))
        self.says("no order is in the audit trail twice", [row for row, times in numbered.items() if times > 1])

    def has(self, share, sequence):
        """Whether a share is there once; `None`: its sequence was not told."""
        found = self.sequences.get(share, [])
        return len(found) == 1 and sequence in (None, found[0])


def open_running(data_dir):
    """The ledger of a pool that runs, to be read only."""
    return sqlite3.connect(f"file:{pathlib.Path(data_dir) / 'dwarves.db'}?mode=ro", uri=True, timeout=0)


def notices_on_their_way(data_dir):
    """Deliveries, to people and to miners, that are not booked as arrived: what was sent and not booked is sent again."""
    with contextlib.closing(open_running(data_dir)) as db:
        counts = [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("deliveries", "miner_notices")]
    return sum(counts)


def last_state(db):
    row = db.execute(f"SELECT state FROM {PAYOUTS} ORDER BY id DESC LIMIT 1").fetchone()
    return row and row[0]
