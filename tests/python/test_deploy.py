"""What is in deploy/: each file is read by the program that it is for."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from harness import ROOT, Pool, binary, free_port

DEPLOY = ROOT / "deploy"
LITECOIND = pathlib.Path(os.environ.get("LITECOIND", "/usr/lib/litecoin/litecoind"))
UNITS = sorted((DEPLOY / "systemd").glob("dwarves*"))
# What the units may be exposed to, by systemd's own measure: 12 in tenths (10 is everything). docs/install.md says so.
EXPOSURE_MAX = "12"


@pytest.fixture
def units(tmp_path):
    """The units as they are installed, but for the path of the program."""
    for unit in UNITS:
        text = unit.read_text().replace("/usr/bin/dwarves ", f"{binary()} ")
        (tmp_path / unit.name).write_text(text)
    return tmp_path


def needs(program):
    """tests/all installs it; whoever runs pytest alone may lack it."""
    # Some of it is in the tests' own environment, beside Python.
    path = f"{os.environ['PATH']}{os.pathsep}{pathlib.Path(sys.executable).parent}"
    return pytest.mark.skipif(shutil.which(program, path=path) is None, reason=f"there is no {program}")


@needs("systemd-analyze")
def test_systemd_reads_the_units_without_a_word(units):
    names = [str(units / unit.name) for unit in UNITS]
    verified = subprocess.run(["systemd-analyze", "verify", "--man=no", *names], capture_output=True, text=True)
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


@needs("systemd-analyze")
def test_the_service_is_hardened(units):
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager"]
    measured = subprocess.run([*command, str(units / "dwarves.service")], capture_output=True, text=True)
    assert measured.returncode == 0, measured.stdout + measured.stderr
    (said,) = re.findall(r"Overall exposure level for dwarves.service: ([\d.]+)", measured.stdout)
    assert f"exposure of {said}" in (ROOT / "docs/install.md").read_text(), "the docs say another figure"


def test_the_unit_allows_more_time_than_the_pool_takes_to_stop():
    allowed = int(re.search(r"^TimeoutStopSec=(\d+)$", (DEPLOY / "systemd/dwarves.service").read_text(), re.M)[1])
    taken = re.search(r"STOP_MAX: Duration = Duration::from_secs\((\d+)\)", (ROOT / "src/wiring/mod.rs").read_text())
    assert allowed > int(taken[1])


@needs("hadolint")
def test_hadolint_finds_nothing_in_the_dockerfiles():
    files = [str(file) for file in sorted((DEPLOY / "docker").glob("*Dockerfile"))]
    assert len(files) == 2
    linted = subprocess.run([pathlib.Path(sys.executable).parent / "hadolint", *files], capture_output=True, text=True)
    assert (linted.returncode, linted.stdout) == (0, ""), linted


@needs("docker-compose")
def test_compose_reads_its_file():
    file = DEPLOY / "docker/compose.yaml"
    read = subprocess.run(["docker-compose", "-f", str(file), "config"], capture_output=True, text=True)
    assert read.returncode == 0, read.stderr
    # What it names on this machine is there.
    named = re.findall(rf"^ *- ({re.escape(str(ROOT))}\S*?):/", read.stdout, re.M)
    assert len(named) == 3 and all(pathlib.Path(path).is_dir() for path in named), named


@pytest.mark.skipif(not LITECOIND.exists(), reason="there is no litecoind")
def test_the_chain_of_the_containers_gives_a_pool_work(tmp_path):
    """What compose.yaml starts, without containers: node, peer, the settings that are prepared, and a pool on them."""
    rpc, p2p, other_rpc, other_p2p = (free_port() for _ in range(4))
    script = str(DEPLOY / "docker/litecoind.sh")
    shared = {"RPC_PASSWORD": "x", "RPC_BIND": "127.0.0.1", "NODE": "127.0.0.1", "NODE_RPC_PORT": rpc, "NODE_PORT": p2p}
    settings = tmp_path / "pool.toml"

    def begin(kind, rpc_port, port):
        (tmp_path / kind).mkdir()
        env = {**os.environ, **{name: str(value) for name, value in shared.items()}, "DATADIR": str(tmp_path / kind)}
        arguments = [f"-rpcport={rpc_port}", f"-bind=127.0.0.1:{port}"]
        with open(tmp_path / f"{kind}.log", "wb") as log:
            return subprocess.Popen(["bash", script, kind, *arguments], env=env, stdout=log, stderr=log)

    running = [begin("node", rpc, p2p), begin("peer", other_rpc, other_p2p)]
    try:
        env = {**os.environ, **{name: str(value) for name, value in shared.items()}, "HOME": str(tmp_path)}
        for _ in range(2):
            prepared = subprocess.run(["bash", script, "prepare", settings], env=env, capture_output=True, text=True, timeout=60)
            assert prepared.returncode == 0, prepared.stderr
        text = settings.read_text().replace('"0.0.0.0:3333"', '"127.0.0.1:0"')
        settings.write_text(text)
        pool = Pool(config=settings)
        pool.settings = {"http.listen": "127.0.0.1:0"}
        with pool:
            assert pool.pool()["chain"] == "litecoin" and pool.pool()["height"] == 1
            # As the container looks whether it is well.
            check = re.search(r'CMD \["bash", "-c", (".*")\]$', (DEPLOY / "docker/Dockerfile").read_text(), re.M)[1]
            check = json.loads(check).replace("/8080", f"/{pool.address[1]}")
            assert subprocess.run(["bash", "-c", check], timeout=20).returncode == 0
            pool.stop()
        assert subprocess.run(["bash", "-c", check], capture_output=True, timeout=20).returncode == 1
    finally:
        for one in running:
            one.terminate()
        for one in running:
            one.wait(60)
