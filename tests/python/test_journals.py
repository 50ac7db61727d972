"""What the crash test's comparison of ledgers says of ledgers that were tampered with: each promise can be broken."""

import contextlib
import decimal
import json
import sqlite3
import types

import pytest
from harness import ROOT
from journals import Journals, copy_ledger, units_of

FIXTURE = ROOT / "tests/fixtures/ledger-d4dd595"
MIGRATIONS = ROOT / "adapters/store-sqlite/src/migrations"
UNLOCK = "DROP TRIGGER journal_is_not_edited; DROP TRIGGER audit_is_not_edited;"


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
                db.executescript(path.read_text())


@pytest.fixture
def ledger(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    copy_ledger(FIXTURE, folder)
    bring_up_to_date(folder)
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
        ("DELETE FROM shares WHERE sequence = 129", "every row of shares that was there is there, byte for byte"),
        ("UPDATE shares SET nonce = nonce + 1 WHERE sequence = 5", "every row of shares that was there is there, byte for byte"),
        ("UPDATE shares SET sequence = 200 WHERE sequence = 129", "sequences have no gap"),
        (
            "INSERT INTO shares (sequence, template, extranonce, worker, share_bits, version, time, nonce, received_at, units, total,"
            " hash, extranonce_tail) SELECT 130, template, extranonce, worker, share_bits, version, time, nonce, received_at, units,"
            " total, hash, extranonce_tail FROM shares WHERE sequence = 7",
            "no header is there twice",
        ),
        ("UPDATE batches SET committed_at = 1 WHERE id = 1", "every row of batches that was there is there, byte for byte"),
        ("DELETE FROM rounds WHERE id = 44", "every row of rounds that was there is there, byte for byte"),
        ("UPDATE credits SET amount = amount + 1 WHERE id = 1", "every row of credits that was there is there, byte for byte"),
        ("UPDATE journal SET delta = delta + 1 WHERE id = 1", "all entries add up to 0"),
        ("UPDATE journal SET delta = delta - 1 WHERE round IS NOT NULL", "the entries of every round add up to 0"),
        ("UPDATE journal SET delta = delta + 1 WHERE payout IS NOT NULL", "the entries of every payout add up to 0"),
        ("UPDATE journal SET at = at + 1 WHERE id = 1", "every row of journal that was there is there, byte for byte"),
        ("UPDATE journal SET payout = 9 WHERE payout = 1", "every entry of a payout belongs to one"),
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
    tamper(ledger, UNLOCK + sql)
    assert journals.after_kill(ledger, [], nobody())
    assert promise in broken(journals), dict(journals.broken)


def test_what_was_told_and_is_not_there_is_found(journals, ledger):
    ((share, sequence),) = read(ledger, "SELECT hash, sequence FROM shares WHERE sequence = 3")
    share = share[::-1].hex()
    ((block, height),) = read(ledger, "SELECT hash, height FROM blocks WHERE id = 1")
    block = block[::-1].hex()
    ((payout, hotkey, txid, amount),) = read(
        ledger, "SELECT payout, hotkey, txid, amount FROM payout_parts JOIN payouts ON payouts.id = payout WHERE payout_parts.id = 12"
    )
    key, txid = (payout, hotkey.hex()), txid[::-1].hex()
    ((credit,), (other,)) = (
        [
            (row[0].hex(), row[1], units_of(row[2]), *row[3:])
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
