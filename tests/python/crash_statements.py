"""The statements of a ledger whose pool was killed again and again, compared with its shares and checked as a validator does."""

import collections
import importlib.util
import pathlib
import zlib

from harness import ss58
from journals import STATEMENTS, WORKERS, shares_of

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "clients/python/verify_statement.py"

spec = importlib.util.spec_from_file_location("verify_statement", PROGRAM)
verifier = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verifier)


def answers_of(db):
    """Each statement of a ledger as the API answers it, oldest first."""
    columns = "start, digest, previous, signature, length, text"
    for start, digest, previous, signature, length, text in db.execute(f"SELECT {columns} FROM {STATEMENTS} ORDER BY start"):
        text = zlib.decompress(text, -15)
        assert len(text) == length
        yield {
            "id": start,
            "digest": digest.hex(),
            "previous": previous and previous.hex(),
            "signature": "0x" + signature.hex(),
            "statement": text.decode(),
        }


def hashes_of(bits):
    """What a share of this target counts for, by the definition in docs/bittensor.md."""
    target = (bits & 0x7FFFFF) << (8 * ((bits >> 24) - 3))
    return (1 << 256) // (target + 1)


def done(shares, owners):
    """What each worker's shares came to: how many, in hashes, in units."""
    sums = collections.defaultdict(lambda: [0, 0, 0])
    for share in shares:
        for place, more in enumerate((1, hashes_of(share.bits), share.units)):
            sums[owners[share.worker]][place] += more
    return dict(sums)


def stated_work(stated):
    """What a statement says of the same. Workers without an accepted share are left out."""
    sums = {}
    for miner in stated["miners"]:
        for work in miner["workers"]:
            figures = [int(work[name]) for name in ("shares", "hashes", "units")]
            if figures[0]:
                sums[miner["hotkey"], work["worker"]] = figures
    return sums


def check_statements(db, hotkey, check, problems):
    """Gives the number of checks."""
    shares = list(shares_of(db))
    owners = {number: (ss58(key), name) for number, key, name in db.execute(f"SELECT id, hotkey, name FROM {WORKERS}")}
    before, wrong, through, counted, number = None, [], 0, 0, 0
    for number, answer in enumerate(answers_of(db), 1):
        try:
            stated = verifier.check(answer, hotkey, before)
        except verifier.Invalid as error:
            wrong.append((answer["id"], repr(error)))
            break
        after, last = int(stated["sequence_after"]), int(stated["sequence_through"])
        if before is not None and after != through:
            wrong.append((answer["id"], "a share is in two statements or in none", through, after))
        if stated_work(stated) != done(shares[after:last], owners):
            wrong.append((answer["id"], "other work than the shares'"))
        before, through, counted = answer, last, counted + last - after
    print(f"     {counted} of {len(shares)} shares are in {number} statements, {len(shares) - through} in the open epoch")
    checks = check("every statement holds, follows the one before, and says what its shares came to", not wrong, problems, wrong[:3])
    return checks + check("there were statements enough to mean anything", number > 10 and counted > 500, problems, (number, counted))
