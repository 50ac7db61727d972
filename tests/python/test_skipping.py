"""Nothing is skipped under tests/all without a failure."""

import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent

WAYS = {
    "in the test": "import pytest\ndef test_it():\n    pytest.skip('there is no such program')\n",
    "by a mark": "import pytest\n@pytest.mark.skipif(True, reason='there is no such program')\ndef test_it():\n    pass\n",
    "in a fixture": "import pytest\n@pytest.fixture\ndef one():\n    pytest.skip('there is no such program')\ndef test_it(one):\n    pass\n",
    "all of a file": "import pytest\npytest.skip('there is no such program', allow_module_level=True)\n",
    "a module that is missing": "import pytest\npytest.importorskip('no_such_module_at_all')\ndef test_it():\n    pass\n",
}


def run(directory, source, strict):
    (directory / "conftest.py").write_text("from skipping import pytest_make_collect_report, pytest_runtest_makereport  # noqa: F401\n")
    (directory / "test_one.py").write_text(source)
    env = {**os.environ, "PYTHONPATH": str(HERE), "DWARVES_TESTS_STRICT": "1" if strict else ""}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no", directory / "test_one.py"]
    return subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True)


@pytest.mark.parametrize("way", WAYS)
def test_what_is_skipped_fails_where_everything_is_installed(tmp_path, way):
    strict = run(tmp_path, WAYS[way], strict=True)
    assert strict.returncode != 0, strict.stdout
    assert "tests/all installs what tests need" in strict.stdout, strict.stdout
    relaxed = run(tmp_path, WAYS[way], strict=False)
    assert "1 skipped" in relaxed.stdout and "failed" not in relaxed.stdout, relaxed.stdout


def test_what_runs_elsewhere_and_what_is_expected_to_fail_stay_what_they_are(tmp_path):
    source = (
        "import pytest\nfrom skipping import ELSEWHERE\n"
        "def test_elsewhere():\n    pytest.skip(ELSEWHERE + 'on other processors')\n"
        "@pytest.mark.xfail(reason='known')\ndef test_known():\n    assert False\n"
    )
    done = run(tmp_path, source, strict=True)
    assert done.returncode == 0 and "1 skipped, 1 xfailed" in done.stdout, done.stdout


def test_every_directory_of_tests_obeys():
    for directory in ("python", "browser", "synapse"):
        conftest = (HERE.parent / directory / "conftest.py").read_text()
        assert "from skipping import pytest_make_collect_report, pytest_runtest_makereport" in conftest, directory
    assert "export DWARVES_TESTS_STRICT=1" in (HERE.parent / "all").read_text()
