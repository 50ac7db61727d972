"""The package that miners install: it has the pool's version, and is built as PyPI wants it."""

import json
import re
import subprocess
import sys
import zipfile

import dwarves_synapse
import pytest
import setuptools
from pool import ROOT

PACKAGE = ROOT / "clients/python"


def test_it_has_the_pools_version():
    manifest = (ROOT / "Cargo.toml").read_text()
    version = re.search(r'^\[workspace\.package\]\nversion = "([^"]+)"', manifest, re.M).group(1)
    assert dwarves_synapse.__version__ == version


# bittensor 9 pins an older one than the package asks for: the other environment builds it.
@pytest.mark.skipif(int(setuptools.__version__.split(".")[0]) < 77, reason="runs elsewhere: this environment's setuptools is too old")
def test_it_is_built_and_has_the_module_alone(tmp_path):
    # What builds it is installed already: nothing is fetched.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path, copied(tmp_path)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built
    (wheel,) = tmp_path.glob("*.whl")
    (source,) = tmp_path.glob("*.tar.gz")
    assert source.name == f"dwarves_synapse-{dwarves_synapse.__version__}.tar.gz"
    with zipfile.ZipFile(wheel) as files:
        assert [name for name in files.namelist() if ".dist-info/" not in name] == ["dwarves_synapse.py"]
        (metadata,) = (name for name in files.namelist() if name.endswith("/METADATA"))
        metadata = files.read(metadata).decode()
    assert re.findall("^Requires-Dist: (.*)", metadata, re.M) == ["bittensor<11,>=7.2"]
    assert f"Version: {dwarves_synapse.__version__}" in metadata


def copied(tmp_path):
    """The package's sources in a place where building may leave what it likes."""
    folder = tmp_path / "sources"
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "dwarves_synapse.py"):
        (folder / name).write_bytes((PACKAGE / name).read_bytes())
    return folder


def test_every_field_that_a_class_has_is_signed_or_answered():
    signed = {
        "Register": ["action", "worker", "payout_address"],
        "GetWork": ["action", "worker"],
        "SubmitWork": ["action", "worker", "work"],
        "MinerStatus": ["action", "worker"],
    }
    for name, fields in signed.items():
        synapse = getattr(dwarves_synapse, name)()
        assert list(synapse.required_hash_fields) == fields
        own = [field for field in synapse.model_dump() if field not in dwarves_synapse.bittensor.Synapse().model_dump()]
        assert own[: len(fields)] == fields
        assert all(getattr(synapse, field) is None for field in own[len(fields) :])
        json.dumps(synapse.model_dump())
