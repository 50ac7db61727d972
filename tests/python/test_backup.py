"""`dwarves backup` beside a pool under load, and `dwarves restore`: nothing that was sent is sent twice."""

import json
import shutil
import sqlite3
import subprocess
import threading

from harness import PAYING, Pool, binary, environment, eventually


def run(*arguments, cwd, **settings):
    settings = {key.replace("__", "."): value for key, value in settings.items()}
    return subprocess.run(
        [binary(), *map(str, arguments)], cwd=cwd, env=environment(settings), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60,
    )


def backup(pool, to, *arguments):
    return run("backup", to, "--data-dir", pool.data_dir, *arguments, cwd=pool.data_dir)


def restore(data_dir, file, *arguments):
    return run("restore", file, "--data-dir", data_dir, *arguments, cwd=data_dir)


def test_a_backup_beside_a_pool_under_load_has_every_share_that_was_acknowledged_before(tmp_path):
    with Pool() as pool:
        miner = pool.miner()
        stop = threading.Event()

        def mine():
            while not stop.is_set():
                miner.accepted()

        thread = threading.Thread(target=mine)
        thread.start()
        try:
            eventually("shares are counted", lambda: pool.pool()["shares"]["accepted"] > 50)
            before = pool.pool()["shares"]["accepted"]
            to = tmp_path / "backup.db"
            done = backup(pool, to)
            assert done.returncode == 0 and "every page is sound, and its books add up" in done.stdout, done
            assert "pool.key" in done.stdout, done
        finally:
            stop.set()
            thread.join()
        after = pool.pool()["shares"]["accepted"]
        with sqlite3.connect(to) as copy:
            last = copy.execute("SELECT MAX(first_sequence) FROM batches").fetchone()[0]
            assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert before - 16 <= last <= after, (before, last, after)
        assert to.stat().st_mode & 0o777 == 0o600
        record = json.loads((pool.data_dir / "backup.json").read_text())
        assert record == {"finished_at": record["finished_at"], "path": str(to), "bytes": to.stat().st_size}
        assert record["finished_at"].endswith("Z")
        # Nothing is overwritten unasked, and the ledger itself never.
        again = backup(pool, to)
        assert again.returncode == 1 and "--replace" in again.stderr, again
        assert backup(pool, to, "--replace").returncode == 0
        itself = backup(pool, pool.data_dir / "dwarves.db", "--replace")
        assert itself.returncode == 1 and "the ledger itself" in itself.stderr, itself
        nowhere = backup(pool, tmp_path / "nowhere" / "x.db")
        assert nowhere.returncode == 1 and "panicked" not in nowhere.stderr, nowhere
        assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.db"]
    done = run("backup", tmp_path / "x.db", "--data-dir", tmp_path / "none", cwd=tmp_path)
    assert done.returncode == 1 and "is not there" in done.stderr, done


