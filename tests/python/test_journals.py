"""What the crash test's comparison of ledgers says of ledgers that were tampered with: each promise can be broken."""

import contextlib
import decimal
import json
import sqlite3
import struct
import types

import pytest
from harness import ROOT
from journals import Journals, Share, copy_ledger, pack, shares_of, units_of, unpack

FIXTURE = ROOT / "tests/fixtures/ledger-d4dd595"
MIGRATIONS = ROOT / "adapters/store-sqlite/src/migrations"
UNLOCK = "DROP TRIGGER journal_is_not_edited; DROP TRIGGER audit_is_not_edited; DROP TRIGGER round_entries_are_not_edited;"


# One that gives 300 sats of an emission to the miner of the first credit, in the form of today: 300 is ac 02.
A_ROUND_OF_TODAY = """
    INSERT INTO rounds (id, closed_at, scheme, source, reward, fee, kept, credited, through, digest)
        SELECT MAX(id) + 1, closed_at, scheme, 'emission', 300, 0, 0, 300, through, x'00' FROM rounds;
    INSERT INTO credited_miners (number, hotkey, credits, last_credit)
        SELECT 200, (SELECT hotkey FROM credits WHERE id = 1), 1, MAX(id) + 1 FROM credits;
    INSERT INTO packed_credits (id, round, kind, block, credits)
        SELECT last_credit, (SELECT MAX(id) FROM rounds), 'credit', NULL, x'c8010007ac02' FROM credited_miners;
    INSERT INTO round_entries (round, journal_through, entries)
        SELECT MAX(id), (SELECT MAX(id) FROM journal), x'01d70408c801d804' FROM rounds;
    INSERT INTO balances (account, hotkey, amount) VALUES ('emission', x'', -300);
    UPDATE balances SET amount = amount + 300 WHERE account = 'miner_payable' AND hotkey = (SELECT hotkey FROM credits WHERE id = 1);
"""


def nobody():
    """An operator who was told nothing yet."""
    return types.SimpleNamespace(blocks={}, rounds={}, credits={}, payouts={}, orders=[], is_numbered=lambda row: False)


def read(folder, sql):
    with contextlib.closing(sqlite3.connect(folder / "dwarves.db")) as db:
        return db.execute(sql).fetchall()


def tamper(folder, sql):
    with contextlib.closing(sqlite3.connect(folder / "dwarves.db")) as db:
        db.executescript(sql)


def half_steps(units):
    with decimal.localcontext(prec=60):
        return int(decimal.Decimal(units) * 2 * 10**28).to_bytes(16, "big")


def bring_up_to_date(folder):
    """As a pool does when it opens the ledger."""
    with contextlib.closing(sqlite3.connect(folder / "dwarves.db")) as db:
        db.create_function("half_steps", 1, half_steps, deterministic=True)
        (version,) = db.execute("PRAGMA user_version").fetchone()
        for path in sorted(MIGRATIONS.glob("*.sql")):
            if int(path.name[:4]) > version:
                if path.name.startswith("0093"):
                    pack_shares(db)
                db.executescript(path.read_text())


def pack_shares(db):
    """Each commit's shares as one row: what a pool does, but that it takes rows of sixteen."""
    columns = "sequence, template, share_bits, units, worker, extranonce, extranonce_tail, version, time, nonce, received_at, hash"
    batches = db.execute("SELECT first_sequence, last_sequence, committed_at, total_before FROM batches").fetchall()
    for first, last, committed_at, total_before in batches:
        rows = db.execute(f"SELECT {columns} FROM shares WHERE sequence BETWEEN ? AND ?", [first, last]).fetchall()
        shares = [
            Share(*row[:3], int.from_bytes(row[3], "big"), row[4], struct.pack(">qI", row[5], row[6] or 0), row[6] is None, *row[7:])
            for row in rows
        ]
        row = [first, committed_at, total_before, pack(shares, committed_at)]
        db.execute(
            "INSERT INTO packed_batches (first_sequence, place, committed_at, total_before, shares) VALUES (?, 0, ?, ?, ?)", row
        )
    db.commit()


def repack(folder, change):
    """Changes the list of shares of the ledger's last row."""
    with contextlib.closing(sqlite3.connect(folder / "dwarves.db")) as db:
        first, committed_at, blob = db.execute(
            "SELECT first_sequence, committed_at, shares FROM batches ORDER BY first_sequence DESC LIMIT 1"
        ).fetchone()
        shares = change(db, list(unpack(first, committed_at, blob)))
        if shares:
            db.execute("UPDATE batches SET shares = ? WHERE first_sequence = ?", [pack(shares, committed_at), first])
        else:
            db.execute("DELETE FROM batches WHERE first_sequence = ?", [first])
        db.commit()


