"""The command line: keys that Bittensor's tools read, mining, control messages, and clear words for mistakes."""

import json
import os
import pathlib
import re
import shutil
import stat
import subprocess

import pytest
from bittensor.keyfiles import Keyfile, Keypair
from harness import ROOT, Pool, binary, environment, eventually


def run(*arguments, cwd, stdin=None, **settings):
    """Runs `dwarves` and gives what it printed."""
    settings = {key.replace("__", "."): value for key, value in settings.items()}
    return subprocess.run(
        [binary(), *map(str, arguments)], cwd=cwd, env=environment(settings), input=stdin, text=True,
        capture_output=True, timeout=60,
    )


@pytest.mark.parametrize("words", [12, 24])
def test_a_new_hotkey_is_the_same_in_bittensor(tmp_path, words):
    done = run("hotkey", "new", "miner.key", "--words", words, cwd=tmp_path)
    assert done.returncode == 0, done
    address = done.stdout.strip()
    path = tmp_path / "miner.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    keypair = Keyfile(path).get_keypair()
    assert keypair.ss58_address == address
    phrase = json.loads(path.read_text())["secretPhrase"]
    assert len(phrase.split()) == words
    assert Keypair.create_from_mnemonic(phrase).ss58_address == address
    shown = run("hotkey", "show", "miner.key", cwd=tmp_path)
    assert shown.stdout.strip() == address
    # And it signs: what the file's key signs, bittensor's key of the same phrase verifies.
    assert Keypair.create_from_mnemonic(phrase).verify(b"message", keypair.sign(b"message"))


def test_an_existing_key_is_never_overwritten(tmp_path):
    assert run("hotkey", "new", "miner.key", cwd=tmp_path).returncode == 0
    before = (tmp_path / "miner.key").read_bytes()
    again = run("hotkey", "new", "miner.key", cwd=tmp_path)
    assert again.returncode != 0 and "miner.key" in again.stderr, again
    assert (tmp_path / "miner.key").read_bytes() == before


def test_a_phrase_of_bittensor_gives_the_same_hotkey(tmp_path):
    for n, words in enumerate((12, 24, 12, 24)):
        phrase = Keypair.generate_mnemonic(words)
        done = run("hotkey", "new", f"{n}.key", "--phrase-stdin", cwd=tmp_path, stdin=phrase + "\n")
        assert done.returncode == 0, done
        assert done.stdout.strip() == Keypair.create_from_mnemonic(phrase).ss58_address


def test_a_key_file_of_bittensor_is_read(tmp_path):
    for uri in ("//Alice", "//Alice//hard/soft"):
        path = tmp_path / ("key" + str(len(uri)))
        Keyfile(path).set_keypair(Keypair.create_from_uri(uri), encrypt=False)
        done = run("hotkey", "show", path, cwd=tmp_path)
        assert done.returncode == 0, done
        assert done.stdout.strip() == Keypair.create_from_uri(uri).ss58_address
    path = tmp_path / "mnemonic"
    keypair = Keypair.create_from_mnemonic(Keypair.generate_mnemonic())
    Keyfile(path).set_keypair(keypair, encrypt=False)
    assert run("hotkey", "show", path, cwd=tmp_path).stdout.strip() == keypair.ss58_address


@pytest.mark.parametrize("text", ["", "{}", "not json", '{"secretPhrase": "wrong words"}', "\x00\xff"])
def test_a_file_that_is_no_key_is_refused(tmp_path, text):
    path = tmp_path / "broken.key"
    path.write_text(text)
    path.chmod(0o600)
    done = run("hotkey", "show", path, cwd=tmp_path)
    assert done.returncode == 1 and "broken.key" in done.stderr, done
    assert "panicked" not in done.stderr


def test_a_wrong_phrase_is_refused(tmp_path):
    for phrase in ("", "abandon " * 12, "zzzz " * 12, "legal winner thank"):
        done = run("hotkey", "new", "x.key", "--phrase-stdin", cwd=tmp_path, stdin=phrase)
        assert done.returncode == 1 and "phrase" in done.stderr, done
        assert not (tmp_path / "x.key").exists()


