"""Verifies a pool's statements of work: signature, form, sums, and that each follows the one before.

    python verify_statement.py http://pool:8080 5PoolHotkey...              # all statements that the pool has
    python verify_statement.py http://pool:8080 5PoolHotkey... 1795000000   # one epoch and the one before it

Needs nothing but PyPI `bittensor` 11. Ask for the pool's hotkey elsewhere (its axon on the chain, say), not from this pool.
Prints a JSON object for each statement, oldest first, with what each hotkey did; ends with status 1 at the first that does not hold.
"""

import hashlib
import json
import sys
import urllib.request

from bittensor.sp_core import verify

DOMAIN_LINE = "dwarves/work-statement/1"
WORK = ("active_minutes", "hashes", "shares", "units")


class Invalid(Exception):
    """What does not hold, in words."""


def must(holds, words):
    if not holds:
        raise Invalid(words)


def number(text):
    must(isinstance(text, str) and text.isascii() and text.isdigit(), f"not a whole number: {text!r}")
    must(text == str(int(text)), f"not as numbers are written: {text!r}")
    return int(text)


def added(works):
    """The sums of what several did."""
    sums = {name: sum(number(work[name]) for work in works) for name in WORK}
    reasons = {reason for work in works for reason in work["rejected"]}
    sums["rejected"] = {r: sum(number(work["rejected"].get(r, "0")) for work in works) for r in sorted(reasons)}
    return sums


def check(answer, hotkey, before=None):
    """Checks an answer of GET /v1/epochs/{id}, and with `before` that it follows that one. Returns what was stated."""
    text, signature = answer["statement"], answer["signature"]
    must(verify(text.encode(), bytes.fromhex(signature.removeprefix("0x")), hotkey), "the signature is not this hotkey's")
    line, _, body = text.partition("\n")
    must(line == DOMAIN_LINE, f"the first line is not {DOMAIN_LINE}")
    stated = json.loads(body)
    must(body == json.dumps(stated, sort_keys=True, separators=(",", ":")), "the JSON is not in its one form")
    must(stated["pool"] == hotkey, "it is stated by another pool")
    must(answer["digest"] == hashlib.sha256(text.encode()).hexdigest(), "the digest is not the text's")
    must(answer["id"] == number(stated["start"]) < number(stated["end"]), "the epoch is another, or ends before it begins")
    names = [(miner["hotkey"], work["worker"]) for miner in stated["miners"] for work in miner["workers"]]
    must(len(set(names)) == len(names), "a worker is named twice")
    works = [work for miner in stated["miners"] for work in miner["workers"]]
    total = {name: stated["total"][name] for name in WORK}
    must(added(works) == added([total | {"rejected": stated["total"]["rejected"]}]), "the workers do not add up to the total")
    shares = number(stated["sequence_through"]) - number(stated["sequence_after"])
    must(number(stated["total"]["shares"]) == shares, "the shares are not those between the two numbers")
    must(answer["previous"] == (stated["previous"] or None), "the one before is another in the answer")
    if before is not None:
        earlier = json.loads(before["statement"].partition("\n")[2])
        must(stated["previous"] == before["digest"], "it does not follow the statement before")
        must(number(stated["start"]) >= number(earlier["end"]), "it begins before the one before ends")
        must(number(stated["sequence_after"]) >= number(earlier["sequence_through"]), "a share is stated twice")
        is_next = stated["start"] == earlier["end"]
        must(not is_next or stated["sequence_after"] == earlier["sequence_through"], "a share is left out")
    return stated


def summary(stated, before=None):
    """What each hotkey did, and what nobody stated between this one and the one before."""
    gap = number(stated["start"]) - number(before["end"]) if before else 0
    hotkeys = {miner["hotkey"]: added(miner["workers"]) for miner in stated["miners"]}
    return {"start": number(stated["start"]), "end": number(stated["end"]), "gap_secs": gap, "hotkeys": hotkeys}


def get(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)


def epochs(pool, cursor=""):
    """The names of all epochs, newest first."""
    while cursor is not None:
        page = get(f"{pool}/v1/epochs?limit=100" + (f"&cursor={cursor}" if cursor else ""))
        yield from (epoch["id"] for epoch in page["epochs"])
        cursor = page["next_cursor"]


def main(pool, hotkey, *only):
    ids = [int(only[0])] if only else list(epochs(pool))[::-1]
    before = next(([get(f"{pool}/v1/epochs/{id}")] for id in epochs(pool, str(ids[0]))), [None])[0] if only else None
    earlier = check(before, hotkey) if before else None
    for id in ids:
        answer = get(f"{pool}/v1/epochs/{id}")
        stated = check(answer, hotkey, before)
        print(json.dumps(summary(stated, earlier)))
        before, earlier = answer, stated


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (Invalid, KeyError, TypeError, ValueError, OSError) as error:
        sys.exit(f"not valid: {error!r}")
