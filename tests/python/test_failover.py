"""Two fronts, a primary and its synchronous standby, under load: whatever is killed, stands still or is cut off, everything
that was acknowledged is there once.

`FAILOVER_ROUNDS=100` in the environment goes on for longer.
"""

import contextlib
import os
import random
import shutil
import subprocess
import time

import pytest
from fronts import common, freeze, thaw, two
from harness import eventually, free_port
from postgres import Postgres, Standby
from rigs import Rig, end, told
from standin_node import StandInNode
from test_pool import rows
from test_postgres import compare, mine_while, pooler
from wire import Wire

ROUNDS = int(os.environ.get("FAILOVER_ROUNDS", "10"))
# Then fronts are linked, and rigs on Stratum mine at both.
IS_LONG = ROUNDS > 10
SETTINGS = "synchronous_standby_names = '*'\nwal_keep_size = 256MB\nwal_log_hints = on\nwal_sender_timeout = 3s\n"


class Scene:
    """Everything that can go wrong."""

    def __init__(self, primary, standby, fronts, wires, between, dice):
        self.primary, self.standby = primary, standby
        self.fronts, self.wires, self.between, self.dice = fronts, wires, between, dice

    def leading(self):
        """The front that leads, and the other one."""
        first, second = self.fronts
        leads = eventually("a front leads", lambda: [f for f in self.fronts if f.process and f.leads()], 30)
        return (first, second) if leads[0] is first else (second, first)

    def see_to_ends(self):
        """Starts again who ended, as a service manager does."""
        for front in self.fronts:
            if front.process is not None and front.process.poll() is not None:
                assert front.process.returncode == 70, front.log()[-2000:]
                front.process = None
                self.start(front)

    def start(self, front):
        front.spawn()
        self.is_back(front)

    @staticmethod
    def is_back(front):
        def answers():
            with contextlib.suppress(OSError):
                return front.get("/healthz").status == 200

        eventually(f"{front.name} is back", answers, 30)

    def kill_leader(self):
        front, _ = self.leading()
        front.kill()
        self.start(front)

    def kill_other(self):
        _, front = self.leading()
        front.kill()
        self.start(front)

    def freeze_leader(self):
        front, other = self.leading()
        freeze(front)
        eventually("the other leads", other.leads, 20)
        thaw(front)
        assert front.process.wait(20) == 70
        front.process = None
        self.start(front)

    def cut_leader_off(self):
        front, other = self.leading()
        self.wires[front].cut()
        eventually("the other leads", other.leads, 20)
        self.wires[front].mend()
        assert front.process.wait(20) == 70, front.log()[-2000:]
        front.process = None
        self.start(front)

    def cut_other_off(self):
        front, other = self.leading()
        self.wires[other].cut()
        time.sleep(self.dice.uniform(0.5, 4))
        self.wires[other].mend()
        assert front.leads()

    def cut_standby_off(self):
        """Nothing is acknowledged until it is back."""
        self.between.cut()
        time.sleep(self.dice.uniform(0.5, 3))
        self.between.mend()

    def kill_standby(self):
        self.standby.kill()
        time.sleep(self.dice.uniform(0, 2))
        self.standby.start()

    def kill_primary(self):
        """The standby is promoted, and the old primary follows it."""
        old, new = self.primary, self.standby
        old.kill()
        new.run("pg_ctl", "promote", "-D", str(new.data), "-w")
        # Before its next checkpoint pg_rewind takes it for what it was, and does nothing.
        new.sql("CHECKPOINT", database="postgres")
        self.primary, self.standby = new, old
        for wire in self.wires.values():
            wire.drop()
        old.run(
            "pg_rewind", "-D", str(old.data), "-R",
            "--source-server", f"host={new.directory} port={new.port} user=dwarves dbname=postgres",
        )  # fmt: skip
        with open(old.data / "postgresql.conf", "a") as conf:
            conf.write(f"unix_socket_directories = '{old.directory}'\nport = {old.port}\n")
        with open(old.data / "postgresql.auto.conf", "a") as conf:
            conf.write(f"primary_conninfo = 'host=127.0.0.1 port={self.between.port} user=dwarves'\n")
        old.start()

    def restart_primary(self):
        self.primary.kill()
        time.sleep(self.dice.uniform(0, 3))
        self.primary.start()

    def anything(self):
        deeds = [
            self.kill_leader, self.kill_other, self.freeze_leader, self.cut_leader_off, self.cut_other_off,
            self.cut_standby_off, self.kill_standby, self.kill_primary, self.restart_primary,
        ]  # fmt: skip
        # Each of them once before any comes again.
        while True:
            self.dice.shuffle(deeds)
            yield from deeds


