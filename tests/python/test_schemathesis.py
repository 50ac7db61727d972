"""`/openapi.json` tells the truth: PyPI's schemathesis, as it comes, asks the running pool whatever the document allows and
forbids, and finds nothing.

It is the same run each time. A longer one, with other requests:

    SCHEMATHESIS_EXAMPLES=500 SCHEMATHESIS_SEED=$RANDOM tests/all      (or pytest on this file alone)
"""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
from harness import Pool, eventually
from schemathesis_hooks import NOT_SENT

USUAL = "5"
# The program, beside the interpreter that has it.
ST = pathlib.Path(sys.executable).with_name("st")
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", USUAL)
SEED = os.environ.get("SCHEMATHESIS_SEED", "20261129")
# The checks that it has, but for these.
SWITCHED_OFF = {
    "object_level_authorization": "needs two identities that make things of their own; test_auth.py has them",
    "use_after_free": "what is deleted is a session, what a miner is told, which may be read and set again at once, or a watch token, which has no path",
    "ensure_resource_availability": "what is made is a session or a watch token, and neither has a path of its own",
}
CHECKS = {
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "positive_data_acceptance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
}
# Where a request that keeps to its description may be refused all the same, for what no schema can say.
REFUSED_ALL_THE_SAME = {
    "/v1/pool/history": (400, "`from` lies before `to`, with at most 1,500 points between"),
    "/v1/miners/{hotkey}/history": (400, "the same"),
    "/v1/admin/control": (422, "hotkeys have a checksum"),
    "/v1/work": (400, "1.0 is an integer to a schema, and is refused here, as the description of a Word says"),
    "/v1/miners": (422, "payout addresses have a checksum"),
    "/v1/miners/{hotkey}/watches": (400, "1.0 is an integer to a schema, as above"),
    "/v1/miners/{hotkey}/notifications": (400, 422, "a channel has what its kind needs, and hours differ; 21.0 is no hour"),
    "/v1/miners/{hotkey}/notifications/test": (422, "a channel is one that there is"),
    "/v1/miners/{hotkey}/notifications/confirm": (422, "likewise, and its code is the one that was mailed"),
}
URI = "//Schemathesis"
PAYOUT_ADDRESS = "bcrt1q66acvwhw7fe08r0w06fjq6k0n3pngy8g4ehp8a"
# Routes that are not for everybody, and do not say so by 404.
NOT_FOR_EVERYBODY = "^/v1/(admin/(control|state|audit|withholding|batches(/.batch.(/payouts)?)?|weights)|work|miners|miners/.hotkey./watches(/.id.)?|sessions)$"


@pytest.fixture(scope="module")
def mined():
    """A pool in which everything is that can be asked for, and its miner."""
    with Pool(payouts__interval_secs=1, payouts__confirmations=1, miner_notifications__enabled="true") as pool:
        miner = pool.miner(URI)
        miner.register(payout_address=PAYOUT_ADDRESS)
        for _ in range(5):
            miner.block("rig-1")
        path = f"/v1/miners/{miner.hotkey}"
        eventually("a payout", lambda: [one for one in pool.get(f"{path}/payouts").json["payouts"] if one["txid"]], 30)
        yield pool, miner


def settings(pool, miner):
    """Real names of things, for two requests in three, and what else it has to know."""
    credit = pool.get(f"/v1/miners/{miner.hotkey}/credits").json["credits"][-1]
    payout = next(one for one in pool.get(f"/v1/miners/{miner.hotkey}/payouts").json["payouts"] if one["txid"])
    real = {
        "path.hotkey": miner.hotkey,
        "path.hash": pool.get("/v1/blocks").json["blocks"][-1]["hash"],
        "path.txid": payout["txid"],
        "path.id": credit["round_id"],
        "path.sequence": 1,
        "query.worker": "rig-1",
        "query.miner": miner.hotkey,
    }
    lines = ["[parameters]"]
    lines += [f'"{name}" = {{ dictionary = "real-{name.replace(".", "-")}", probability = 0.67 }}' for name in real]
    for name, value in real.items():
        lines += [f"[dictionaries.real-{name.replace('.', '-')}]", f"values = [{json.dumps(value)}]"]
    lines += ["[checks]", *(f"{check}.enabled = false" for check in SWITCHED_OFF)]
    accepted = ["2xx", "3xx", 401, 403, 404, 409, 429, "5xx"]
    for path, (*statuses, _why) in REFUSED_ALL_THE_SAME.items():
        lines += ["[[operations]]", f'include-path = "{path}"', f"checks.positive_data_acceptance.expected-statuses = {json.dumps([*accepted, *statuses])}"]
    return "\n".join(lines)


def run(pool, miner, directory, *more, **env):
    """Lets schemathesis ask, and gives what it says of it."""
    (directory / "schemathesis.toml").write_text(settings(pool, miner))
    env = {**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(pathlib.Path(__file__).parent), **env}
    command = [ST, "--no-color", "run", f"{pool.url}/openapi.json", "--seed", SEED, "--no-shrink", "--continue-on-failure", "--request-timeout", "10", *more]
    done = subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True, timeout=300 if EXAMPLES == USUAL else None)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    assert pool.is_alive() and pool.pool()["state"] == "running"
    assert "panicked" not in pool.log()
    return done.stdout


def test_schemathesis_finds_nothing(mined, tmp_path):
    """Every route but the stream of events, which goes on and on: test_events.py reads it."""
    pool, miner = mined
    credentials = {"admin": pool.admin_token(), "session": miner.token, "uri": URI, "pool": pool.hotkey}
    said = run(pool, miner, tmp_path, "--max-examples", EXAMPLES, "--exclude-path", "/v1/events", CREDENTIALS=json.dumps(credentials))
    # It did ask, and whoever may was let in.
    assert int(re.search(r"(\d+) generated", said)[1]) > 500, said
    assert "returned only 401/403" not in said, said


def test_nobody_is_let_in_without_saying_who_it_is(mined, tmp_path):
    pool, miner = mined
    said = run(pool, miner, tmp_path, "--max-examples", "2", "--phases", "fuzzing", "--include-path-regex", NOT_FOR_EVERYBODY)
    assert "15 operations returned only 401/403" in said, said


def test_every_check_that_schemathesis_has_is_on_or_is_off_for_a_reason():
    text = subprocess.run([ST, "run", "--help"], capture_output=True, text=True, check=True).stdout
    listed = re.search(r"--exclude-checks(.*?)all\]", text, re.S)[1].split("possible values:")[1]
    assert set(re.findall(r"\w+", listed)) == CHECKS | set(SWITCHED_OFF)
    assert all(NOT_SENT.values()) and all(SWITCHED_OFF.values())
