"""Several fronts of one pool for a test: processes with data directories of their own on one ledger, and one node."""

import contextlib
import shutil
import signal
import time

from harness import Pool, eventually, free_port
from standin_node import bech32

# A takeover takes no longer than this.
TAKEOVER_SECS = 5


class Front(Pool):
    """One of them."""

    def __init__(self, name, data_dir, first=None, **settings):
        stratum = free_port()
        super().__init__(
            data_dir=data_dir,
            log_path=data_dir.parent / f"{name}.log",
            front__name=name,
            # Ports that stay the same over restarts.
            http__listen=f"127.0.0.1:{free_port()}",
            stratum__listen=f"127.0.0.1:{stratum}",
            **settings,
        )
        if first is not None:
            # All fronts are one pool: they have its key and its operator's token.
            data_dir.mkdir(parents=True)
            for file in ("pool.key", "admin.token"):
                shutil.copy(first.data_dir / file, data_dir / file)

    @property
    def name(self):
        return self.settings["front.name"]

    def signal(self, number):
        self.process.send_signal(number)

    def figures(self):
        """The figures of this very process."""
        lines = self.get("/metrics").body.decode().splitlines()
        pairs = [line.rsplit(" ", 1) for line in lines if line and not line.startswith("#")]
        return {name: float(value) for name, value in pairs}

    def leads(self):
        with contextlib.suppress(OSError):
            return self.figures().get("dwarves_front_leads") == 1
        return False

    def fronts(self):
        """All fronts, as the one that leads sees them, by name."""
        answer = self.get("/v1/admin/state", {"Authorization": f"Bearer {self.admin_token()}"})
        assert answer.status == 200, answer
        return {front["name"]: front for front in answer.json["fronts"]}


def common(server, node, database="ledger"):
    """Settings that all fronts have."""
    return {
        "store__kind": "postgres",
        "store__url": server.url(database),
        "front__peers": '["127.0.0.1"]',
        "chain__kind": "node",
        "chain__url": node.url,
        "chain__payout_address": bech32("bcrt", bytes(20)),
        "chain__poll_interval_secs": "0.2",
    }


@contextlib.contextmanager
def two(directory, settings, own=({}, {})):
    """Two fronts; the first one leads. `own` has settings that only one of them has."""
    with Front("a", directory / "a", **{**settings, **own[0]}) as first:
        with Front("b", directory / "b", first=first, **{**settings, **own[1]}) as second:
            yield first, second


def wait_for_lead(front, since, secs=TAKEOVER_SECS):
    """Waits until this front leads and is ready; gives how long that took."""
    eventually(f"{front.name} leads", front.leads, secs + 10)
    took = time.monotonic() - since
    eventually(f"{front.name} is ready", lambda: front.get("/readyz").status == 200, 10)
    assert took < secs, f"it took {took:.1f} s"
    return took


def freeze(front):
    front.signal(signal.SIGSTOP)


def thaw(front):
    front.signal(signal.SIGCONT)
