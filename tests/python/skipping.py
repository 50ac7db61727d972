"""Under tests/all, which installs whatever tests need, a test that is skipped has failed: nobody reads what was skipped.

A reason that begins with `ELSEWHERE` says that the same run has it in another environment, or that this machine's kind
cannot run it at all. Import `pytest_runtest_makereport` and `pytest_make_collect_report` into a conftest.
"""

import os

import pytest

# Set by tests/all.
IS_STRICT = os.environ.get("DWARVES_TESTS_STRICT") == "1"
ELSEWHERE = "runs elsewhere: "


def harden(report):
    """Makes a failure of a skip, unless its reason says that it runs elsewhere."""
    if not IS_STRICT or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if reason.removeprefix("Skipped: ").startswith(ELSEWHERE):
        return
    report.outcome = "failed"
    report.longrepr = f"tests/all installs what tests need, and yet this was skipped: {reason}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    harden((yield).get_result())


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report():
    harden((yield).get_result())
