"""Every page in a real browser, with live data from a pool under load."""

import csv
import json
from decimal import Decimal

import pytest
from browser import PHONE, WIDE
from harness import Pool, eventually
from selenium.webdriver.common.keys import Keys

# In all, with the API's answers.
FIRST_PAGE_BYTES = 150_000
HOSTILE = "<img src=x onerror=window.hurt=1>"


def newest(pool):
    """A block that is credited, a round that has it, and a payout that is signed."""
    slow = pool.hotkeys["slow"]
    credit = pool.get(f"/v1/miners/{slow}/credits?limit=20").json["credits"][-1]
    round_ = pool.get(f"/v1/rounds/{credit['round_id']}").json
    payouts = pool.get(f"/v1/miners/{slow}/payouts?limit=20").json["payouts"]
    txid = next(payout["txid"] for payout in payouts if payout["txid"])
    return round_["blocks"][0], credit["round_id"], txid


def every_page(pool):
    block, round_id, txid = newest(pool)
    slow = pool.hotkeys["slow"]
    return {
        "pool": "/",
        "blocks": "/blocks",
        "block": f"/blocks/{block}",
        "miner": f"/miners/{slow}",
        "why": f"/miners/{slow}/rounds/{round_id}",
        "worker": f"/miners/{slow}/workers/rig-slow",
        "rounds": "/rounds",
        "round": f"/rounds/{round_id}",
        "payout": f"/payouts/{txid}",
        "share": "/shares/1",
        "operator": "/operator",
    }


def has_route(pool, end):
    """Whether there is a route whose path ends so."""
    return any(path.endswith(end) for path in pool.get("/openapi.json").json["paths"])


PAGES = ["pool", "blocks", "block", "miner", "why", "worker", "rounds", "round", "payout", "share", "operator"]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_live_figures_without_a_complaint_at_any_width_in_light_and_dark(pool, browser, name):
    url = pool.url + every_page(pool)[name]
    browser.open(url)
    # Of a route that this pool does not have a page says so, and goes on without.
    missing = [route for route in ("/history", "/earnings") if not has_route(pool, route)]
    assert [one for one in browser.complaints() if not any(route in one for route in missing)] == []
    assert "does not answer" not in browser.text()
    assert browser.axe() == []
    browser.screenshot(f"{name}-light")
    browser.scheme("dark")
    assert browser.axe("color-contrast") == []
    browser.screenshot(f"{name}-dark")
    browser.size(PHONE)
    assert browser.run("return document.documentElement.scrollWidth") <= PHONE, "it scrolls sideways"
    assert browser.axe("scrollable-region-focusable", "target-size") == []
    browser.screenshot(f"{name}-phone")
    browser.size(WIDE * 2)
    assert browser.run("return document.documentElement.scrollWidth") <= WIDE * 2


def test_the_first_page_is_small_and_asks_no_other_host(pool, browser):
    browser.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    browser.open(pool.url + "/")
    loaded = browser.run(
        """
        const entries = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
        return entries.map((entry) => ({ name: entry.name, bytes: entry.transferSize }));
        """
    )
    assert all(one["name"].startswith(pool.url) for one in loaded), loaded
    total = sum(one["bytes"] for one in loaded)
    assert 20_000 < total <= FIRST_PAGE_BYTES, (total, loaded)


def test_blocks_and_rounds_have_the_numbers_of_the_api(pool, browser):
    browser.open(pool.url + "/blocks")
    shown = {row["id"]: row["values"] for row in browser.rows("found-blocks")}
    told = {block["hash"]: block for block in pool.get("/v1/blocks?limit=100").json["blocks"]}
    compared = [hash_ for hash_ in shown if hash_ in told]
    assert len(compared) >= 3
    for hash_ in compared:
        height, _depth, reward, effort = shown[hash_]
        block = told[hash_]
        assert (int(height), int(reward), float(effort)) == (block["height"], block["reward_sats"], block["effort"])
    browser.open(pool.url + "/rounds")
    shown = {row["id"]: row["values"] for row in browser.rows("closed-rounds")}
    told = {str(one["id"]): one for one in pool.get("/v1/rounds?limit=100").json["rounds"]}
    compared = [id_ for id_ in shown if id_ in told]
    assert len(compared) >= 2
    for id_ in compared:
        one = told[id_]
        sums = [one["reward_sats"], one["fee_sats"], one["credited_sats"], one["kept_sats"]]
        assert [int(value) for value in shown[id_]] == [len(one["blocks"]), *sums]


def test_a_round_a_block_and_a_payout_add_up_in_the_page(pool, browser):
    block, round_id, txid = newest(pool)
    browser.open(f"{pool.url}/rounds/{round_id}")
    credits = pool.get(f"/v1/rounds/{round_id}").json["credits"]
    assert "Equal to the reward, to the last sat." in browser.text()
    rows = {row["id"]: row["values"] for row in browser.rows("who-got-it")}
    assert rows == {one["hotkey"]: [one["units"], str(one["amount_sats"])] for one in credits}
    browser.open(f"{pool.url}/blocks/{block}")
    told = pool.get(f"/v1/blocks/{block}").json
    assert told["coinbase"]["txid"] in browser.text()
    assert browser.facts("books")["Booked as reward"]["value"] == str(told["books"]["reward_sats"])
    assert "are equal, to the last sat" in browser.text()
    browser.open(f"{pool.url}/payouts/{txid}")
    told = pool.get(f"/v1/payouts/{txid}").json
    assert browser.facts("payout")["Taken from balances"]["value"] == str(told["debited_sats"])
    assert "Equal, to the last sat." in browser.text()


