"""Makes docs/images/pool.webp, the picture at the top of README.md, from the page of a running demo:

    target/tests/venv/bin/python tests/browser/picture.py

It takes five minutes: the demo's clock (libfaketime) begins an hour in the past and goes fifteen times as fast until it is
now, so that the chart has an hour to show. Needs what tests/all installs, and a machine that does nothing else: on a slow one
shares come late.
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

PICTURE = ROOT / "docs/images/pool.webp"
BYTES_MAX = 120_000
WIDTH = 1200
PAST_MINUTES, SPEED = 65, 15
# The page takes so long to load, while the demo's clock runs on.
LOADING_SECS = 2
LIBRARY = (glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") + glob.glob("/usr/lib/faketime/libfaketimeMT.so.1"))[0]


def main():
    port = free_port()
    env = environment({}) | {"LD_PRELOAD": LIBRARY, "FAKETIME": f"-{PAST_MINUTES}m x{SPEED}"}
    browser = Browser()
    with tempfile.TemporaryDirectory() as directory:
        command = [binary(), "demo", "--listen", f"127.0.0.1:{port}", "--data-dir", f"{directory}/data"]
        demo = subprocess.Popen(command, cwd=directory, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        try:
            time.sleep(PAST_MINUTES * 60 / (SPEED - 1) - LOADING_SECS)
            assert send(("127.0.0.1", port), "GET", "/readyz").status == 200
            take(browser, f"http://127.0.0.1:{port}/")
        finally:
            demo.kill()
            demo.wait()
            browser.quit()
    size = os.path.getsize(PICTURE)
    assert size <= BYTES_MAX, size
    print(f"{PICTURE.relative_to(ROOT)}: {size} bytes")


def take(browser, url):
    """The page from its top to the end of the cards below the chart."""
    browser.size(WIDTH)
    browser.open(url)
    browser.wait("a chart", lambda: browser.all("#hashrate canvas"))
    height = round(browser.run("return document.querySelector('#chain').getBoundingClientRect().bottom")) + 16
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": height, "scale": 1}
    answer = browser.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "webp", "quality": 85, "clip": clip, "captureBeyondViewport": True})
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_bytes(base64.b64decode(answer["data"]))


if __name__ == "__main__":
    main()
