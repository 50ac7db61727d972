"""What is in deploy/: each file is read by the program that it is for."""

import re
import shutil
import subprocess

import pytest
from harness import ROOT, binary

DEPLOY = ROOT / "deploy"
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
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"there is no {program}")


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
