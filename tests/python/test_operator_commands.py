"""What an operator asks in a shell: `status`, lists, `admin` and `check`, on terminals of several widths and piped."""

import json
import socket
import subprocess
import time

import pytest
from harness import PAYING, Pool, binary, environment, eventually
from terminal import Terminal, run_in_terminal

WIDTHS = (40, 80, 132)


def run(*arguments, cwd, **settings):
    settings = {key.replace("__", "."): value for key, value in settings.items()}
    return subprocess.run(
        [binary(), *map(str, arguments)], cwd=cwd, env=environment(settings), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60,
    )


@pytest.fixture(scope="module")
def busy():
    """A pool with blocks, credits and a payout."""
    with Pool(**PAYING) as pool:
        miner = pool.miner()
        miner.register(payout_address="bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080")

        def paid():
            miner.accepted(block=True)
            return pool.get(f"/v1/miners/{miner.hotkey}").json["balance_sats"]["paid"]

        eventually("a payout is deep", paid)
        pool.must_control("reward_distributor", "pause")
        pool.must_control("paymaster", "pause")
        pool.worker = miner
        yield pool


def asked(pool, *arguments):
    done = run(*arguments, "--data-dir", pool.data_dir, cwd=pool.data_dir)
    assert done.returncode == 0, done
    return done.stdout


def test_status_is_json_when_piped_and_says_what_the_api_says(busy):
    status = json.loads(asked(busy, "status"))
    pool = busy.pool()
    for field in ("hotkey", "scheme", "fee_bps", "shares", "miners", "height"):
        assert status["pool"][field] == pool[field], field
    assert status["ready"]["status"] == "ready" and status["operator"]["payouts"]["paused"] is True
    assert status["blocks"] == busy.get("/v1/blocks?limit=8").json["blocks"]
    assert json.loads(asked(busy, "status", "--json")).keys() == status.keys()
    # A look is no order.
    assert not [row for row in busy.get("/v1/admin/audit", {"Authorization": f"Bearer {busy.admin_token()}"}).json["audit"] if row["message"] == "status"]
    # Another pool gets no token, and what it shows to anybody is enough.
    other = run("status", "--pool", busy.url, "--data-dir", busy.data_dir, cwd=busy.data_dir)
    assert json.loads(other.stdout)["operator"] is None, other
    nobody = run("status", "--data-dir", "nowhere", cwd=busy.data_dir)
    assert nobody.returncode == 1 and "--pool" in nobody.stderr, nobody


@pytest.mark.parametrize("columns", WIDTHS)
def test_status_is_a_screen_that_goes_on_until_ctrl_c(busy, columns):
    with Terminal("status", "--data-dir", busy.data_dir, cwd=busy.data_dir, columns=columns, rows=20) as terminal:
        terminal.until("hashrate").until("paused").until("mature")
        before = terminal.text.count("\x1b[H")
        time.sleep(1.5)
        terminal.read(0.5)
        assert terminal.text.count("\x1b[H") > before, "it is written anew"
        assert terminal.widest() <= columns, terminal.lines()
        terminal.interrupt()
        assert terminal.end() == 0
        assert terminal.text.endswith("\x1b[?25h\x1b[?1049l"), "the terminal is as it was"
        frame = terminal.text.split("\x1b[H")[1]
        assert frame.count("\n") < 20, "no more lines than there are rows"


def test_a_status_screen_waits_for_a_pool_that_is_away(tmp_path):
    with Pool(data_dir=tmp_path / "data") as pool:
        with Terminal("status", "--pool", pool.url, cwd=tmp_path) as terminal:
            terminal.until("hashrate")
            pool.kill()
            terminal.until("the pool does not answer")
            assert terminal.process.poll() is None
            terminal.interrupt()
            assert terminal.end() == 0


