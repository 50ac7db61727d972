"""The examples do what they say: each runs as its reader would run it."""

import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest
from harness import ROOT, Pool, binary, environment, eventually

LITECOIND = pathlib.Path(os.environ.get("LITECOIND", "/usr/lib/litecoin/litecoind"))


def test_the_miner_in_python_mines_and_outlives_a_restart_of_the_pool(tmp_path):
    key = tmp_path / "miner.key"
    hotkey = subprocess.run(
        [binary(), "hotkey", "new", key], env=environment({}), capture_output=True, text=True, check=True
    ).stdout.strip()
    address = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
    settings = {
        "work.start_difficulty": "0.000002", "work.min_difficulty": "0.0000001", "work.share_interval_secs": "0.2",
        "chain.devnet_block_hashes": "100000",
    }
    with Pool(**settings) as pool:
        command = [
            sys.executable, ROOT / "examples/miner.py", "--pool", pool.url.removeprefix("http://"), "--key", key,
            "--worker", "rig1", "--payout-address", address,
        ]
        with open(tmp_path / "log", "wb") as log:
            # A shell without job control lets what it starts in the background ignore Ctrl-C, and that is inherited.
            heed = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
            miner = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, preexec_fn=heed)
        try:
            def accepted():
                answer = pool.get(f"/v1/miners/{hotkey}")
                return answer.json["shares"]["accepted"] if answer.status == 200 else 0

            eventually("shares are accepted", lambda: accepted() > 5, 40)
            pool.settings["http.listen"] = pool.url.removeprefix("http://")
            before = accepted()
            pool.restart()
            eventually("it goes on", lambda: accepted() > before + 3, 40)
            status = pool.get(f"/v1/miners/{hotkey}").json
            assert status["payout_address"] == address
            assert [worker["name"] for worker in status["workers"]] == ["rig1"]
            wrong = {reason: count for reason, count in status["shares"]["rejected"].items() if reason != "stale"}
            assert sum(wrong.values()) == 0, status
            miner.send_signal(signal.SIGINT)
            assert miner.wait(20) == 0, (tmp_path / "log").read_text()
            assert "stopped" in (tmp_path / "log").read_text()
        finally:
            miner.kill()
            miner.wait()
            print((tmp_path / "log").read_text()[-2000:])


# tests/all installs litecoind before this runs.
@pytest.mark.skipif(not LITECOIND.exists(), reason="needs litecoind (apt-get install litecoind, or LITECOIND)")
def test_the_walk_on_regtest_ends_with_a_payout_in_the_miners_own_wallet(tmp_path):
    env = {**environment({}), "DWARVES_BIN": str(binary()), "LITECOIND": str(LITECOIND), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [ROOT / "examples/regtest-walk.sh"], cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "the wallet got" in done.stdout and "every sat is where the books say" in done.stdout, done.stdout
    # A hash a second finds a block in some two, and the miner ends with the first that the pool has.
    blocks = re.search(r"stopped after .* blocks (\d+)", done.stdout)
    assert blocks and 1 <= int(blocks[1]) <= 10, done.stdout
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"
