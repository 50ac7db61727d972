"""Every `sh` and `python` block of the documents does what it says, as if it were pasted.

A page's blocks run one after the other in one directory, with a pool of their own, and share the variable HOTKEY. What
a comment before a block may say:

    <!-- not run: WHY -->    it is left out
    <!-- runs on -->         it does not end by itself, and goes on beside the blocks after it
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest
from harness import QUICK, ROOT, binary, environment, eventually, free_port, send

PAGES = sorted(str(page.relative_to(ROOT)) for pattern in ("*.md", "docs/**/*.md") for page in ROOT.glob(pattern))
FIRST_SESSION = "docs/first-session.md"
BLOCK = re.compile(r"(?:^<!-- (?P<mark>[^\n]*) -->\n)?^```(?P<kind>sh|python)\n(?P<text>.*?)^```$", re.M | re.S)
# All that is done to a block before it runs.
SUBSTITUTIONS = {
    "cargo run --release --": "dwarves",
    "localhost:8080": "127.0.0.1:{port}",
    "http://127.0.0.1:8080": "http://127.0.0.1:{port}",
    '("127.0.0.1", 8080)': '("127.0.0.1", {port})',
}
# A block fails if one of its commands does, or if the pool refuses.
BEGIN = """
set -euo pipefail
curl() { command curl --fail-with-body --show-error "$@"; }
[ ! -f variables ] || . ./variables
"""
END = "\ndeclare -p HOTKEY > variables 2> /dev/null || true\n"


def blocks(page):
    """The blocks of a page: line, mark, kind and text."""
    text = (ROOT / page).read_text()
    for match in BLOCK.finditer(text):
        yield text[: match.start("text")].count("\n") + 1, match["mark"] or "", match["kind"], match["text"]


class Session:
    """A terminal in a directory of its own, as a newcomer has it."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.port = free_port()
        self.running = []
        tools = self.directory / "bin"
        tools.mkdir()
        (tools / "dwarves").symlink_to(binary())
        self.env = environment({**QUICK, "http.listen": f"127.0.0.1:{self.port}"})
        self.env["PATH"] = f"{tools}{os.pathsep}{self.env['PATH']}"
        (self.directory / "config.toml").symlink_to(ROOT / "config.toml")

    def command(self, kind, text):
        for old, new in SUBSTITUTIONS.items():
            text = text.replace(old, new.format(port=self.port))
        if kind == "python":
            return [sys.executable, "-c", text]
        return ["bash", "-c", BEGIN + text + END]

    def run(self, kind, text):
        done = subprocess.run(
            self.command(kind, text), cwd=self.directory, env=self.env, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, f"it ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def start(self, kind, text):
        log = open(self.directory / f"log{len(self.running)}", "wb")
        process = subprocess.Popen(
            self.command(kind, text), cwd=self.directory, env=self.env, stdout=log, stderr=log, start_new_session=True
        )
        self.running.append(process)
        if len(self.running) == 1:
            listening = self.directory / "data/listen.json"
            eventually("the pool listens", lambda: listening.exists() or process.poll() is not None, 30)
        else:
            eventually("the miner registers", lambda: self.miners() > 0 or process.poll() is not None, 30)
        assert process.poll() is None, pathlib.Path(log.name).read_text()

    def miners(self):
        return send(("127.0.0.1", self.port), "GET", "/v1/pool").json["miners"]

    def end(self):
        for process in reversed(self.running):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_a_page_runs_as_it_stands(page, tmp_path):
    session = Session(tmp_path)
    try:
        for line, mark, kind, text in blocks(page):
            if mark.startswith("not run:"):
                assert len(mark) > len("not run: because"), f"{page}:{line} does not say why"
                continue
            assert mark in ("", "runs on"), f"{page}:{line}: {mark}"
            try:
                if mark == "runs on":
                    session.start(kind, text)
                else:
                    session.run(kind, text)
            except AssertionError as error:
                raise AssertionError(f"{page}:{line}: {error}\n{text}") from None
        if page == FIRST_SESSION:
            look_around(session)
    finally:
        session.end()


def look_around(session):
    """What a newcomer has after the first session: a pool with a miner that earned, and nothing outside data/."""
    assert len(session.running) == 2, "a pool and a miner run"
    hotkey = session.run("sh", "dwarves hotkey show data/my.hotkey").strip()
    address = ("127.0.0.1", session.port)

    def mined():
        miner = send(address, "GET", f"/v1/miners/{hotkey}").json
        return miner["shares"]["accepted"] > 0 and "rig1" in [worker["name"] for worker in miner["workers"]]

    eventually("the miner's shares count", mined, 30)
    audit = session.run(
        "sh",
        "curl -s -H \"Authorization: Bearer $(cat data/admin.token)\" localhost:8080/v1/admin/audit",
    )
    messages = {(entry["actor"], entry["message"]) for entry in json.loads(audit)["audit"]}
    assert ("reward_distributor", "distribute_now") in messages
    assert all(
        entry["fields"].get("dry_run") is True
        for entry in json.loads(audit)["audit"]
        if entry["message"] == "pay_now"
    ), "pasting the documents sends no money"
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert "/data/" in ignored
    left = {path.name for path in session.directory.iterdir()} - {"data", "bin", "config.toml", "variables"}
    assert all(name.startswith("log") for name in left), f"the session leaves {left} in the working directory"


def test_the_documents_have_blocks_and_their_marks_are_understood():
    found = list(blocks(FIRST_SESSION))
    assert len(found) > 8
    assert {kind for _, _, kind, _ in found} == {"sh", "python"}
    # Every fence of these kinds is found by the pattern above.
    for page in PAGES:
        fences = re.findall(r"^```(?:sh|python|bash|console|shell)\b.*$", (ROOT / page).read_text(), re.M)
        assert len(fences) == len(list(blocks(page))), f"{page}: write blocks as ```sh or ```python"
