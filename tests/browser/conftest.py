"""A pool under load, and a browser that looks at it."""

import contextlib
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))

from browser import Browser  # noqa: E402
from harness import Pool, binary, eventually  # noqa: E402
from skipping import pytest_make_collect_report, pytest_runtest_makereport  # noqa: E402, F401

# A share comes several times a second and a block every second or so; what it brings is paid soon.
SETTINGS = {
    "pool__name": "<b>Pool</b> & 'Co'",
    "work__start_difficulty": "0.0000005",
    "work__share_interval_secs": "0.3",
    "chain__devnet_block_hashes": "60000",
    "payouts__interval_secs": "2",
    "payouts__confirmations": "2",
    "rewards__run_interval_secs": "2",
}
# What each can hash in a second, and where it is paid.
MINERS = {
    "fast": (40_000, "bcrt1q66acvwhw7fe08r0w06fjq6k0n3pngy8g4ehp8a"),
    "slow": (10_000, "bcrt1qeanufjttw4mx5x4tayn6zagnyyjq3f406qv2cg"),
}


class Mining:
    """Miners of the program's own, each a process."""

    def __init__(self, pool, directory):
        self.pool = pool
        self.processes = []
        self.hotkeys = {}
        for name, (hashes, address) in MINERS.items():
            key = directory / f"{name}.key"
            made = subprocess.run([binary(), "hotkey", "new", key], capture_output=True, text=True, check=True)
            self.hotkeys[name] = next(word for word in (made.stdout + made.stderr).replace(".", " ").split() if word.startswith("5") and len(word) == 48)
            command = [binary(), "mine", "--pool", pool.url, "--hotkey", key, "--worker", f"rig-{name}", "--threads", "1"]
            command += ["--throttle", str(hashes), "--payout-address", address]
            with (directory / f"{name}.log").open("wb") as log:
                self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL))

    def stop(self):
        for process in self.processes:
            with contextlib.suppress(OSError):
                process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="session")
def pool(tmp_path_factory):
    """A pool that mines, with blocks, rounds and payouts to look at."""
    directory = tmp_path_factory.mktemp("browser")
    with Pool(data_dir=directory / "data", **SETTINGS) as pool:
        mining = Mining(pool, directory)
        pool.hotkeys = mining.hotkeys
        try:
            slow = f"/v1/miners/{mining.hotkeys['slow']}"
            eventually("blocks, rounds and payouts", lambda: pool.get(slow + "/payouts").json.get("payouts"), 60)
            yield pool
        finally:
            mining.stop()


@pytest.fixture(scope="session")
def chromium():
    browser = Browser()
    yield browser
    browser.quit()


@pytest.fixture
def browser(chromium):
    """The browser as it is at first: wide, light, with nothing injected."""
    chromium.size(1280)
    chromium.scheme("light")
    yield chromium
    chromium.forget_scripts()
    chromium.driver.get("about:blank")
    chromium.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
