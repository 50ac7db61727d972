"""Verifies a batch of payouts that a pool exported, before anybody sends it: signature, form, sums.

    python verify_batch.py batch.json 5PoolHotkey...              # as GET /v1/admin/batches/NAME or `dwarves batch NAME` gives it
    python verify_batch.py batch.json 5PoolHotkey... before.json  # and that it follows the batch before
    python verify_batch.py batch.csv 5PoolHotkey... 0xSignature   # the table: X-Signature, or what `dwarves batch` writes to stderr

Needs nothing but PyPI `bittensor` 11. Take the pool's hotkey from where you trust it, not from the file.
Prints a JSON object a payout: to whom, where, how much; ends with status 1 if something does not hold.
"""

import csv
import hashlib
import io
import json
import pathlib
import sys

from bittensor.sp_core import verify

DOMAIN_LINE = "dwarves/payout-batch/1"
CSV_DOMAIN_LINE = "dwarves/payout-batch-csv/1"
COLUMNS = ["batch", "payout", "hotkey", "address", "amount", "amount_in_units", "unit"]


class Invalid(Exception):
    """What does not hold, in words."""


def must(holds, words):
    if not holds:
        raise Invalid(words)


def number(text):
    must(isinstance(text, str) and text.isascii() and text.isdigit(), f"not a whole number: {text!r}")
    must(text == str(int(text)), f"not as numbers are written: {text!r}")
    return int(text)


def signed(text, signature, hotkey):
    must(verify(text.encode(), bytes.fromhex(signature.removeprefix("0x")), hotkey), "the signature is not this hotkey's")


def check_payouts(payouts):
    """That each is another miner's, and that they are numbered one by one."""
    must(payouts, "there is no payout in it")
    must(len({payout["hotkey"] for payout in payouts}) == len(payouts), "a miner is paid twice")
    first = number(payouts[0]["payout"])
    must([number(payout["payout"]) for payout in payouts] == list(range(first, first + len(payouts))), "a payout is left out")
    must(all(number(payout["amount"]) > 0 for payout in payouts), "a payout is of nothing")


def check(answer, hotkey, before=None):
    """Checks a batch in JSON, and with `before` that it follows that one. Returns what was signed."""
    text = answer["text"]
    signed(text, answer["signature"], hotkey)
    line, _, body = text.partition("\n")
    must(line == DOMAIN_LINE, f"the first line is not {DOMAIN_LINE}")
    batch = json.loads(body)
    must(body == json.dumps(batch, sort_keys=True, separators=(",", ":")), "the JSON is not in its one form")
    must(batch["pool"] == hotkey == answer["hotkey"], "it is of another pool")
    must(batch["batch"] == answer["batch"], "it has another name")
    must(answer["digest"] == hashlib.sha256(text.encode()).hexdigest(), "the digest is not the text's")
    must(answer["previous"] == (batch["previous"] or None), "the one before is another in the answer")
    check_payouts(batch["payouts"])
    total = sum(number(payout["amount"]) for payout in batch["payouts"])
    must(total == number(batch["total"]) == answer["total_sats"], "the payouts do not add up to the total")
    must(len(batch["payouts"]) == answer["payouts"], "there are more or fewer payouts in it")
    if before is not None:
        earlier = json.loads(before["text"].partition("\n")[2])
        must(batch["previous"] == before["digest"], "it does not follow the batch before")
        last = number(earlier["payouts"][-1]["payout"])
        must(number(batch["payouts"][0]["payout"]) > last, "a payout is in both batches")
    return batch


def in_units(amount, decimals):
    digits = amount.rjust(decimals + 1, "0")
    return f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits


def check_csv(text, signature, hotkey):
    """Checks a batch's table. Returns its rows."""
    signed(f"{CSV_DOMAIN_LINE}\n{text}", signature, hotkey)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    must(rows and list(rows[0]) == COLUMNS, "the columns are others")
    check_payouts(rows)
    must(len({(row["batch"], row["unit"]) for row in rows}) == 1, "it is not of one batch")
    places = len(rows[0]["amount_in_units"].partition(".")[2])
    must(all(row["amount_in_units"] == in_units(row["amount"], places) for row in rows), "an amount is written in two ways")
    return rows


def main(file, hotkey, *more):
    text = pathlib.Path(file).read_bytes().decode()
    if file.endswith(".csv"):
        payouts = check_csv(text, more[0], hotkey)
    else:
        before = json.loads(pathlib.Path(more[0]).read_text()) if more else None
        payouts = check(json.loads(text), hotkey, before)["payouts"]
    for payout in payouts:
        print(json.dumps({name: payout[name] for name in ("payout", "hotkey", "address", "amount")}))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (Invalid, KeyError, IndexError, TypeError, ValueError, OSError) as error:
        sys.exit(f"not valid: {error!r}")