@pytest.fixture
def ledger(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    copy_ledger(FIXTURE, folder)
    bring_up_to_date(folder)
    tamper(folder, A_ROUND_OF_TODAY)
    return folder


@pytest.fixture
def journals(tmp_path, ledger):
    journals = Journals(tmp_path)
    assert not journals.after_kill(ledger, [], nobody()), journals.broken
    return journals


def broken(journals):
    return {what for what, found in journals.broken.items() if found}


def test_a_ledger_that_only_went_on_breaks_no_promise(journals, ledger):
    tamper(
        ledger,
        """INSERT INTO audit (id, at, who, actor, message, fields, outcome) SELECT id + 1, at, who, actor, message, fields, outcome FROM audit;
        UPDATE blocks SET state = 'mature', confirmations = 200, bytes = x'' WHERE state = 'immature';
        UPDATE payouts SET confirmations = 9 WHERE state = 'broadcast';""",
    )
    assert not journals.after_kill(ledger, [], nobody()), journals.broken
    assert len(journals.looked) > 30


@pytest.mark.parametrize(
    ("sql", "promise"),
    [
        (lambda db, shares: shares[:-1], "every row of batches that was there is there, byte for byte"),
        (
            lambda db, shares: [shares[0]._replace(nonce=shares[0].nonce ^ 1), *shares[1:]],
            "every row of batches that was there is there, byte for byte",
        ),
        ("UPDATE batches SET first_sequence = 200 WHERE first_sequence = (SELECT MAX(first_sequence) FROM batches)", "sequences have no gap"),
        (lambda db, shares: [*shares, next(shares_of(db, 6))], "no header is there twice"),
        ("UPDATE batches SET committed_at = 1 WHERE first_sequence = 1", "every row of batches that was there is there, byte for byte"),
        ("DELETE FROM rounds WHERE id = 44", "every row of rounds that was there is there, byte for byte"),
        ("UPDATE credits SET amount = amount + 1 WHERE id = 1", "every row of credits that was there is there, byte for byte"),
        ("UPDATE journal SET delta = delta + 1 WHERE id = 1", "all entries add up to 0"),
        ("UPDATE journal SET delta = delta - 1 WHERE round IS NOT NULL", "the entries of every round add up to 0"),
        ("UPDATE journal SET delta = delta + 1 WHERE payout IS NOT NULL", "the entries of every payout add up to 0"),
        ("UPDATE journal SET at = at + 1 WHERE id = 1", "every row of journal that was there is there, byte for byte"),
        ("UPDATE journal SET payout = 9 WHERE payout = 1", "every entry of a payout belongs to one"),
        ("UPDATE packed_credits SET kind = 'return'", "every row of packed_credits that was there is there, byte for byte"),
        ("UPDATE packed_credits SET id = id - 1", "every row of packed_credits that was there is there, byte for byte"),
        ("UPDATE round_entries SET entries = x'01d70408c801d604'", "the entries of every round add up to 0"),
        ("UPDATE round_entries SET entries = x'01d70403d804'", "balances are what the entries of the journal add up to"),
        ("UPDATE round_entries SET journal_through = 0", "every row of round_entries that was there is there, byte for byte"),
        ("UPDATE audit SET who = 'me'", "every row of audit that was there is there, byte for byte"),
        ("UPDATE audit SET id = id + 1", "every row of audit that was there is there, byte for byte"),
        ("INSERT INTO audit (id, at, who, actor, message, fields, outcome) SELECT 0, at, who, actor, message, fields, outcome FROM audit", "audit is only added to at its end"),
        ("UPDATE balances SET amount = amount + 1 WHERE account = 'fee'", "balances are what the entries of the journal add up to"),
        ("DELETE FROM block_credits WHERE amount = (SELECT MAX(amount) FROM block_credits)", "every row of block_credits that was there is there, byte for byte"),
        ("UPDATE credited_blocks SET fee = fee + 1", "every row of credited_blocks that was there is there, byte for byte"),
        ("UPDATE blocks SET reward = 1 WHERE id = 1", "every row of blocks goes on with the same id, hash, height, reward, found_at"),
        ("UPDATE blocks SET finder = x'01'", "finder of blocks, once it is set, stays"),
        ("UPDATE blocks SET accounting = 'credited' WHERE accounting = 'matured'", "what is booked of a block goes only forward"),
        ("UPDATE payouts SET fee_rate = 2 WHERE id = 1", "every row of payouts goes on with the same id, reserved_at, fee_payer, fee_rate"),
        ("UPDATE payouts SET txid = x'01' WHERE id = 4", "txid of payouts, once it is set, stays"),
        ("UPDATE payouts SET sent_at = NULL WHERE id = 4", "sent_at of payouts, once it is set, stays"),
        ("UPDATE payouts SET fee = fee + 1 WHERE id = 4", "fee of payouts, once it is set, stays"),
        ("UPDATE payouts SET inputs = x'' WHERE id = 4", "inputs of payouts, once it is set, stays"),
        ("UPDATE payouts SET bytes = x'' WHERE id = 4", "a payout's transaction is signed once, and kept while it is watched"),
        ("UPDATE payouts SET bytes = x'00' WHERE id = 4", "a payout's transaction is signed once, and kept while it is watched"),
        ("UPDATE payouts SET state = 'signed' WHERE id = 4", "payouts go only where they may"),
        ("UPDATE payouts SET state = 'confirmed' WHERE id = 4", "what is booked of each payout is what its state and parts say"),
        (
            "UPDATE payout_parts SET amount = amount + 1 WHERE id = 1",
            "every row of payout_parts goes on with the same id, payout, place, hotkey, address, amount",
        ),
        ("UPDATE payout_parts SET fee = fee + 1 WHERE payout = 1", "what is booked of each payout is what its state and parts say"),
    ],
)
def test_what_was_tampered_with_is_found(journals, ledger, sql, promise):
    if callable(sql):
        repack(ledger, sql)
    else:
        tamper(ledger, UNLOCK + sql)
    assert journals.after_kill(ledger, [], nobody())
    assert promise in broken(journals), dict(journals.broken)


def test_what_was_told_and_is_not_there_is_found(journals, ledger):
    with contextlib.closing(sqlite3.connect(ledger / "dwarves.db")) as db:
        third = next(shares_of(db, 2))
    share, sequence = third.hash[::-1].hex(), third.sequence
    ((block, height),) = read(ledger, "SELECT hash, height FROM blocks WHERE id = 1")
    block = block[::-1].hex()
    ((payout, hotkey, txid, amount),) = read(
        ledger, "SELECT payout, hotkey, txid, amount FROM payout_parts JOIN payouts ON payouts.id = payout WHERE payout_parts.id = 12"
    )
    key, txid = (payout, hotkey.hex()), txid[::-1].hex()
    ((credit,), (other,)) = (
        [
            (row[0].hex(), row[1], units_of(int.from_bytes(row[2], "big")), *row[3:])
            for row in read(ledger, f"SELECT hotkey, round, half_steps, amount, kind FROM credits WHERE id = {n}")
        ]
        for n in (1, 2)
    )
    sums = read(ledger, "SELECT reward, fee, credited, kept FROM rounds WHERE id = 2")[0]
    order = ("pool_manager", "status", "{}", '{"done"')

    def found(acknowledged=None, **told):
        miner = types.SimpleNamespace(name="miner", acknowledged=acknowledged or {})
        operator = nobody()
        vars(operator).update(told)
        journals.broken.clear()
        journals.after_kill(ledger, [miner], operator)
        return broken(journals)

    everything = {
        "blocks": {block: height},
        "rounds": {2: sums},
        "credits": {credit: 1, other: 1},
        "payouts": {key: (txid, "broadcast", amount)},
        "orders": [order],
    }
    assert found({share: sequence}, **everything) == set()
    assert found({share: None}) == found(payouts={key: (None, "reserved", amount)}) == set()
    for acknowledged in ({share: 4}, {"00" * 32: None}, {"00" * 32: 3}):
        assert found(acknowledged) == {"every acknowledged share is there once, at the sequence that was told"}
    for blocks in ({block: height + 1}, {"00" * 32: height}):
        assert found(blocks=blocks) == {"every block that was shown is there"}
    for rounds in ({45: sums}, {2: (sums[0] + 1, *sums[1:])}):
        assert found(rounds=rounds) == {"every round that was shown is there"}
    for credits in ({credit: 2}, {(*credit[:3], credit[3] + 1, credit[4]): 1}):
        assert found(credits=credits) == {"every credit that was shown is there"}
    for shown in (
        {(9, key[1]): (txid, "broadcast", amount)},
        {key: ("00" * 32, "broadcast", amount)},
        {key: (txid, "cancelled", amount)},
        {key: (txid, "broadcast", amount + 1)},
    ):
        assert found(payouts=shown) == {"every payout that was shown is there, with its transaction, and went only where it may"}
    for orders in ([order, order], [("paymaster", *order[1:])], [(*order[:2], json.dumps({"x": 1}), order[3])], [(*order[:3], '{"refused"')]):
        assert found(orders=orders) == {"every order that was answered is in the audit trail, in order and with its outcome"}
