"""Makes docs/images/pool.png, the picture at the top of README.md, from the page of a running demo:

    target/tests/venv/bin/python tests/browser/picture.py

It takes two minutes: the demo's clock (libfaketime) begins an hour in the past and goes forty times as fast until it is now,
so that the chart has an hour to show. Needs what tests/all installs.
"""

import base64
import glob
import os
import subprocess
import sys
import tempfile
import time

from browser import ROOT, Browser

sys.path.insert(0, str(ROOT / "tests/python"))

from harness import binary, environment, free_port, send  # noqa: E402

PICTURE = ROOT / "docs/images/pool.png"
BYTES_MAX = 120_000
WIDTH, HEIGHT = 1200, 880
PAST_MINUTES, SPEED = 65, 40
LIBRARY = (glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") + glob.glob("/usr/lib/faketime/libfaketimeMT.so.1"))[0]


def main():
    port = free_port()
    env = environment({}) | {"LD_PRELOAD": LIBRARY, "FAKETIME": f"-{PAST_MINUTES}m x{SPEED}"}
    with tempfile.TemporaryDirectory() as directory:
        command = [binary(), "demo", "--listen", f"127.0.0.1:{port}", "--data-dir", f"{directory}/data"]
        demo = subprocess.Popen(command, cwd=directory, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        try:
            time.sleep(PAST_MINUTES * 60 / (SPEED - 1))
            assert send(("127.0.0.1", port), "GET", "/readyz").status == 200
            take(f"http://127.0.0.1:{port}/")
        finally:
            demo.kill()
            demo.wait()
    size = os.path.getsize(PICTURE)
    assert size <= BYTES_MAX, size
    print(f"{PICTURE.relative_to(ROOT)}: {size} bytes")


def take(url):
    browser = Browser()
    try:
        browser.size(WIDTH, HEIGHT)
        # What the clock of the chart is at does not wait for the browser.
        browser.open(url)
        browser.wait("a chart", lambda: browser.all("#hashrate canvas"))
        answer = browser.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "optimizeForSpeed": False})
    finally:
        browser.quit()
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_bytes(base64.b64decode(answer["data"]))


if __name__ == "__main__":
    main()
