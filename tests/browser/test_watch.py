"""Links that show a miner to others, and what a page says of what is hidden."""

import json
import subprocess

import pytest
from conftest import SETTINGS, Mining
from harness import Pool, binary, eventually


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    """A pool that shows money and names to their owner alone, with something of everything."""
    directory = tmp_path_factory.mktemp("private")
    settings = {**SETTINGS, "pool__name": "Private", "privacy__balances": "owner", "privacy__worker_names": "owner"}
    with Pool(data_dir=directory / "data", **settings) as pool:
        mining = Mining(pool, directory)
        pool.hotkeys, pool.keys = mining.hotkeys, directory
        try:
            operator = {"Authorization": f"Bearer {pool.admin_token()}"}
            path = f"/v1/miners/{mining.hotkeys['slow']}/payouts"
            eventually("a payout", lambda: pool.get(path, operator).json.get("payouts"), 60)
            yield pool
        finally:
            mining.stop()


def watch(pool, directory, *arguments):
    command = [binary(), "watch", *arguments, "--hotkey", directory / "slow.key", "--pool", pool.url]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_a_link_shows_what_others_do_not_see_until_it_is_taken_back(private, browser):
    slow = private.hotkeys["slow"]
    browser.open(f"{private.url}/miners/{slow}")
    browser.wait("it says what is hidden", lambda: browser.all("#hidden"))
    text = browser.text()
    assert "dwarves watch create" in text and "rig-slow" not in text and "Payable" not in text
    assert "Only the owner and the operator see worker names." in text

    made = watch(private, private.keys, "create", "--name", "wall")
    headers = {"Authorization": f"Watch {made['token']}"}
    assert private.get(f"/v1/miners/{slow}", headers).json["payout_address"] in browser.open(made["link"]).text()
    browser.wait("the money is there", lambda: "Earned in all" in browser.text())
    text = browser.text()
    assert "rig-slow" in text and "by a link that its owner handed out" in text and not browser.all("#hidden")
    credit = private.get(f"/v1/miners/{slow}/credits?limit=1", headers).json["credits"][0]
    browser.wait("the credits are there", lambda: f"{credit['round_id']}" in browser.text())

    # A watcher goes on from there to the worker, and to the reason of an amount, by the same link.
    browser.open(browser.all(f"a[href='/watch/{made['token']}/workers/rig-slow']")[0].get_attribute("href"))
    browser.wait("the worker is there", lambda: "Shares come" in browser.text())
    browser.open(f"{made['link']}/rounds/{credit['round_id']}")
    browser.wait("the amount is recomputed", lambda: "Equal, to the last sat." in browser.text())
    browser.open(made["link"])
    browser.wait("the money is there again", lambda: "Earned in all" in browser.text())

    # And from a payout in the list to the miner's own part of it, and of it alone.
    within = f"/watch/{made['token']}/payouts/"
    browser.wait("a payout that leads on", lambda: browser.all(f"a[href^='{within}']"))
    txid = browser.one(f"a[href^='{within}']").get_attribute("href").rsplit("/", 1)[1]
    browser.open(f"{private.url}{within}{txid}")
    parts = private.get(f"/v1/payouts/{txid}", headers).json["parts"]
    assert [one["hotkey"] for one in parts] == [slow]
    rows = browser.wait("its part", lambda: browser.rows("whom-it-pays"))
    assert [row["values"] for row in rows] == [[str(parts[0]["amount_sats"]), str(parts[0]["fee_sats"])]]
    assert browser.one("#whom-it-pays tbody a").get_attribute("href") == made["link"]
    assert browser.axe() == []
    browser.screenshot("watch-payout-light")
    browser.open(made["link"])
    browser.wait("the money is there again", lambda: "Earned in all" in browser.text())

    assert watch(private, private.keys, "remove", made["id"])["taken_back"] is True
    browser.wait("the open page shows nothing any more", lambda: "taken back" in browser.text() and "Earned in all" not in browser.text(), 30)
    browser.open(made["link"])
    assert "This link shows nothing" in browser.text() and "rig-slow" not in browser.text()


def test_rounds_and_payouts_say_that_parts_are_hidden(private, browser):
    operator = {"Authorization": f"Bearer {private.admin_token()}"}
    slow = private.hotkeys["slow"]
    credit = private.get(f"/v1/miners/{slow}/credits", operator).json["credits"][-1]
    payout = next(one for one in private.get(f"/v1/miners/{slow}/payouts", operator).json["payouts"] if one["txid"])
    for path in (f"/rounds/{credit['round_id']}", f"/payouts/{payout['txid']}"):
        browser.open(private.url + path)
        browser.wait("it says so", lambda: "Only the miners themselves and the operator see" in browser.text())
        assert slow not in browser.text() and "Tell the operator" not in browser.text()


def test_a_link_works_where_everything_is_public(pool, browser, tmp_path_factory):
    keys = next(tmp_path_factory.getbasetemp().glob("browser*"))
    made = watch(pool, keys, "create")
    browser.open(made["link"])
    browser.wait("the miner is there", lambda: "rig-slow" in browser.text() and "by a link that its owner handed out" in browser.text())
    browser.open(f"{pool.url}/miners/{pool.hotkeys['slow']}")
    assert not browser.all("#hidden")
    browser.open(f"{pool.url}/watch/{'0' * 48}")
    assert "This link shows nothing" in browser.text()
    watch(pool, keys, "remove", made["id"])
