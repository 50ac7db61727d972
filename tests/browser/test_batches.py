"""The operator's page of a pool without a wallet: it says so, exports a batch, and marks it paid."""

import json
import sys

import pytest
from harness import ROOT, Pool
from test_evaluated import SETTINGS
from test_operator import agree, log_in, press


@pytest.fixture(scope="module")
def owing():
    """A pool that owes a miner a round's emission."""
    command = json.dumps([sys.executable, str(ROOT / "examples/evaluator.py")])
    with Pool(**{**SETTINGS, "evaluator.command": command}) as pool:
        work = {"coefficients": [0, 3, 0, -4.5, 0, 2.025, 0, -0.43]}
        miner = pool.miner()
        assert miner.request("POST", "/v1/work", {"work": work, "worker": "gpu-1"}).status == 200
        pool.must_control("reward_distributor", "distribute_now")
        pool.earner = miner
        yield pool


def test_a_batch_is_exported_and_marked_paid(owing, browser):
    browser.open(owing.url + "/operator")
    log_in(browser, owing.admin_token())
    browser.wait("it says that nobody pays by itself", lambda: "No batch was exported yet." in browser.text())
    assert "Pay now" not in browser.text() and "Planned next" not in browser.text()
    press(browser, "Export a batch")
    agree(browser)
    browser.wait("a batch is there", lambda: "Mark paid …" in browser.text())
    assert browser.axe() == []
    press(browser, "Mark paid …")
    browser.wait("it asks by what", lambda: browser.all("dialog[open] #paid-by"))
    browser.one("#paid-by").send_keys("0xabc")
    agree(browser)
    browser.wait("it is marked", lambda: "Mark paid: done." in browser.text() and "Mark paid …" not in browser.text())
    payout = owing.get(f"/v1/miners/{owing.earner.hotkey}/payouts").json["payouts"][0]
    assert (payout["state"], payout["reference"]) == ("paid", "0xabc")
    browser.open(f"{owing.url}/miners/{owing.earner.hotkey}")
    browser.wait("the miner sees it, too", lambda: "0xabc" in browser.text())
    assert browser.complaints() == []
