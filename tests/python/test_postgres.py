"""The pool on a real PostgreSQL server: all that it does, and what becomes of it when either of the two is killed."""

import contextlib
import json
import pathlib
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import pytest
from crash_miners import Client, Lost, address_of
from harness import PAYING, Pool, binary, environment, eventually, free_port, problem
from postgres import Postgres, Standby
from test_full_disk import fill, mine_until_refused
from rigs import told
from test_pool import rows, wait_for_round_with


@pytest.fixture(scope="module")
def server():
    with Postgres() as server:
        yield server


_databases = iter(range(1, 1000))


@pytest.fixture
def database(server):
    """A database of its own: its name."""
    name = f"ledger_{next(_databases)}"
    server.sql(f"CREATE DATABASE {name}", database="postgres")
    yield name
    server.sql(f"DROP DATABASE {name} WITH (FORCE)", database="postgres")


def on(server, database, **settings):
    return Pool(store__kind="postgres", store__url=server.url(database), **settings)


def check_books(server, database):
    """Reads the books past the pool: whatever was entered adds up, and is where the accounts stand."""
    wrong = [
        "SELECT round, payout, step, SUM(delta) FROM journal GROUP BY round, payout, step, at HAVING SUM(delta) <> 0",
        """SELECT account, balances.amount, sum FROM balances FULL JOIN
           (SELECT account, hotkey, SUM(delta) AS sum FROM journal GROUP BY account, hotkey) AS entries
           USING (account, hotkey) WHERE COALESCE(balances.amount, 0) <> COALESCE(sum, 0)""",
        """SELECT id, credited, sum FROM rounds LEFT JOIN
           (SELECT round, SUM(amount) AS sum FROM credits WHERE kind = 'credit' GROUP BY round) AS parts
           ON parts.round = id WHERE credited <> COALESCE(sum, 0)""",
        "SELECT hash, COUNT(*) FROM shares GROUP BY hash HAVING COUNT(*) > 1",
        "SELECT MIN(sequence), MAX(sequence), COUNT(*) FROM shares HAVING COUNT(*) <> COALESCE(MAX(sequence), 0)",
        "SELECT txid, COUNT(*) FROM payouts WHERE txid IS NOT NULL GROUP BY txid HAVING COUNT(*) > 1",
    ]
    for sql in wrong:
        assert server.sql(sql, database=database) == [], sql


def stored_shares(server, database):
    """The sequence of every share by its hash, as explorers write it."""
    found = server.sql("SELECT sequence, encode(hash, 'hex') FROM shares", database=database)
    return {bytes.fromhex(hash_)[::-1].hex(): int(sequence) for sequence, hash_ in found}


def test_a_pool_lives_on_a_server_and_comes_back(server, database):
    with on(server, database, **{key.replace(".", "__"): value for key, value in PAYING.items()}) as pool:
        alice = pool.miner("//PgAlice")
        answer = alice.register(payout_address=address_of(1))
        assert answer.status == 200, answer
        for _ in range(20):
            alice.accepted()
        block = alice.block()
        round_ = wait_for_round_with(pool, block)
        assert round_["credited_sats"] > 0
        # Blocks mature and are paid while there is work.
        def is_paid():
            alice.accepted()
            return [p for p in rows(pool, "/v1/payouts", "payouts") if p["state"] == "confirmed"]

        eventually("a payout is deep", is_paid, 60)
        history = pool.get("/v1/pool/history?resolution=minute").json
        assert sum(point["accepted"] for point in history["points"]) > 20, history
        before = {path: pool.get(path).json for path in ("/v1/blocks", "/v1/rounds?limit=5")}
        assert pool.pool()["ledger_sum_sats"] == 0
        shares = pool.pool()["shares"]["accepted"]
        pool.restart()
        assert pool.pool()["shares"]["accepted"] >= shares
        newest = pool.get("/v1/rounds?limit=100").json["rounds"]
        assert all(round_ in newest for round_ in before["/v1/rounds?limit=5"]["rounds"])
        pool.restart(kill=True)
        alice.open_session()
        alice.accepted()
        assert pool.pool()["ledger_sum_sats"] == 0
    check_books(server, database)


