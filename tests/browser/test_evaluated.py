"""The pages of a pool that has work evaluated: what it has is on them, and nothing that it has not."""

import json
import sys

import pytest
from browser import PHONE
from harness import ROOT, Pool

SETTINGS = {
    "work.kind": "evaluated",
    "evaluator.urls": "[]",
    "evaluator.command": json.dumps([sys.executable, str(ROOT / "examples/evaluator.py")]),
    "evaluator.answer_within_secs": "30",
    "pool.name": "Models",
    "pool.unit": "TAO",
    "pool.decimals": "9",
    "rewards.scheme": "inverse_loss",
    "rewards.source": "emission",
    "rewards.emission_sats": "1000000000",
    "rewards.run_interval_secs": "3600",
}


@pytest.fixture(scope="module")
def evaluated():
    """A pool with a miner that has a result, one that was refused, and a round that paid it."""
    with Pool(**SETTINGS) as pool:
        miner = pool.miner()
        for coefficients in ([0, 3, 0, -4.5, 0, 2.025, 0, -0.43], "none"):
            answer = miner.request("POST", "/v1/work", {"work": {"coefficients": coefficients}, "worker": "gpu-1"})
            assert answer.status == 200, answer
        pool.must_control("reward_distributor", "distribute_now")
        pool.miner_hotkey = miner.hotkey
        yield pool


@pytest.mark.parametrize("page, shown", [
    ("/", ["Being evaluated", "1.000000000 TAO", "paid by loss", "/v1/work", "by 1/loss"]),
    ("/rounds", ["#1", "0.990000000 TAO"]),
    ("/rounds/1", ["Emitted", "Carried to the next", "Equal to the reward"]),
    ("/miners/HOTKEY", ["Best result", "evaluated", "refused", "gpu-1", "Owed"]),
])
def test_a_page_shows_work_and_results_and_no_mining(evaluated, browser, page, shown):
    browser.open(evaluated.url + page.replace("HOTKEY", evaluated.miner_hotkey))
    browser.wait("it shows what there is", lambda: all(words in browser.text() for words in shown))
    text = browser.text().lower()
    for word in ("hashrate", "difficulty", "effort", "blocks", "shares", "luck"):
        assert word not in text, (word, text)
    assert browser.complaints() == []
    assert browser.axe() == []
    browser.size(PHONE)
    assert browser.run("return document.documentElement.scrollWidth") <= PHONE, "it scrolls sideways"