def test_a_miner_sees_its_own_numbers(pool, browser):
    slow = pool.hotkeys["slow"]
    browser.open(f"{pool.url}/miners/{slow}")
    shown = {(row["values"][0], row["values"][1]) for row in browser.rows("credits")}
    told = {(one["units"], str(one["amount_sats"])) for one in pool.get(f"/v1/miners/{slow}/credits?limit=100").json["credits"]}
    assert len(shown) >= 2 and shown <= told
    rows = browser.rows("workers")
    assert [row["id"] for row in rows] == ["rig-slow"]

    def is_the_same():
        # Both move on; asked until nothing happened in between.
        before = pool.get(f"/v1/miners/{slow}").json["balance_sats"]
        facts = browser.facts("balances")
        names = {"Immature": "immature", "Payable": "payable", "In flight": "in_flight", "Paid": "paid"}
        return all(facts[name]["value"] == str(before[key]) for name, key in names.items())

    browser.wait("balances equal to the API's", is_the_same, 25)


def test_why_an_amount_is_what_it_is_comes_out_to_the_last_sat(pool, browser):
    for name, hotkey in pool.hotkeys.items():
        for credit in pool.get(f"/v1/miners/{hotkey}/credits?limit=3").json["credits"]:
            if credit["block"] is None and pool.get(f"/v1/miners/{hotkey}/rounds/{credit['round_id']}").status == 404:
                continue
            browser.open(f"{pool.url}/miners/{hotkey}/rounds/{credit['round_id']}")
            assert "Equal, to the last sat." in browser.text(), (name, credit)
            assert browser.facts("the-amount")["Computed in this page"]["value"] == str(credit["amount_sats"])


def test_an_amount_that_is_not_right_is_said_to_be_so(pool, browser):
    slow = pool.hotkeys["slow"]
    credit = next(one for one in pool.get(f"/v1/miners/{slow}/credits?limit=50").json["credits"] if one["block"])
    one_more = """(answer) => {
        if (answer.amount_sats !== undefined) answer.amount_sats += 1;
        for (const credit of answer.credits ?? []) credit.amount_sats += 1;
        return answer;
    }"""
    browser.changing_answers("/v1/", one_more)
    browser.open(f"{pool.url}/miners/{slow}/rounds/{credit['round_id']}")
    assert "Not equal: they differ by" in browser.text()
    browser.open(f"{pool.url}/rounds/{credit['round_id']}")
    assert "This is not the reward: they differ by" in browser.text()


def test_an_event_moves_the_page(pool, browser):
    browser.open(pool.url + "/")
    browser.wait("the page is live", lambda: browser.one("#live").text == "Live")
    browser.run("window.isTheSame = true")
    before = browser.rows("last-blocks")[0]["id"]
    browser.wait("a new block in the first row", lambda: browser.rows("last-blocks")[0]["id"] != before, 20)
    shares = browser.one("#shares data").get_attribute("value")
    browser.wait("more shares", lambda: browser.one("#shares data").get_attribute("value") != shares)
    assert browser.run("return window.isTheSame")


def test_what_others_typed_stays_text(pool, browser):
    hostile = json.dumps(HOSTILE)
    # Whatever a miner, a node or an operator may have typed: every text of every answer.
    everywhere = f"""(answer, path) => {{
        const kept = ["hash", "txid", "block", "chain", "state", "kind", "scheme", "source", "protocol", "next_cursor", "formula", "result", "name"];
        const change = (value, key) => {{
            if (Array.isArray(value)) return value.map((one) => change(one, key));
            if (value !== null && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, change(one, key)]));
            const isPlain = typeof value !== "string" || kept.includes(key) || /^[-0-9.]+$/.test(value) || /^\\d{{4}}-/.test(value);
            return isPlain ? value : {hostile};
        }};
        const changed = change(answer, "");
        for (const worker of changed.workers?.map ? changed.workers : []) worker.name = {hostile};
        return changed;
    }}"""
    browser.changing_answers("/v1/", everywhere)
    pages = every_page(pool)
    for name in ("pool", "blocks", "block", "miner", "round", "payout", "share", "why"):
        browser.open(pool.url + pages[name])
        assert browser.run("return window.hurt") is None, name
        assert browser.run("return document.querySelector('main img') === null"), name
    browser.open(pool.url + pages["miner"])
    assert browser.rows("workers")[0]["text"].startswith(HOSTILE)


