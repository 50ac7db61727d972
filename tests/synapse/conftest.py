"""What every test may ask for."""

import pathlib
import sys

import pytest
from pool import Pool

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "python"))

from skipping import pytest_make_collect_report, pytest_runtest_makereport  # noqa: E402, F401


@pytest.fixture(scope="session")
def pool():
    """A pool that all tests share. None of them leaves it in another state than it found it."""
    with Pool() as pool:
        yield pool


_numbers = iter(range(1_000_000))


@pytest.fixture
def uri():
    """The secret URI of a hotkey that no other test uses."""
    return f"//Test{next(_numbers)}"
