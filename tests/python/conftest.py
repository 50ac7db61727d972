"""What every test may ask for."""

import pytest
from harness import Pool
from skipping import pytest_make_collect_report, pytest_runtest_makereport  # noqa: F401


@pytest.fixture(scope="module")
def pool():
    """A pool that the tests of one file share. None of them leaves it in another state than it found it."""
    with Pool() as pool:
        yield pool


@pytest.fixture
def own_pool():
    """A pool that one test has for itself."""
    with Pool() as pool:
        yield pool


_numbers = iter(range(1_000_000))


@pytest.fixture
def uri():
    """The secret URI of a hotkey that no other test uses."""
    return f"//Test{next(_numbers)}"


@pytest.fixture
def miner(pool, uri):
    """A miner of the shared pool that no other test uses."""
    return pool.miner(uri)