@pytest.mark.parametrize("command, expected", [
    ("miners", "payable"),
    ("workers", "default"),
    ("payouts", "confirmed"),
])
def test_lists_are_tables_on_a_terminal_and_json_otherwise(busy, command, expected):
    rows = json.loads(asked(busy, command))[command]
    assert rows and json.loads(asked(busy, command, "--limit", 1))[command] == rows[:1]
    for columns in WIDTHS[1:]:
        code, terminal = run_in_terminal(command, "--data-dir", busy.data_dir, cwd=busy.data_dir, columns=columns)
        assert code == 0 and expected in terminal.text, terminal.text
        assert len([line for line in terminal.lines() if line]) == len(rows) + 1, terminal.lines()
        assert terminal.widest() <= columns, terminal.lines()
    code, terminal = run_in_terminal(command, "--json", "--data-dir", busy.data_dir, cwd=busy.data_dir)
    assert json.loads(terminal.text)[command] == rows


def test_lists_say_what_the_api_says_and_need_no_running_pool(busy, tmp_path):
    miner = json.loads(asked(busy, "miners"))["miners"][0]
    api = busy.get(f"/v1/miners/{miner['hotkey']}").json
    assert miner["balance_sats"] == api["balance_sats"] and miner["registered_at"] == api["registered_at"]
    worker = json.loads(asked(busy, "workers", "--miner", miner["hotkey"]))["workers"][0]
    assert (worker["worker"], worker["accepted"]) == ("default", api["shares"]["accepted"])
    alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
    assert json.loads(asked(busy, "workers", "--miner", alice)) == {"workers": []}
    payouts = json.loads(asked(busy, "payouts"))["payouts"]
    assert {payout["txid"] for payout in payouts} == {
        payout["txid"] for payout in busy.get(f"/v1/miners/{miner['hotkey']}/payouts").json["payouts"]
    }
    with Pool(data_dir=tmp_path / "data") as pool:
        pool.miner().accepted()
        assert pool.stop() == 0
        assert len(json.loads(asked(pool, "miners"))["miners"]) == 1
        code, terminal = run_in_terminal("payouts", "--data-dir", pool.data_dir, cwd=tmp_path)
        assert code == 0 and "no payouts yet" in terminal.text
    none = run("miners", "--data-dir", tmp_path / "none", cwd=tmp_path)
    assert none.returncode == 1 and "there is no ledger" in none.stderr, none


def test_admin_answers_in_tables_on_a_terminal_and_in_todays_json_otherwise(busy):
    arguments = ("admin", "pool_manager", "status", "--data-dir", busy.data_dir)
    piped = json.loads(asked(busy, "admin", "pool_manager", "status"))
    assert piped["state"] == "running"
    for columns in WIDTHS[1:]:
        code, terminal = run_in_terminal(*arguments, cwd=busy.data_dir, columns=columns)
        assert code == 0 and "state" in terminal.text and "rewards.fee_bps" in terminal.text, terminal.text
        assert "{" not in terminal.text.split("settings")[0], "no JSON"
    code, terminal = run_in_terminal(*arguments, "--json", cwd=busy.data_dir)
    assert json.loads(terminal.text).keys() == piped.keys()
    code, terminal = run_in_terminal(
        "admin", "paymaster", "pay_now", "dry_run=true", "--data-dir", busy.data_dir, cwd=busy.data_dir
    )
    assert code == 0 and "coins)" in terminal.text, terminal.text


def test_check_tells_all_findings_as_json(busy, tmp_path):
    done = run("check", "--json", "--data-dir", tmp_path / "data", cwd=tmp_path, http__listen="127.0.0.1:0")
    told = json.loads(done.stdout)
    assert done.returncode == 0 and told["ok"] is True and told["wrong"] == 0, done
    assert {finding["what"] for finding in told["findings"]} >= {"settings", "hashing", "data"}
    config = tmp_path / "bad.toml"
    config.write_text('[rewards]\nfee_bps = 10001\nscheme = "moon"\n[pool]\nnme = "x"\n')
    done = run("check", "--json", "--config", config, cwd=tmp_path, http__listen="nowhere", chain__kind="moon")
    told = json.loads(done.stdout)
    assert done.returncode == 1 and told["wrong"] == 5 and not told["ok"], done
    details = [finding["detail"] for finding in told["findings"]]
    for place, key in [
        ("bad.toml:2:11", "rewards.fee_bps"), ("bad.toml:3:10", "rewards.scheme"), ("bad.toml:5:1", "nme"),
        ("DWARVES__HTTP__LISTEN", "http.listen"), ("DWARVES__CHAIN__KIND", "chain.kind"),
    ]:
        assert any(place in detail and key in detail for detail in details), (place, details)
    assert all(finding["remedy"] for finding in told["findings"])
    # A start tells all of them, too.
    done = run("serve", "--config", config, cwd=tmp_path, http__listen="nowhere", chain__kind="moon")
    assert done.returncode == 1 and "5 things are wrong" in done.stderr and done.stderr.count("bad.toml:") == 3, done