def test_a_restored_ledger_sends_nothing_until_the_operator_has_adopted_what_was_sent(tmp_path):
    with Pool(data_dir=tmp_path / "data", **PAYING) as pool:
        miner = pool.miner()
        pool.must_control("paymaster", "pause")
        address = payout_address()
        assert miner.register(payout_address=address).status == 200

        def balance(name):
            miner.accepted(block=True)
            return pool.get(f"/v1/miners/{miner.hotkey}").json["balance_sats"][name]

        eventually("something is payable", lambda: balance("payable") > 0)
        to = tmp_path / "backup.db"
        assert backup(pool, to).returncode == 0
        # What happens after the backup: a payout.
        pool.must_control("paymaster", "resume")
        eventually("a payout is deep", lambda: balance("paid") > 0)
        pool.must_control("paymaster", "pause")
        sent = pool.get(f"/v1/miners/{miner.hotkey}/payouts").json["payouts"]
        running = restore(pool.data_dir, to, "--replace")
        assert running.returncode == 1 and "in use" in running.stderr, running
        assert pool.stop() == 0
        # Asked for what is there it is refused, and a look changes nothing.
        there = restore(pool.data_dir, to)
        assert there.returncode == 1 and "--replace" in there.stderr, there
        ledger = (pool.data_dir / "dwarves.db").read_bytes()
        look = restore(pool.data_dir, to, "--dry-run")
        assert look.returncode == 0 and "the ledger belongs to this chain" in look.stdout, look
        assert sent[-1]["txid"] in look.stdout and " of them to miners" in look.stdout, look
        assert (pool.data_dir / "dwarves.db").read_bytes() == ledger
        done = restore(pool.data_dir, to, "--replace")
        assert done.returncode == 0 and "paymaster adopt" in done.stdout, done
        assert (pool.data_dir / "dwarves.db.replaced").read_bytes() == ledger
        pool.start()
        # The backup's own word was that payouts are paused; the hold stands beside it.
        pool.must_control("paymaster", "resume")
        refused = pool.control("paymaster", "pay_now")
        assert refused.status == 409, refused
        payouts = pool.must_control("pool_manager", "status")["payouts"]
        hold = {hold["hold"]: hold["detail"] for hold in payouts["holds"]}
        assert "the ledger was restored at 2" in hold["restored"] and "backup.db" in hold["restored"], hold
        pool.restart()
        assert pool.control("paymaster", "pay_now").status == 409, "it holds as long as nobody has looked"
        for payout in {payout["txid"] for payout in sent}:
            adopted = pool.control("paymaster", "adopt", txid=payout, reserve_bears=True)
            assert adopted.status in (200, 409), adopted
        status = pool.must_control("pool_manager", "status")["payouts"]
        if status["holds"]:
            pool.must_control("paymaster", "release", hold="restored")
        before = {payout["txid"] for payout in pool.get(f"/v1/miners/{miner.hotkey}/payouts").json["payouts"]}
        assert before == {payout["txid"] for payout in sent}, "what was sent is in the books again"
        eventually("payouts go on", lambda: balance("paid") >= 0 and {
            payout["txid"] for payout in pool.get(f"/v1/miners/{miner.hotkey}/payouts").json["payouts"]
        } > before)
        assert pool.pool()["ledger_sum_sats"] == 0


def payout_address():
    """An address of the devnet: to the hash of nobody's key."""
    return "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


def test_a_backup_of_another_chain_or_a_damaged_one_is_refused(tmp_path):
    with Pool(data_dir=tmp_path / "data") as pool:
        pool.miner().accepted()
        to = tmp_path / "backup.db"
        assert backup(pool, to).returncode == 0
        assert pool.stop() == 0
        good = to.read_bytes()
        to.write_bytes(good[: len(good) // 2])
        done = restore(pool.data_dir, to, "--replace")
        assert done.returncode == 1 and "damaged" in done.stderr and "backup.db" in done.stderr, done
        to.write_bytes(good)
        with sqlite3.connect(to) as copy:
            identity = json.dumps({"genesis": "f" * 64, "deep": None})
            copy.execute("INSERT OR REPLACE INTO settings (name, value) VALUES ('ledger.chain', ?)", [identity])
        done = restore(pool.data_dir, to, "--replace")
        assert done.returncode == 1 and "not this chain's" in done.stderr, done
        names = sorted(path.name for path in pool.data_dir.iterdir() if path.name.startswith("dwarves.db"))
        assert names == ["dwarves.db", "dwarves.db.lock"], names
        pool.start()
        assert pool.pool()["shares"]["accepted"] > 0


def test_a_ledger_goes_into_an_empty_directory_and_tells_what_else_is_missing(tmp_path):
    with Pool(data_dir=tmp_path / "data") as pool:
        pool.miner().accepted()
        to = tmp_path / "backup.db"
        assert backup(pool, to).returncode == 0
        assert pool.stop() == 0
        (tmp_path / "new").mkdir()
        done = restore(tmp_path / "new", to)
        assert done.returncode == 0, done
        assert "put back" in done.stdout and "pool.key" in done.stdout, done
        for name in ("pool.key", "admin.token", "devnet"):
            source = pool.data_dir / name
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            copy(source, tmp_path / "new" / name)
    with Pool(data_dir=tmp_path / "new") as pool:
        assert pool.pool()["shares"]["accepted"] == 1