@pytest.fixture
def place(tmp_path):
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)


def test_whatever_dies_everything_acknowledged_is_there_once(place):
    seed = int(os.environ.get("FAILOVER_SEED", random.randrange(1 << 30)))
    print(f"FAILOVER_SEED={seed}")
    dice = random.Random(seed)
    with StandInNode("bitcoin") as node, Postgres() as primary:
        scene = None
        between = Wire(lambda: ("127.0.0.1", (scene.primary if scene else primary).port))
        with Standby(primary) as standby:
            with open(standby.data / "postgresql.auto.conf", "a") as conf:
                conf.write(f"primary_conninfo = 'host=127.0.0.1 port={between.port} user=dwarves'\n")
            for server in (primary, standby):
                with open(server.data / "postgresql.conf", "a") as conf:
                    conf.write(SETTINGS)
                server.stop()
            primary.start()
            standby.start()
            wires = [Wire(lambda: ("127.0.0.1", (scene.primary if scene else primary).port)) for _ in range(2)]
            settings = common(primary, node)
            own = [{"store__url": to(wire)} for wire in wires]
            for one in own if IS_LONG else []:
                one["front__listen"] = f"127.0.0.1:{free_port()}"
            with two(place, settings, own) as fronts:
                scene = Scene(primary, standby, fronts, dict(zip(fronts, wires)), between, dice)
                done = []
                deeds = scene.anything()

                def deed():
                    what = next(deeds)
                    done.append(what.__name__)
                    print(what.__name__, flush=True)
                    what()
                    scene.see_to_ends()
                    eventually("the pool is ready", lambda: any(is_ready(front) for front in fronts), 30)

                rigs = [Rig(fronts, fronts[0].miner(f"//Rig{n}").hotkey, n) for n in range(2 if IS_LONG else 0)]
                for rig in rigs:
                    rig.start()
                miners = mine_while(fronts[0], scene.primary, deed, ROUNDS, seed)
                end(rigs)
                acknowledged = compare(scene.primary, "ledger", miners, rigs)
                assert len(acknowledged) > 20 * ROUNDS, done
                assert not IS_LONG or len(told(rigs)[0]) > 5 * ROUNDS, done
                front, _ = scene.leading()
                rounds = rows(front, "/v1/rounds?limit=100", "rounds")
                assert [r["id"] for r in rounds] == list(range(rounds[0]["id"], rounds[0]["id"] - len(rounds), -1))
                for front in fronts:
                    assert front.stop() == 0
                same_on_both(scene)


def is_ready(front):
    with contextlib.suppress(OSError):
        return front.get("/readyz").status == 200


def to(wire):
    return f"postgresql://dwarves@127.0.0.1:{wire.port}/ledger"


def same_on_both(scene):
    """What the standby has is what the primary has."""
    end = scene.primary.sql("SELECT pg_current_wal_lsn()")[0][0]
    caught_up = lambda: scene.standby.sql(f"SELECT pg_last_wal_replay_lsn() >= '{end}'") == [["t"]]  # noqa: E731
    eventually("the standby has everything", caught_up, 30)
    tables = scene.primary.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    assert len(tables) > 20
    for (table,) in tables:
        sql = f"SELECT COUNT(*), md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))) FROM {table} AS t"
        assert scene.primary.sql(sql) == scene.standby.sql(sql), table


def test_a_pooler_that_is_killed_costs_nothing(place):
    """The front that leads comes to the database through a pooler, the other one does not."""
    with StandInNode("bitcoin") as node, Postgres() as server:
        port = None
        wire = Wire(lambda: ("127.0.0.1", port))
        with pooler(server, "session") as port:
            settings = [{"store__url": to(wire)}, {}]
            with two(place, common(server, node), settings) as (first, second):

                def kill():
                    subprocess.run(["pkill", "-9", "-f", f"{server.directory}/pooler-session"], check=False)
                    wire.drop()
                    time.sleep(0.5)

                miners = mine_while(second, server, lambda: None, 1, 7)
                kill()
                eventually("the other leads", second.leads, 15)
                eventually("the pool is ready", lambda: is_ready(second), 15)
                more = mine_while(second, server, lambda: None, 2, 8)
                compare(server, "ledger", miners + more)
    wire.close()