def mine_while(pool, server, kill, times, seed):
    """Miners mine without pause while something is killed again and again. Gives the miners."""
    dice = random.Random(seed)
    print(f"seed {seed}")
    miners = [Client(pool, number, seed, address_of(number)) for number in range(1, 4)]
    for miner in miners:
        miner.register()
    for miner in miners:
        miner.start()
    for _ in range(times):
        time.sleep(dice.uniform(0.3, 1.2))
        kill()
    time.sleep(1.5)
    for miner in miners:
        miner.stopping.set()
    for miner in miners:
        miner.join(60)
        assert not miner.is_alive(), "a miner hangs"
        if miner.failure is not None:
            raise miner.failure
    # What was never answered is asked for once more.
    for miner in miners:
        while miner.unanswered:
            try:
                miner.settle()
            except Lost:
                time.sleep(0.1)
    return miners


def compare(server, database, miners, rigs=()):
    """What miners over HTTP and rigs on Stratum were told is what is stored. Gives the former's."""
    acknowledged, refused = {}, set()
    for miner in miners:
        acknowledged.update(miner.acknowledged)
        refused.update(miner.refused)
    stored = stored_shares(server, database)
    lost = {hash_: sequence for hash_, sequence in acknowledged.items() if stored.get(hash_) != sequence}
    assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged shares are not where they were"
    # Whoever lost the answer and asks again once the work is over hears that it is stale, and is credited all the same.
    of_rigs, sent_by_rigs = told(rigs)
    assert of_rigs <= set(stored), f"{len(of_rigs - set(stored))} of {len(of_rigs)} shares of rigs are lost"
    strange = set(stored) - set(acknowledged) - refused - sent_by_rigs
    assert not strange, f"{len(strange)} shares are stored that nobody sent"
    check_books(server, database)
    return acknowledged


def test_a_killed_pool_loses_no_acknowledged_share(server, database):
    with on(server, database) as pool:
        lock = threading.Lock()

        def kill():
            with lock:
                pool.restart(kill=True)

        miners = mine_while(pool, server, kill, 5, random.randrange(1 << 30))
        acknowledged = compare(server, database, miners)
        assert len(acknowledged) > 200
        assert pool.pool()["ledger_sum_sats"] == 0


def test_a_killed_server_loses_no_acknowledged_share():
    with Postgres() as server:
        with Pool(**server.of_pool()) as pool:

            def kill():
                server.kill()
                server.start()

            miners = mine_while(pool, server, kill, 5, random.randrange(1 << 30))
            assert pool.is_alive(), "the pool ended with its server"
            eventually("the pool is ready again", lambda: pool.get("/readyz").status == 200)
            acknowledged = compare(server, "ledger", miners)
            assert len(acknowledged) > 200
            rounds = rows(pool, "/v1/rounds?limit=100", "rounds")
            assert [r["id"] for r in rounds] == list(range(rounds[0]["id"], 0, -1)), "a round is missing or double"
            assert "the ledger writes again" in pool.log()


def test_without_its_server_the_pool_acknowledges_nothing_and_goes_on_when_it_is_back():
    with Postgres() as server:
        with Pool(**server.of_pool()) as pool:
            miner = pool.miner("//PgLonely")
            miner.accepted()
            server.stop()
            job = miner.job()
            share, share_id = job.find(block=False)
            answer = miner.submit(share)
            problem(answer, 503, "unavailable")
            assert pool.is_alive() and pool.get("/healthz").status == 200
            problem(pool.get("/readyz"), 503, "not_ready")
            server.start()

            def is_taken():
                answer = miner.submit(share)
                return answer.status == 200 and answer.json["results"][0]

            verdict = eventually("shares are taken again", is_taken)
            assert verdict.get("reason", "accepted") in ("accepted", "stale"), verdict
            if verdict["verdict"] == "accepted":
                assert stored_shares(server, "ledger")[share_id] == verdict["sequence"]
            eventually("the pool is ready again", lambda: pool.get("/readyz").status == 200)


def command(*arguments, **settings):
    env = environment({key.replace("__", "."): value for key, value in settings.items()})
    return subprocess.run([binary(), *arguments], capture_output=True, text=True, env=env, timeout=60)


