"""`dwarves demo` and `dwarves mine` as a person sees them: on terminals of several sizes, and piped."""

import contextlib
import re
import signal
import subprocess
import time

from harness import Pool, binary, environment, eventually, free_port, send
from terminal import CONTROL, Terminal


def hotkey(path):
    done = subprocess.run([binary(), "hotkey", "new", path], env=environment({}), capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_demo_is_one_screen_of_80_columns_with_a_summary_at_its_end(tmp_path):
    port = free_port()
    arguments = ("demo", "--listen", f"127.0.0.1:{port}", "--data-dir", tmp_path / "demo")
    with Terminal(*arguments, cwd=tmp_path, columns=80, rows=24) as terminal:
        terminal.until(f"open http://127.0.0.1:{port}/").until("found by", 60).until("round 1 closed", 60)
        assert send(("127.0.0.1", port), "GET", "/v1/pool").status == 200
        frames = [CONTROL.sub("", frame) for frame in terminal.text.split("\x1b[H")[1:]]
        for frame in frames:
            lines = frame.replace("\r", "").split("\n")
            assert len(lines) <= 24 and max(map(len, lines)) <= 80, frame
        last = frames[-2]
        for word in ("miner", "hashrate", "shares", "immature", "payable", "next round in", "fast", "slow", "what happened"):
            assert word in last, last
        assert re.search(r"fast .* \d+\.\d{4}  ", last), "money is in coins"
        terminal.interrupt()
        assert terminal.end(60) == 0
        after = terminal.text.split("\x1b[?1049l")[-1]
        assert re.search(r"In 0\d:\d\d: \d+ shares, \d+ blocks, \d+ rounds, \d+ payouts; the ledger's sum is 0\.", after), after
        assert re.search(r"fast .* \d+\.\d{8}  ", after) and after.count("standing;") == 1, after


def test_the_demo_prints_lines_when_it_is_piped(tmp_path):
    done = subprocess.run(
        [binary(), "demo", "--duration-secs", "4"], cwd=tmp_path, env=environment({}), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and "\x1b" not in done.stdout, done
    assert "A mining pool, its chain and three miners" in done.stdout and "registered with hotkey" in done.stdout, done
    assert "the ledger's sum is 0." in done.stdout.splitlines()[-3], done.stdout
    taken = subprocess.run(
        [binary(), "demo", "--listen", "nowhere"], cwd=tmp_path, env=environment({}), capture_output=True, text=True, timeout=60
    )
    assert taken.returncode == 2, taken


def test_mine_fits_any_width_and_keeps_its_totals(tmp_path):
    settings = {"work.start_difficulty": "0.00001", "work.share_interval_secs": "0.2", "chain.devnet_block_hashes": "50000"}
    with Pool(**settings) as pool, contextlib.ExitStack() as stack:
        # Without a scheme, as people say it.
        address = pool.url.removeprefix("http://")
        miners = []
        for columns in (24, 60, 80, 160):
            key = tmp_path / f"{columns}.key"
            arguments = ("mine", "--pool", address, "--hotkey", key, "--threads", 1, "--throttle", 50_000)
            name = hotkey(key)
            miners.append((columns, name, stack.enter_context(Terminal(*arguments, cwd=tmp_path, columns=columns))))
        for _, name, terminal in miners:
            terminal.until("no payout address is set", 40)
            eventually("money is credited", lambda name=name: sum(pool.get(f"/v1/miners/{name}").json["balance_sats"].values()) > 0)
        # The pool is asked for balances every five seconds.
        end = time.monotonic() + 7
        while time.monotonic() < end:
            for _, _, terminal in miners:
                terminal.read(0.05)
        for columns, name, terminal in miners:
            rewritten = [line for line in terminal.lines() if "H/s" in line]
            assert max(map(len, rewritten)) < columns, rewritten
            assert columns < 60 or any("payable" in line for line in rewritten), rewritten
            terminal.interrupt()
            assert terminal.end() == 0
            lines = [line for line in terminal.lines() if line]
            lines = lines[max(at for at, line in enumerate(lines) if "stopped after" in line):]
            assert columns < 60 or max(map(len, lines)) < columns, lines
            last = "  ".join(line.strip() for line in lines)
            accepted = pool.get(f"/v1/miners/{name}").json["shares"]["accepted"]
            assert re.search(rf"stopped after \d+ s: .*accepted {accepted} .*payable \d+\.\d{{8}}  immature \d+\.\d{{8}}", last), last


def test_mine_says_nothing_of_an_address_that_is_set_and_tells_totals_to_a_pipe(tmp_path):
    settings = {"work.start_difficulty": "0.00001", "work.share_interval_secs": "0.2"}
    with Pool(**settings) as pool:
        hotkey(tmp_path / "miner.key")
        miner = subprocess.Popen(
            [
                binary(), "mine", "--pool", pool.url, "--hotkey", "miner.key", "--threads", "1", "--throttle", "100000",
                "--payout-address", "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
            ],
            cwd=tmp_path, env=environment({}), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        eventually("shares are accepted", lambda: pool.pool()["shares"]["accepted"] > 3)
        time.sleep(6)
        # The pool goes away: what it came to is told all the same.
        pool.kill()
        time.sleep(1)
        miner.send_signal(signal.SIGTERM)
        out, _ = miner.communicate(timeout=30)
        assert miner.returncode == 0 and "no payout address" not in out and "\x1b[2K" not in out, out
        assert re.search(r"stopped after \d+ s: .*accepted [1-9]\d*  rejected .*payable", out), out
