"""What every test may ask for."""

import pytest
from pool import Pool


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