def test_check_says_what_is_wrong_with_a_database(server, database, tmp_path):
    data = str(tmp_path / "data")
    of = {"store__kind": "postgres", "store__url": server.url(database), "http__listen": "127.0.0.1:0"}
    with Pool(data_dir=data, **of) as pool:
        pool.miner("//PgChecked").accepted()
        done = command("check", "--json", "--data-dir", data, **of)
        told = json.loads(done.stdout)["findings"]
        ledger = [finding["detail"] for finding in told if finding["what"] == "ledger"]
        assert any("PostgreSQL" in detail and database in detail for detail in ledger), ledger
        assert any("a pool is running on it" in detail for detail in ledger), ledger
        assert any("front 1, " in detail and " leads" in detail for detail in ledger), ledger
        # A second one with the same key.
        (tmp_path / "second").mkdir()
        shutil.copy(tmp_path / "data" / "pool.key", tmp_path / "second" / "pool.key")
        second = command("serve", "--data-dir", str(tmp_path / "second"), **of)
        assert second.returncode != 0 and "another front that is called" in second.stderr, second.stderr
        pool.stop()
    done = command("check", "--json", "--data-dir", data, **of)
    told = json.loads(done.stdout)["findings"]
    assert any("1 shares" in finding["detail"] for finding in told if finding["what"] == "ledger"), told
    # The key is gone, and the ledger is not: no new one is made.
    (tmp_path / "data" / "pool.key").rename(tmp_path / "kept.key")
    refused = command("serve", "--data-dir", data, **of)
    assert refused.returncode != 0 and "pool.key" in refused.stderr, refused.stderr
    for url, words in [
        (server.url("nowhere"), "createdb"),
        (server.url(database, user="stranger"), "stranger"),
        (f"postgresql://dwarves@127.0.0.1:1/{database}", "cannot be reached"),
    ]:
        done = command("check", "--json", "--data-dir", data, **{**of, "store__url": url})
        wrong = [f for f in json.loads(done.stdout)["findings"] if not f["ok"] and f["what"] == "ledger"]
        assert wrong and words in wrong[0]["detail"] and wrong[0]["remedy"], (url, wrong)
    for arguments, words in [
        (["backup", str(tmp_path / "copy.db")], "pg_basebackup"),
        (["restore", str(tmp_path / "copy.db")], "PostgreSQL's own tools"),
    ]:
        done = command(*arguments, "--data-dir", data, **of)
        assert done.returncode != 0 and words in done.stderr, (arguments, done.stderr)


def test_a_password_is_never_shown(server, database, tmp_path):
    server.sql(
        f"CREATE ROLE guarded LOGIN PASSWORD 's3cret'; ALTER DATABASE {database} OWNER TO guarded", database="postgres"
    )
    hba = server.data / "pg_hba.conf"
    before = hba.read_text()
    hba.write_text(f"host {database} guarded 127.0.0.1/32 scram-sha-256\n{before}")
    server.sql("SELECT pg_reload_conf()", database="postgres")
    try:
        word = tmp_path / "password"
        word.write_text("s3cret\n")
        url = server.url(database, user="guarded", host="127.0.0.1")
        settings = {"store__kind": "postgres", "store__url": url, "store__password_file": str(word)}
        with Pool(**settings) as pool:
            pool.miner("//PgGuarded").accepted()
            assert "s3cret" not in pool.log()
        inline = url.replace("guarded@", "guarded:s3cret@")
        done = command("config", "--json", "--data-dir", str(tmp_path), store__kind="postgres", store__url=inline)
        assert done.returncode == 0 and "s3cret" not in done.stdout + done.stderr, done.stderr
        assert "***@127.0.0.1" in done.stdout, done.stdout
        word.write_text("wrong\n")
        done = command("check", "--json", "--data-dir", str(tmp_path), **settings)
        assert "password authentication failed" in done.stdout and "s3cret" not in done.stdout, done.stdout
    finally:
        hba.write_text(before)
        server.sql("SELECT pg_reload_conf()", database="postgres")