def test_what_is_in_the_path_stays_text(pool, browser):
    for path in ("/miners/%3Cimg%20src=x%20onerror=window.hurt=1%3E", "/blocks/%3Cb%3E", "/rounds/%22%3E%3Cscript%3E", "/miners/a/workers/%3Cimg%20src=x%3E", "/shares/..%2F..", "/payouts/%", "/watch/%3Cb%3E", "/miners/a/rounds/%E0%A4%A"):
        browser.open(pool.url + path)
        assert browser.run("return window.hurt") is None
        assert browser.run("return document.querySelector('main img, main script, main b') === null"), path
        assert browser.text().strip()
    assert browser.one("#pool-name").text == "<b>Pool</b> & 'Co'"


def test_the_keyboard_reaches_everything_and_one_sees_where_it_is(pool, browser):
    browser.open(pool.url + "/blocks")

    def focus():
        return browser.driver.switch_to.active_element

    browser.press(Keys.TAB)
    assert focus().text == "Skip to the content"
    browser.press(Keys.ENTER)
    browser.wait("the skip link leads to the content", lambda: browser.run("return document.activeElement.id") == "main")
    seen = []
    for _ in range(60):
        browser.press(Keys.TAB)
        state = browser.run(
            """
            const at = document.activeElement;
            const style = getComputedStyle(at);
            return { tag: at.tagName, text: at.innerText, outline: style.outlineStyle, width: parseFloat(style.outlineWidth), isShown: at.getBoundingClientRect().width > 0 };
            """
        )
        assert state["tag"] != "BODY" or seen, state
        if state["tag"] == "BODY":
            break
        assert state["outline"] != "none" and state["width"] >= 2 and state["isShown"], state
        seen.append(state["text"])
    assert {"Height", "Effort"} <= {text.strip(" ▾▴\n") for text in seen}, seen
    button = next(one for one in browser.all("#found-blocks th button") if "Effort" in one.text)
    browser.run("arguments[0].focus()", button)
    browser.press(Keys.ENTER)
    efforts = [Decimal(row["values"][3]) for row in browser.rows("found-blocks")]
    assert efforts == sorted(efforts, reverse=True)
    browser.press(Keys.ENTER)
    efforts = [Decimal(row["values"][3]) for row in browser.rows("found-blocks")]
    assert efforts == sorted(efforts)
    assert browser.one("#found-blocks th[aria-sort=ascending]").text.strip("▴ \n") == "Effort"


def test_one_finds_what_one_looks_for(pool, browser):
    block, round_id, txid = newest(pool)
    slow = pool.hotkeys["slow"]
    for text, path in ((block, f"/blocks/{block}"), (str(round_id), f"/rounds/{round_id}"), (txid, f"/payouts/{txid}"), (slow, f"/miners/{slow}")):
        browser.open(pool.url + "/")
        field = browser.one("#find-text")
        field.send_keys(text, Keys.ENTER)
        browser.wait(f"{text} is found", lambda: browser.run("return location.pathname") == path)  # noqa: B023


def test_older_rows_come_on_demand(pool, browser):
    eventually("more blocks than one page of the list", lambda: pool.get("/v1/blocks?limit=100").json["blocks"][12:], 30)
    browser.open(pool.url + "/")
    before = [row["id"] for row in browser.rows("last-blocks")]
    assert len(before) == 10
    browser.click("#last-blocks button", "Show older ones")
    browser.wait("older blocks", lambda: len(browser.rows("last-blocks")) > 10)
    ids = [row["id"] for row in browser.rows("last-blocks")]
    assert len(ids) == len(set(ids))


def test_a_list_is_saved_as_csv(pool, browser, tmp_path):
    slow = pool.hotkeys["slow"]
    browser.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    browser.open(f"{pool.url}/miners/{slow}")
    browser.click("#credits button.csv")
    path = browser.wait("the file", lambda: next(tmp_path.glob("*.csv"), None))
    with path.open(newline="") as file:
        saved = {(int(row["round_id"]), row["units"], int(row["amount_sats"])) for row in csv.DictReader(file)}
    told = {(one["round_id"], one["units"], one["amount_sats"]) for one in pool.get(f"/v1/miners/{slow}/credits?limit=100").json["credits"]}
    assert len(saved) >= 2
    assert len(saved - told) <= max(0, len(saved) - 100) and len(saved & told) >= min(len(saved), 90)


def test_a_qr_code_and_lines_to_copy_show_how_to_connect(pool, browser):
    browser.open(pool.url + "/")
    port = str(pool.address[1])
    assert any(port in line.text for line in browser.all("#connect code"))
    browser.click("#connect button", "QR code")
    size = browser.wait("a QR code", lambda: browser.run("return document.querySelector('#connect canvas')?.width"))
    assert size >= 21 + 8


def test_a_new_pool_says_how_to_begin_and_a_dead_one_that_it_is(browser):
    with Pool(pool__name="Empty") as empty:
        browser.open(empty.url + "/")
        text = browser.text()
        assert "No miner has come yet." in text
        assert "No block yet." in text
        browser.screenshot("empty-light")
        browser.open(empty.url + "/miners/5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY")
        assert "How to connect" in browser.text()
        browser.open(empty.url + "/")
        empty.kill()
        browser.wait("the page says that the pool is gone", lambda: browser.one("#live").text == "No answer", 20)
        empty.start()