def test_the_cpu_miner_mines_and_its_shares_are_accepted(tmp_path):
    with Pool(work__start_difficulty="0.000001", work__share_interval_secs="0.1", chain__devnet_block_hashes=100_000) as pool:
        hotkey = run("hotkey", "new", "miner.key", cwd=tmp_path).stdout.strip()
        done = run(
            "mine", "--pool", pool.url, "--hotkey", "miner.key", "--worker", "rig-1", "--threads", 1,
            "--duration-secs", 5, cwd=tmp_path,
        )
        assert done.returncode == 0, done
        status = pool.get(f"/v1/miners/{hotkey}").json
        assert status["shares"]["accepted"] > 5, (status, done)
        assert [worker["name"] for worker in status["workers"]] == ["rig-1"]
        others = {reason: n for reason, n in status["shares"]["rejected"].items() if reason != "stale"}
        assert sum(others.values()) == 0, status
        eventually(
            "what it mined is credited",
            lambda: sum(pool.get(f"/v1/miners/{hotkey}").json["balance_sats"].values()) > 0,
        )


def test_admin_sends_control_messages(tmp_path):
    with Pool() as pool:
        done = run("admin", "pool_manager", "status", "--data-dir", pool.data_dir, cwd=tmp_path)
        assert done.returncode == 0, done
        assert json.loads(done.stdout)["state"] == "running"
        done = run(
            "admin", "reward_distributor", "set_run_interval", "run_interval_secs=77", "--data-dir", pool.data_dir,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done
        assert pool.pool()["run_interval_secs"] == 77
        done = run("admin", "reward_distributor", "set_fee", "fee_bps=x", "--data-dir", pool.data_dir, cwd=tmp_path)
        assert done.returncode == 1 and "fee_bps" in done.stderr, done


def test_admin_may_sign_with_a_hotkey(tmp_path):
    hotkey = run("hotkey", "new", "operator.key", cwd=tmp_path).stdout.strip()
    with Pool(admin__hotkeys=f'["{hotkey}"]') as pool:
        done = run("admin", "pool_manager", "status", "--pool", pool.url, "--hotkey", "operator.key", cwd=tmp_path)
        assert done.returncode == 0, done
        assert pool.audit()["audit"][0]["who"] == hotkey
        run("hotkey", "new", "other.key", cwd=tmp_path)
        done = run("admin", "pool_manager", "status", "--pool", pool.url, "--hotkey", "other.key", cwd=tmp_path)
        assert done.returncode == 1 and "forbidden" in done.stderr, done


# Mistakes at start.


def refused_start(tmp_path, *words, arguments=(), **settings):
    """`dwarves serve` must end by itself, with these words and without a panic."""
    settings.setdefault("http__listen", "127.0.0.1:0")
    done = run("serve", "--data-dir", tmp_path / "data", *arguments, cwd=tmp_path, **settings)
    assert done.returncode not in (0, None) and done.returncode > 0, done
    text = done.stdout + done.stderr
    assert "panicked" not in text, text
    for word in words:
        assert word in text, (word, text)


def test_a_wrong_environment_is_refused_by_name(tmp_path):
    refused_start(tmp_path, "DWARVES__REWARDS__RUN_INTERVAL_SECS", rewards__run_interval_secs="soon")
    refused_start(tmp_path, "DWARVES__REWARDS__RUN_INTERVALL_SECS", rewards__run_intervall_secs="5")
    refused_start(tmp_path, "DWARVES__REWARDS__FEE_BPS", rewards__fee_bps="10001")
    refused_start(tmp_path, "DWARVES__CHAIN__KIND", chain__kind="moon")
    refused_start(tmp_path, "DWARVES__HTTP__LISTEN", http__listen="nowhere")


def test_a_wrong_file_is_refused_with_file_and_line(tmp_path):
    (tmp_path / "config.toml").write_text('[pool]\nname = "x"\n[rewards]\nrun_interval = 5\n')
    refused_start(tmp_path, "config.toml", "4", "run_interval")
    (tmp_path / "config.toml").write_text("[rewards]\nrun_interval_secs = 0\n")
    refused_start(tmp_path, "config.toml", "2", "run_interval_secs")
    (tmp_path / "config.toml").write_text("this is not toml")
    refused_start(tmp_path, "config.toml", "1")


def test_a_named_file_must_exist(tmp_path):
    refused_start(tmp_path, "missing.toml", arguments=("--config", "missing.toml"))


def test_the_file_in_the_working_directory_is_read_and_the_environment_wins(tmp_path):
    config = tmp_path / "my.toml"
    config.write_text('[pool]\nname = "From the file"\n[rewards]\nfee_bps = 123\n')
    with Pool(config=config, rewards__fee_bps=77) as pool:
        body = pool.pool()
        assert (body["name"], body["fee_bps"]) == ("From the file", 77)


def test_the_configuration_in_the_repository_is_taken(tmp_path):
    config = pathlib.Path(__file__).resolve().parents[2] / "config.toml"
    with Pool(config=config) as pool:
        assert pool.pool()["scheme"] == "pplns"


def test_a_taken_port_is_told(tmp_path):
    with Pool() as pool:
        refused_start(tmp_path, f"127.0.0.1:{pool.address[1]}", http__listen=f"127.0.0.1:{pool.address[1]}")


def test_a_data_directory_in_use_is_told_and_unharmed(tmp_path):
    with Pool() as pool:
        miner = pool.miner()
        miner.accepted()
        done = run("serve", "--data-dir", pool.data_dir, cwd=tmp_path, http__listen="127.0.0.1:0")
        assert done.returncode == 1 and "in use" in done.stdout + done.stderr, done
        miner.accepted()
        assert (pool.data_dir / "listen.json").exists(), "the running pool's address is still told"


def test_check_beside_a_running_pool_knows_what_admins_stored(tmp_path):
    with Pool() as pool:
        pool.must_control("reward_distributor", "set_fee", fee_bps=300)
        done = run("check", "--data-dir", pool.data_dir, cwd=tmp_path, http__listen="127.0.0.1:0")
        assert "rewards.fee_bps = 300, stored by an admin, beats file and environment" in done.stdout, done
        assert "a pool is running on it http://" in done.stdout, done


def test_a_data_directory_that_can_not_be_made_is_told(tmp_path):
    (tmp_path / "data").write_text("a file")
    refused_start(tmp_path, "data")


def test_a_damaged_ledger_is_told_and_not_replaced(tmp_path):
    with Pool(data_dir=tmp_path / "data") as pool:
        pool.miner().accepted()
        pool.stop()
        ledger = pool.data_dir / "dwarves.db"
        damaged = b"this was a database" + ledger.read_bytes()[19:]
        ledger.write_bytes(damaged)
        refused_start(tmp_path, "dwarves.db")
        assert ledger.read_bytes() == damaged


def test_check_says_what_is_right_and_wrong(tmp_path):
    done = run("check", "--data-dir", tmp_path / "data", cwd=tmp_path, http__listen="127.0.0.1:0")
    assert done.returncode == 0, done
    done = run("check", "--data-dir", tmp_path / "data", cwd=tmp_path, rewards__fee_bps="x")
    assert done.returncode == 1 and "FEE_BPS" in done.stdout + done.stderr, done


def test_check_says_with_what_shares_are_hashed(tmp_path):
    def check(lanes):
        settings = {"http__listen": "127.0.0.1:0", "hashing__lanes": lanes}
        return run("check", "--data-dir", tmp_path / "data", cwd=tmp_path, **settings)

    assert "SHA-256d by plain" in check("plain").stdout
    best = re.search(r"SHA-256d by (\S+)", check("auto").stdout)[1]
    flags = re.search(r"^(?:flags|Features)\s*:(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)[1].split()
    for lanes, flag in [("avx512", "avx512f"), ("sha-extensions", "sha_ni"), ("avx2", "avx2")]:
        done = check(lanes)
        if flag in flags:
            assert done.returncode == 0 and f"SHA-256d by {lanes}" in done.stdout, done
        else:
            assert done.returncode == 1 and f'hashing.lanes = "{lanes}"' in done.stdout, done
            assert f"hashes by {best}" in done.stdout, done
    done = check("sse9")
    assert done.returncode == 1 and "HASHING__LANES" in done.stdout and '"sha-extensions"' in done.stdout, done


def test_check_reads_the_files_that_settings_name(tmp_path):
    """What a start would refuse, or find only once it is needed, is told beforehand, with its setting."""
    config, secret, metagraph = tmp_path / "pool.toml", tmp_path / "secret", tmp_path / "metagraph.json"
    key = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
    config.write_text(
        '[[notifications.channels]]\nname = "phone"\nkind = "webhook"\nurl = "http://127.0.0.1:1/"\n'
        f'secret_file = "{secret}"\n'
        '[miner_notifications]\nenabled = true\nmail_url = "smtps://127.0.0.1:1"\nmail_from = "pool@example.com"\n'
        f'mail_user = "pool"\nmail_secret_file = "{secret}"\n'
        f'[bittensor]\nlisten = "127.0.0.1:0"\nmetagraph = "{metagraph}"\n'
    )

    def check(wrong):
        done = run("check", "--json", "--data-dir", tmp_path / "data", "--config", config, cwd=tmp_path, http__listen="127.0.0.1:0")
        found = json.loads(done.stdout)
        assert found["wrong"] == wrong and done.returncode == bool(wrong), done
        return "\n".join(one["detail"] for one in found["findings"])

    told = check(wrong=3)
    for setting in ('notifications.channels, "phone": secret_file', "miner_notifications.mail_secret_file", "bittensor.metagraph: "):
        assert f"{setting}" in told and "cannot be read" in told, told

    secret.write_text("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n")
    metagraph.write_text(json.dumps({"neurons": [{"hotkey": key, "uid": 0, "stake": 1}]}))
    told = check(wrong=0)
    assert "notifications.channels: through phone" in told and "by mail, too" in told and "metagraph.json, neurons: 1" in told, told
    metagraph.write_text("{")
    assert "bittensor.metagraph: " in check(wrong=1)


@pytest.mark.parametrize("program, is_there", [("python3", True), ("no-such-evaluator", False), ("./no-such-evaluator", False)])
def test_check_looks_for_the_evaluators_program(tmp_path, program, is_there):
    config = tmp_path / "pool.toml"
    config.write_text(
        f'[work]\nkind = "evaluated"\n[evaluator]\ncommand = ["{program}"]\n[pool]\nunit = "TAO"\ndecimals = 9\n'
        '[rewards]\nscheme = "score"\nsource = "emission"\nemission_sats = 1000\n'
    )
    done = run("check", "--data-dir", tmp_path / "data", "--config", config, cwd=tmp_path, http__listen="127.0.0.1:0")
    assert done.returncode == (0 if is_there else 1), done
    assert ("work is evaluated by " if is_there else f"evaluator.command: there is no program {program}") in done.stdout, done


def test_check_tries_every_listener_and_its_certificate(tmp_path):
    tls = ROOT / "tests/fixtures/tls"
    config = tmp_path / "pool.toml"

    def check(data_dir, key="key.pem", **settings):
        config.write_text(
            '[[stratum.listeners]]\nlisten = "127.0.0.1:0"\n'
            f'tls_certificate = "{tls / "chain.pem"}"\ntls_key = "{tls / key}"\n'
        )
        return run("check", "--data-dir", data_dir, "--config", config, cwd=tmp_path, **settings)

    with Pool(data_dir=tmp_path / "data", **{"stratum.listen": "127.0.0.1:0"}) as pool:
        taken = {"http__listen": pool.url.removeprefix("http://"), "stratum__listen": pool.listen["stratum"][0]}
        done = check(pool.data_dir, **taken)
        assert done.returncode == 0 and "stratum.listen: " + taken["stratum__listen"] in done.stdout, done
        assert done.stdout.count(", in use by the running pool") == 3, done
        # To another pool the ports are taken; both are told.
        done = check(tmp_path / "other", **taken)
        assert done.returncode == 1 and "2 things are wrong" in done.stderr, done
        assert "(http.listen)" in done.stdout and "(stratum.listen)" in done.stdout, done
        # A certificate is looked at in any case: it may be there for the next start.
        done = check(pool.data_dir, key="other-key.pem", **taken)
        assert done.returncode == 1 and f"stratum.listeners[0].tls_key: {tls / 'other-key.pem'}" in done.stdout, done
    free = {"http__listen": "127.0.0.1:0"}
    assert check(tmp_path / "other", **free).returncode == 0
    assert check(tmp_path / "other", key="none.pem", **free).returncode == 1


def test_help_and_version_are_told(tmp_path):
    for argument in ("--help", "--version"):
        done = run(argument, cwd=tmp_path)
        assert done.returncode == 0 and "dwarves" in done.stdout.lower(), done
    # Of the build it names the commit, too.
    version, commit = re.fullmatch(r"dwarves (\S+) \((\S+)\)\n", run("--version", cwd=tmp_path).stdout).groups()
    assert f'\nversion = "{version}"\n' in (ROOT / "Cargo.toml").read_text()
    assert commit == "unknown" or "DWARVES_COMMIT" in os.environ or re.fullmatch("[0-9a-f]{12}", commit), commit
    for command in ("serve", "mine", "hotkey", "admin", "check", "demo", "config", "backup", "restore", "completions", "man",
                    "status", "miners", "workers", "payouts", "export"):
        assert run(command, "--help", cwd=tmp_path).returncode == 0
    assert run("dance", cwd=tmp_path).returncode == 2


def test_nothing_is_written_outside_the_data_directory(tmp_path):
    with Pool(data_dir=tmp_path / "inside") as pool:
        pool.miner().accepted()
        pool.stop()
        names = set(os.listdir(tmp_path)) - {pool.log_path.name}
        assert names == {"inside"}, names
        assert {"dwarves.db", "pool.key", "admin.token", "devnet"} <= set(os.listdir(pool.data_dir))
        assert "listen.json" not in os.listdir(pool.data_dir), "nobody listens any more"


# What is made of the definition, and the settings.


def test_settings_are_printed_with_where_they_come_from_and_without_passwords(tmp_path):
    config = tmp_path / "my.toml"
    config.write_text('[pool]\nname = "mine"\n[chain]\nurl = "http://me:sesame@127.0.0.1:9332"\n')
    done = run("config", "--config", config, cwd=tmp_path, rewards__fee_bps=77)
    assert done.returncode == 0 and "sesame" not in done.stdout, done
    settings = {setting["setting"]: setting for setting in json.loads(done.stdout)}
    assert settings["pool.name"] == {"setting": "pool.name", "value": '"mine"', "from": str(config)}
    assert settings["rewards.fee_bps"]["from"] == "environment variable DWARVES__REWARDS__FEE_BPS"
    assert settings["payouts.confirmations"]["from"] == "default"
    done = run("config", "--changed", "--config", config, cwd=tmp_path, rewards__fee_bps=77)
    assert sorted(setting["setting"] for setting in json.loads(done.stdout)) == ["chain.url", "pool.name", "rewards.fee_bps"]
    assert run("config", "defaults", cwd=tmp_path).stdout == (ROOT / "config.toml").read_text()
    with Pool(data_dir=tmp_path / "data") as pool:
        pool.must_control("reward_distributor", "set_fee", fee_bps=300)
        done = run("config", "--changed", "--data-dir", pool.data_dir, cwd=tmp_path)
        stored = {"setting": "rewards.fee_bps", "value": "300", "from": "stored by an admin"}
        assert json.loads(done.stdout) == [stored], done


def test_shells_and_man_know_every_command(tmp_path):
    commands = (
        "serve", "mine", "hotkey", "admin", "check", "demo", "config", "backup", "restore", "completions", "man", "status",
        "miners", "workers", "payouts", "export",
    )
    for shell, name in [("bash", "bash"), ("zsh", "zsh"), ("fish", "fish")]:
        done = run("completions", shell, cwd=tmp_path)
        assert done.returncode == 0 and all(command in done.stdout for command in commands), done
        if shutil.which(name):
            (tmp_path / "completions").write_text(done.stdout)
            assert subprocess.run([name, "-n", tmp_path / "completions"]).returncode == 0
    assert run("completions", "dos", cwd=tmp_path).returncode == 2
    assert run("man", tmp_path / "man", cwd=tmp_path).returncode == 0
    for command in commands:
        page = (tmp_path / "man" / f"dwarves-{command}.1").read_text()
        assert f"dwarves\\-{command}" in page and "SYNOPSIS" in page, page[:300]
    assert "dwarves\\-hotkey\\-new(1)" in (tmp_path / "man/dwarves-hotkey.1").read_text()