def figures(pool):
    lines = (line for line in pool.get("/metrics").body.decode().splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def admin_state(pool):
    answer = pool.get("/v1/admin/state", {"Authorization": f"Bearer {pool.admin_token()}"})
    assert answer.status == 200, answer
    return answer.json


def test_pages_are_read_from_a_standby_within_its_bound(tmp_path):
    with Postgres() as server, Standby(server) as standby:
        data = str(tmp_path / "data")
        of = {**server.of_pool(), "store__read_url": standby.url(), "store__read_lag_max_secs": 2}
        with Pool(data_dir=data, **of) as pool:
            read_there = 'dwarves_store_page_reads_total{side="standby"}'

            def answers():
                before = figures(pool)[read_there]
                pool.get("/v1/pool/history?resolution=minute")
                return figures(pool)[read_there] > before

            eventually("pages are read from the standby", answers)
            assert 0 <= figures(pool)["dwarves_store_standby_lag_seconds"] < 2
            state = admin_state(pool)["standby"]
            assert state["answers"] and state["why"] is None and "database ledger on" in state["place"], state
            miner = pool.miner("//PgShown")
            miner.accepted()
            # Whoever is told of an order sees it, wherever it is read.
            for number in range(5):
                pool.must_control("pool_manager", "pause" if number % 2 == 0 else "resume")
                newest = pool.audit("?limit=1")["audit"][0]
                assert newest["message"] == ("pause" if number % 2 == 0 else "resume"), newest
            pool.must_control("pool_manager", "resume")
            done = command("check", "--json", "--data-dir", data, **{**of, "http__listen": "127.0.0.1:0"})
            told = [f["detail"] for f in json.loads(done.stdout)["findings"] if f["what"] == "ledger"]
            assert any("pages are read from its standby" in detail for detail in told), told
            shown = command("status", "--once", "--data-dir", data).stdout
            assert "pages      read from the standby (database ledger on" in shown, shown
            standby.sql("SELECT pg_wal_replay_pause()")
            eventually("it is late", lambda: figures(pool)["dwarves_store_standby_answers"] == 0)
            assert figures(pool)["dwarves_store_standby_lag_seconds"] > 2
            before = pool.pool()["shares"]["accepted"]
            miner.accepted()
            history = pool.get("/v1/pool/history?resolution=minute").json
            assert sum(point["accepted"] for point in history["points"]) == before + 1, history
            assert "more than store.read_lag_max_secs = 2" in admin_state(pool)["standby"]["why"]
            shown = command("status", "--once", "--data-dir", data).stdout
            assert "pages      read from the primary: the standby (database ledger on" in shown, shown
            standby.sql("SELECT pg_wal_replay_resume()")
            eventually("it is asked again", answers)
            standby.kill()
            assert pool.get("/v1/pool/history?resolution=minute").status == 200
            eventually("it is gone", lambda: figures(pool)["dwarves_store_standby_answers"] == 0)
            miner.accepted()
            # A pool starts without it.
            pool.restart()
            assert pool.get("/v1/rounds").status == 200
            assert "does not answer" in admin_state(pool)["standby"]["why"]
            done = command("check", "--json", "--data-dir", data, **{**of, "http__listen": "127.0.0.1:0"})
            wrong = [f for f in json.loads(done.stdout)["findings"] if not f["ok"] and f["what"] == "ledger"]
            assert any("does not answer" in finding["detail"] for finding in wrong), wrong
            # Said once when it begins, and once when it is over.
            log = pool.log()
            assert log.count(" s behind, more than") == 1, log
            assert log.count("pages are read from the standby") == 2, log


@contextlib.contextmanager
def pooler(server, mode):
    """A pgbouncer before the server: its port."""
    port = free_port()
    folder = server.directory / f"pooler-{mode}"
    folder.mkdir()
    (folder / "users").write_text('"dwarves" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={server.directory} port={server.port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        f"auth_file = {folder}/users\npool_mode = {mode}\nmax_client_conn = 50\ndefault_pool_size = 20\n"
        f"ignore_startup_parameters = extra_float_digits\n"
    )
    # `any` logs everybody in as one user of the server.
    ini = folder / "pgbouncer.ini"
    ini.write_text(ini.read_text().replace(f"port={server.port}", f"port={server.port} user=dwarves"))
    subprocess.run(["chown", "-R", "nobody", folder], check=True)
    command = [*server.as_nobody, shutil.which("pgbouncer") or "/usr/sbin/pgbouncer", str(ini)]
    with open(folder.parent / f"pooler-{mode}.log", "wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    try:
        eventually("the pooler listens", lambda: listens(port))
        yield port
    finally:
        process.kill()
        process.wait()


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True


def test_a_pooler_must_keep_sessions(server, database, tmp_path):
    of = {"store__kind": "postgres", "http__listen": "127.0.0.1:0"}
    with pooler(server, "transaction") as port:
        of["store__url"] = f"postgresql://dwarves@127.0.0.1:{port}/{database}"
        for arguments in ["serve"], ["check"]:
            done = command(*arguments, "--data-dir", str(tmp_path / "data"), **of)
            told = done.stdout + done.stderr
            assert done.returncode != 0 and "pool_mode = session" in told, told
    with pooler(server, "session") as port:
        of["store__url"] = f"postgresql://dwarves@127.0.0.1:{port}/{database}"
        with Pool(**of) as pool:
            miner = pool.miner("//PgPooled")
            miner.accepted()
            pool.restart()
            miner.open_session()
            miner.accepted()
    check_books(server, database)


def test_over_tls_the_server_must_show_who_it_is(tmp_path):
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=tmp_path, check=True, capture_output=True)

    new = ["-newkey", "rsa:2048", "-nodes"]
    openssl("req", "-x509", *new, "-days", "2", "-subj", "/CN=an authority", "-keyout", "ca.key", "-out", "ca.crt")
    openssl("req", *new, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    (tmp_path / "names").write_text("subjectAltName=DNS:localhost\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "names", "-out", "server.crt")  # fmt: skip
    with Postgres() as server:
        for name in "server.key", "server.crt":
            place = server.data / name
            shutil.copy(tmp_path / name, place)
            place.chmod(0o600)
            if server.as_nobody:
                shutil.chown(place, "nobody", "nogroup")
        server.sql("ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()", database="postgres")
        eventually("TLS is on", lambda: server.sql("SHOW ssl") == [["on"]])
        url = server.url(host="localhost") + "?sslmode=require"
        of = {"store__kind": "postgres", "store__url": url, "store__ca_file": str(tmp_path / "ca.crt")}
        with Pool(**of) as pool:
            pool.miner("//PgSecured").accepted()
            secured = "SELECT COUNT(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl AND datname = 'ledger'"
            assert int(server.sql(secured)[0][0]) >= 4, "its connections are not TLS"
        stranger = {**of, "store__ca_file": ""}
        elsewhere = {**of, "store__url": url.replace("localhost", "127.0.0.1")}
        for settings, words in (stranger, "certificate"), (elsewhere, "certificate"):
            done = command("check", "--data-dir", str(tmp_path / "data"), **settings)
            assert done.returncode != 0 and words in done.stdout, done.stdout


@pytest.fixture
def small_disk():
    """A small disk for a server alone, where nobody's server may go."""
    disk = pathlib.Path(tempfile.mkdtemp(prefix="dwpg-disk-", dir="/tmp"))
    disk.chmod(0o755)
    mount = ["mount", "-t", "tmpfs", "-o", "size=220m,mode=1777", "tmpfs", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.fail(f"a small disk cannot be mounted ({done.stderr.strip()}): see tests/python/test_full_disk.py")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)
    disk.rmdir()


def test_a_full_disk_of_the_server_refuses_shares_and_an_emptied_one_takes_them(small_disk):
    with Postgres("max_wal_size = 64MB", place=small_disk) as server:
        with Pool(**server.of_pool(), chain__devnet_block_hashes=10**9) as pool:
            miner = pool.miner("//PgFull")
            pool.must_control("miner_manager", "set_share_difficulty", hotkey=miner.hotkey, difficulty=1e-9)
            acknowledged = {}
            filler = fill(small_disk)
            refusal = mine_until_refused(miner, acknowledged)
            problem(refusal, 503, "unavailable")
            assert pool.is_alive()
            problem(pool.get("/readyz"), 503, "not_ready")
            filler.unlink()
            if server.process.poll() is not None:
                # A server that cannot write its log of writes stops; whoever looks after it starts it again.
                server.process = None
                server.start()
            job = miner.job()

            def is_taken():
                share, share_id = job.find(block=False)
                answer = miner.submit(share)
                if answer.status == 200 and answer.json["results"][0]["verdict"] == "accepted":
                    acknowledged[share_id] = answer.json["results"][0]["sequence"]
                    return True

            eventually("shares are taken again", is_taken, 60)
            stored = stored_shares(server, "ledger")
            lost = {hash_ for hash_, sequence in acknowledged.items() if stored.get(hash_) != sequence}
            assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged shares are not where they were"
            check_books(server, "ledger")