def test_check_tries_what_is_right_beside_what_is_wrong(tmp_path):
    """Unknown keys, rules between keys, files and listeners are told of one file, and nothing that follows from them."""
    config = tmp_path / "bad.toml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config.write_text(
            '[bogus]\n[chain]\nkind = "node"\n[rewards]\nwindow_units = "-1"\n[http]\nlisten = "127.0.0.1:0"\n'
            f'[stratum]\nlisten = "127.0.0.1:{port}"\n[bittensor]\nmetagraph = "none.json"\n'
            f'[validators]\nlisten = "127.0.0.1:{port}"\n'
        )
        done = run("check", "--json", "--config", config, "--data-dir", tmp_path / "data", cwd=tmp_path)
    wrong = [finding["detail"] for finding in json.loads(done.stdout)["findings"] if not finding["ok"]]
    for part in (
        "bad.toml:1:2: unknown key `bogus`", "rewards.window_units: ", "chain.kind: kind = \"node\" needs chain.url",
        "needs chain.payout_address", "is that of validators.listen already", "bittensor.metagraph: none.json",
        f"cannot listen on 127.0.0.1:{port} (validators.listen)",
    ):
        assert len([detail for detail in wrong if part in detail]) == 1, (part, wrong)
    assert len(wrong) == 7 and "7 things are wrong" in done.stderr, wrong
    # A start tells what is wrong with the file itself.
    done = run("serve", "--config", config, "--data-dir", tmp_path / "data", cwd=tmp_path)
    assert done.returncode == 1 and "5 things are wrong" in done.stderr, done
    assert not (tmp_path / "data/dwarves.db").exists()


def test_a_ledger_in_use_is_told_once(busy, tmp_path):
    backup = tmp_path / "backup.db"
    assert run("backup", "--data-dir", busy.data_dir, backup, cwd=tmp_path).returncode == 0
    done = run("restore", "--replace", "--data-dir", busy.data_dir, backup, cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.count("in use by another running pool") == 1, done


def test_whoever_reads_a_command_may_have_had_enough(busy, tmp_path):
    """A pipe that nobody reads is no failure, and what a command does it does all the same."""
    backup = tmp_path / "backup.db"
    for command in (
        "status", "miners", "workers", "payouts", "config", "config defaults", "check", "admin pool_manager status",
        "completions bash", f"man {tmp_path / 'man'}", f"hotkey new {tmp_path / 'new.key'}",
        f"hotkey show {tmp_path / 'new.key'}", f"backup {backup}", f"restore --data-dir {tmp_path / 'new'} {backup}",
    ):
        at_pool = ("--data-dir", busy.data_dir)
        has_pool = command.split()[0] in ("status", "miners", "workers", "payouts", "config", "check", "admin", "backup")
        with subprocess.Popen(
            [binary(), *command.split(), *(map(str, at_pool) if has_pool else ())], cwd=busy.data_dir,
            env=environment(busy.settings), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as process:
            process.stdout.close()
            said = process.stderr.read().decode()
            # What `check` finds wrong with a pool that runs beside it is its own matter.
            assert process.wait(60) == 0 or command == "check", (command, said)
            assert "panic" not in said and "roken pipe" not in said, (command, said)
    assert (tmp_path / "new" / "dwarves.db").exists()
    assert (tmp_path / "man" / "dwarves.1").exists()


def test_a_backup_replaces_nothing_but_a_backup(busy):
    """A wrong name costs nobody the pool's key."""
    for name in ("pool.key", "admin.token", "listen.json"):
        before = (busy.data_dir / name).read_bytes()
        done = run("backup", "--replace", busy.data_dir / name, "--data-dir", busy.data_dir, cwd=busy.data_dir)
        assert done.returncode == 1 and "is no ledger" in done.stderr, done
        assert (busy.data_dir / name).read_bytes() == before
