"""What a share costs the process in instructions, counted by valgrind: figures that no clock changes.

The binary under test runs in callgrind. Each figure is the difference of two runs that are the same but for the shares, so
what is done once does not count. Shares come in packets of sixteen over Stratum and one a request over HTTP, each after
the answers to those before, so the way through the actors and the ledger is always the same. Hashing is on the lanes that
every processor has, and blocks hold nothing but a coinbase, so that the way is not lost beside the hashing.
"""

import http.client
import json
import platform
import re
import shutil
import tempfile

import pytest
from harness import Pool, send_on
from skipping import ELSEWHERE
from stratum import Client

AT_ONCE = 16
USER = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080.rig"
# A twentieth more than was measured is too much.
SLACK = 1.05
SETTINGS = {
    "hashing.lanes": "plain",
    "stratum.listen": "127.0.0.1:0",
    # Nobody is put out for shares that are refused.
    "stratum.reject_percent": "100",
    "http.reject_percent": "100",
    "rewards.run_interval_secs": "86400",
    "work.template_refresh_secs": "3000",
    "work.job_lifetime_secs": "3600",
    "chain.devnet_block_hashes": "1000000000000000",
}
ACCEPTED, REFUSED = "0.000000001", "1000000"


# Callgrind counts a string instruction once for each byte that it writes, and the C library takes those only on some
# processors: nowhere, for counts that are alike everywhere.
NO_STRINGS = "GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=0x10000000:glibc.cpu.x86_rep_stosb_threshold=0x10000000"


class CountedPool(Pool):
    """A pool in callgrind."""

    def __init__(self, folder, difficulty):
        names = [f"work.{name}_difficulty" for name in ("start", "min", "max")]
        super().__init__(data_dir=f"{folder}/data", **SETTINGS, **dict.fromkeys(names, difficulty))
        self.out = f"{folder}/callgrind.out"
        self.under = ["env", NO_STRINGS, "valgrind", "--tool=callgrind", f"--callgrind-out-file={self.out}"]

    def executed(self):
        """Ends it, and gives how many instructions it took."""
        assert self.stop(60) == 0
        with open(self.out) as out:
            return int(re.search(r"^(?:summary|totals): (\d+)", out.read(), re.M).group(1))


def over_stratum(client, packets, is_share):
    """Each with an extranonce of its own."""
    work = client.work
    for packet in range(packets):
        shares = []
        for extranonce2 in range(packet * AT_ONCE, (packet + 1) * AT_ONCE):
            nonce = [work.id, work.extranonce2(extranonce2), f"{work.time:08x}", "00000000"]
            shares.append(work.find(extranonce2) if is_share else nonce)
        client.send(*({"id": 4, "method": "mining.submit", "params": [USER, *share]} for share in shares))
        for _ in shares:
            answer = client.answer(4)
            assert (answer["result"] is True) == is_share, answer


def over_http(connection, miner, job, requests, is_share):
    for nonce in range(requests):
        share = job.find()[0] if is_share else {"job_id": job.id, "nonce": nonce}
        headers = {**miner.bearer(), "Content-Type": "application/json"}
        answer = send_on(connection, "POST", "/v1/work", json.dumps({"shares": [share]}), headers)
        assert answer.status == 200, answer
        (result,) = answer.json["results"]
        assert result["verdict"] == ("accepted" if is_share else "rejected"), result


def executed(difficulty, packets=0, requests=0):
    """Instructions of a pool's whole life, in which so much is submitted."""
    is_share = difficulty == ACCEPTED
    with tempfile.TemporaryDirectory(prefix="dwarves-counted-") as folder:
        with CountedPool(folder, difficulty) as pool:
            with Client(pool.listen["stratum"][0], timeout=60).subscribe().authorize(USER) as client:
                client.current_work()
                over_stratum(client, packets, is_share)
            miner = pool.miner()
            job = miner.job()
            connection = http.client.HTTPConnection(*pool.address, timeout=60)
            over_http(connection, miner, job, requests, is_share)
            connection.close()
            return pool.executed()


@pytest.fixture(scope="module")
def nothing():
    """The life of a pool with a miner over Stratum and one over HTTP, who submit nothing."""
    if shutil.which("valgrind") is None:
        pytest.fail("valgrind is missing: install it (apt-get install valgrind); tests/all does")
    if platform.machine() != "x86_64":
        pytest.skip(ELSEWHERE + "it is known only of x86-64 how many instructions a share takes")
    return executed(REFUSED)


# What was measured last, with the profile that `cargo build --release` has.
@pytest.mark.parametrize(
    ("what", "measured", "difficulty", "packets", "requests"),
    [
        ("refused over Stratum", 41_500, REFUSED, 200, 0),
        ("accepted over Stratum", 49_200, ACCEPTED, 200, 0),
        ("refused over HTTP", 80_700, REFUSED, 0, 600),
        ("accepted over HTTP", 128_900, ACCEPTED, 0, 600),
    ],
)
def test_a_share_takes_no_more_instructions_than_it_did(nothing, what, measured, difficulty, packets, requests):
    shares = packets * AT_ONCE + requests
    each = (executed(difficulty, packets, requests) - nothing) / shares
    print(f"a share that is {what}: {each:.0f} instructions")
    assert each > measured / 2, f"a share that is {what} takes {each:.0f}: measure anew what it was, {measured}"
    assert each <= measured * SLACK, f"a share that is {what} takes {each:.0f} instructions, and took {measured}"
