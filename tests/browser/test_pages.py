"""Every page in a real browser, with live data from a pool under load."""

import csv
import json
import subprocess
from datetime import datetime
from decimal import Decimal
from urllib.parse import quote

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
        "docs": "/docs",
    }


PAGES = ["pool", "blocks", "block", "miner", "why", "worker", "rounds", "round", "payout", "share", "operator", "docs"]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_live_figures_without_a_complaint_at_any_width_in_light_and_dark(pool, browser, name):
    url = pool.url + every_page(pool)[name]
    browser.open(url)
    assert browser.complaints() == []
    assert "does not answer" not in browser.text()
    assert browser.axe() == []
    browser.screenshot(f"{name}-light")
    browser.scheme("dark")
    assert browser.axe() == []
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


# Keeps what the chart's library was given to draw.
KEEP_WHAT_IS_DRAWN = """
    let library;
    window.drawn = {};
    Object.defineProperty(window, "uPlot", {
        configurable: true,
        get: () => library,
        set: (value) => {
            library = new Proxy(value, {
                construct: (target, given) => {
                    const plot = new target(...given);
                    const real = plot.setData;
                    // The chart of hashrates has a band, that of refused shares has none.
                    const name = given[1].length === 4 ? "hashrate" : "refused";
                    window.drawn[name] = given[1];
                    plot.setData = (data, ...more) => {
                        window.drawn[name] = data;
                        real(data, ...more);
                    };
                    return plot;
                },
            });
        },
    });
"""


@pytest.mark.parametrize("whose", ["pool", "miner", "worker"])
def test_a_chart_draws_the_points_of_the_history(pool, browser, whose):
    slow = pool.hotkeys["slow"]
    path, history = {
        "pool": ("/", "/v1/pool/history?"),
        "miner": (f"/miners/{slow}", f"/v1/miners/{slow}/history?"),
        "worker": (f"/miners/{slow}/workers/rig-slow", f"/v1/miners/{slow}/history?worker=rig-slow&"),
    }[whose]

    def told():
        """Minutes that are over, and will not change."""
        points = pool.get(f"{history}resolution=minute").json["points"]
        return {one["at"]: one for one in points if not one.get("is_open")}

    eventually("a minute that is over, with shares", lambda: [one for one in told().values() if one["accepted"] > 0], 130, 0.5)
    browser.before_pages(KEEP_WHAT_IS_DRAWN)
    browser.open(pool.url + path)
    x, y, high, low = browser.wait("a chart", lambda: browser.run("return window.drawn.hashrate"))
    points = {Decimal(str(datetime.fromisoformat(at).timestamp() + 30)): one for at, one in told().items()}
    drawn = {Decimal(str(at)): values for at, *values in zip(x, y, high, low, strict=True)}
    assert len(drawn) >= 1 and set(drawn) <= set(points)
    for at, (rate, above, below) in drawn.items():
        told_rate, error = points[at]["hashrate"], points[at].get("error") or 0
        assert rate == told_rate
        assert above == pytest.approx(told_rate * (1 + error)) and below == pytest.approx(max(0, told_rate * (1 - error)))
    refused = dict(zip(*browser.run("return window.drawn.refused ?? [[], []]"), strict=True))
    parts = {at: (sum(one["rejected"].values()), one["accepted"]) for at, one in points.items() if at in drawn}
    assert bool(refused) == any(n for n, _ in parts.values())
    for at, part in refused.items():
        n, accepted = parts[Decimal(str(at))]
        assert part == pytest.approx(n / (n + accepted)) if n + accepted else part is None
    # For those who cannot see it, the same as a table.
    rows = browser.run(
        """
        return [...document.querySelectorAll("#hashrate details tbody tr")].map((row) => [row.querySelector("time").dateTime, row.querySelector("data").value, row.cells[2].textContent]);
        """
    )
    assert len(rows) == len(drawn)
    now = told()
    for at, rate, accepted in rows:
        assert float(rate) == now[at]["hashrate"] and int(accepted.replace(",", "")) == now[at]["accepted"]


def test_earnings_are_those_of_the_api(pool, browser):
    slow = pool.hotkeys["slow"]
    path = f"/v1/miners/{slow}/earnings"

    def cells(period):
        expected = [] if period["expected_sats"] is None else [period["expected_sats"]]
        spread = [] if period["spread_sats"] is None else [period["spread_sats"]]
        blocks = [] if period["expected_blocks"] is None else [period["expected_blocks"]]
        return [Decimal(str(value)) for value in [period["earned_sats"], *expected, *spread, period["blocks"], *blocks]]

    def shown():
        return {row["id"]: [Decimal(value) for value in row["values"]] for row in browser.rows("earned-beside-expected")}

    browser.open(f"{pool.url}/miners/{slow}")
    earlier = {one["name"]: cells(one) for one in pool.get(path).json["periods"] if one["name"] != "today"}
    assert {name: values for name, values in shown().items() if name != "today"} == earlier
    # This pool is younger than a day: the same with figures as an older one has them.
    periods = [
        {**one, "earned_sats": 9_007_199_254_740_993 + n, "expected_sats": 123_456_789 + n, "spread_sats": 4_321 + n, "blocks": 7 + n, "expected_blocks": 6.25 + n}
        for n, one in enumerate(pool.get(path).json["periods"])
    ]
    periods[2] |= {"expected_sats": None, "spread_sats": None}
    texts = {one["name"]: json.dumps(one) for one in periods}
    browser.before_pages(
        f"""
        const before = globalThis.fetch;
        globalThis.fetch = async (path, options) =>
            String(path).endsWith("/earnings") ? new Response('{{"periods":[' + {json.dumps(",".join(texts.values()))} + "]}}", {{ status: 200 }}) : before(path, options);
        """
    )
    browser.open(f"{pool.url}/miners/{slow}")
    assert shown() == {one["name"]: cells(one) for one in periods}
    row = next(one["text"] for one in browser.rows("earned-beside-expected") if one["id"] == periods[0]["name"])
    assert "90,071,992.54740993" in row and "1.23456789" in row


def test_why_an_amount_is_what_it_is_comes_out_to_the_last_sat(pool, browser):
    for name, hotkey in pool.hotkeys.items():
        for credit in pool.get(f"/v1/miners/{hotkey}/credits?limit=3").json["credits"]:
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
    pages["hostile worker"] = f"/miners/{pool.hotkeys['slow']}/workers/{quote(HOSTILE, safe='')}"
    for name in ("pool", "blocks", "block", "miner", "round", "rounds", "payout", "share", "why", "worker", "hostile worker", "docs"):
        browser.open(pool.url + pages[name])
        assert browser.run("return window.hurt") is None, name
        assert browser.run("return document.querySelector('main img') === null"), name
        if name in ("miner", "hostile worker"):
            assert HOSTILE in browser.text(), name
    browser.open(pool.url + pages["miner"])
    assert browser.rows("workers")[0]["text"].startswith(HOSTILE)
    options = browser.run("return [...document.querySelectorAll('#chart-worker option')].map((one) => one.textContent)")
    assert HOSTILE in options


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
    # In one step: news draws the table anew, and its buttons with it.
    browser.run(
        "[...document.querySelectorAll('#found-blocks th button')].find((one) => one.innerText.includes('Effort')).focus()"
    )
    browser.press(Keys.ENTER)
    efforts = [Decimal(row["values"][3]) for row in browser.rows("found-blocks")]
    assert efforts == sorted(efforts, reverse=True)
    browser.press(Keys.ENTER)
    efforts = [Decimal(row["values"][3]) for row in browser.rows("found-blocks")]
    assert efforts == sorted(efforts)
    assert browser.one("#found-blocks th[aria-sort=ascending]").text.strip("▴ \n") == "Effort"


@pytest.mark.parametrize("name", [name for name in PAGES if name != "blocks"])
def test_the_keyboard_walks_over_every_page(pool, browser, name):
    browser.open(pool.url + every_page(pool)[name])
    seen = set()
    for _ in range(70):
        browser.press(Keys.TAB)
        at = browser.run(
            """
            const at = document.activeElement;
            const style = getComputedStyle(at);
            const box = at.getBoundingClientRect();
            // What moves may be replaced just now; the next step says where the focus is by then.
            const isSeen = parseFloat(style.outlineWidth) >= 2 && style.outlineStyle !== "none" && box.width > 0 && box.bottom > 0 && box.top < innerHeight;
            return { isBody: at === document.body, isMain: at.closest("main") !== null, isSeen, html: at.outerHTML.slice(0, 200) };
            """
        )
        if at["isBody"]:
            break
        assert at["isSeen"], at
        seen.add(at["isMain"])
    assert seen == {False, True} or name == "operator", "it comes to the head and to the content"


@pytest.mark.parametrize("path", ["/miners", "/payouts", "/nope/%3Cb%3E"])
def test_where_there_is_no_page_it_says_what_there_is(pool, browser, path):
    browser.open(pool.url + path)
    text = browser.text()
    assert "There is no such page" in text and "There is no list of miners." in text
    assert browser.axe() == []
    browser.screenshot("missing-light")
    browser.click("main a", "Blocks")
    browser.wait("it leads on", lambda: browser.run("return location.pathname") == "/blocks")


@pytest.mark.parametrize("credited", [False, True, "payable"])
def test_an_orphan_says_what_became_of_its_credits(pool, browser, credited):
    block, _, _ = newest(pool)
    states = ["accepted", "immature", *(["mature"] if credited == "payable" else []), "orphaned"]
    change = f"""(answer) => ({{
        ...answer, state: "orphaned", coinbase: null, states: {json.dumps([{"state": state, "at": None} for state in states])},
        ...({json.dumps(bool(credited))} ? {{}} : {{ round: null, books: {{ reward_sats: answer.books.reward_sats, fee_sats: null, credited_sats: null, kept_sats: null, matches: null }} }}),
    }})"""
    browser.changing_answers("/v1/blocks/", change)
    browser.open(f"{pool.url}/blocks/{block}")
    text = browser.text()
    said = {
        False: "before a round credited this one: nothing has to be taken back",
        True: "the round that follows takes its credits back",
        "payable": "miners keep what it brought them",
    }
    assert [key for key, words in said.items() if words in text] == [credited]
    assert ("No round credited it" in text) == (credited is False)
    assert "The bytes of this block are no longer kept" in text
    browser.screenshot(f"orphan-{credited}-light")


def test_the_outputs_of_a_coinbase_are_saved_as_csv(pool, browser, tmp_path):
    block, _, _ = newest(pool)
    browser.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    browser.open(f"{pool.url}/blocks/{block}")
    browser.click("#coinbase button.csv")
    path = browser.wait("the file", lambda: next(tmp_path.glob("*.csv"), None))
    with path.open(newline="") as file:
        saved = [(int(row["value_sats"]), row["script_hex"]) for row in csv.DictReader(file)]
    assert saved == [(one["value_sats"], one["script_hex"]) for one in pool.get(f"/v1/blocks/{block}").json["coinbase"]["outputs"]]


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


def test_the_api_is_described_route_by_route_from_its_own_document(pool, browser):
    browser.open(pool.url + "/docs#Pool")
    api = pool.get("/openapi.json").json
    routes = {operation["operationId"]: (method.upper(), path, operation) for path, methods in api["paths"].items() for method, operation in methods.items()}
    assert browser.run("return document.getElementById('Pool').open") is True, "what the address names is open"
    assert browser.run("return [...document.querySelectorAll('#schemas details')].map((one) => one.id)") == list(api["components"]["schemas"])
    for name, (method, path, operation) in routes.items():
        text = browser.run("return document.getElementById(arguments[0]).textContent", name).replace("\u200b", "")
        assert method in text and path in text, name
        for parameter in operation.get("parameters", []):
            assert parameter["name"] in text and parameter["description"].replace("`", "") in text, (name, parameter)
        for status, answer in operation["responses"].items():
            assert status == "default" or f"Answer {status}: {answer['description']}".replace("`", "") in text, (name, status)
        codes = operation["responses"]["default"]["description"].partition("codes: ")[2].split(", ")
        assert all(code in text for code in codes), name
        line = browser.run("return document.getElementById(arguments[0]).querySelector('.copy code').textContent", name)
        assert line.startswith("curl ") and pool.url in line, line
    # Every message to an actor is there with its fields.
    text = browser.run("return document.getElementById('control').textContent")
    assert "paymaster set_threshold" in text and "threshold_sats" in text


def test_lines_of_the_docs_do_what_they_say(pool, browser):
    browser.open(pool.url + "/docs")
    lines = browser.run("return [...document.querySelectorAll('.route .copy code')].map((one) => one.textContent)")
    credit = pool.get(f"/v1/miners/{pool.hotkeys['slow']}/credits").json["credits"][-1]
    block, round_id, txid = newest(pool)
    names = {"HOTKEY": pool.hotkeys["slow"], "HASH": block, "TXID": txid, "/ID": f"/{credit['round_id'] or round_id}", "SEQUENCE": "1", "ADMIN_TOKEN": pool.admin_token()}
    asked = 0
    for line in lines:
        # Changes nothing; what a miner signs, and what goes on and on, is not for here.
        if " -X " in line or " -N " in line or "SESSION_TOKEN" in line or "X-Bittensor" in line:
            continue
        # This pool makes no statements and exports no payouts and no weights, its miner handed out no link, and its work is not evaluated.
        if any(part in line for part in ("/v1/epochs/", "/v1/watch/", "/submissions", "/v1/admin/batches/", "/v1/admin/weights")):
            continue
        for name, value in names.items():
            line = line.replace(name, value)
        done = subprocess.run(["bash", "-c", line.replace("curl ", "curl -sS -o /dev/null -w '%{http_code}' ", 1)], capture_output=True, text=True, timeout=20, check=True)
        assert done.stdout == "200", (line, done.stdout)
        asked += 1
    assert asked >= 20


def test_the_docs_are_searched_and_walked_by_keys(pool, browser):
    browser.open(pool.url + "/docs")
    everything = len(browser.all("details:not([hidden])"))
    browser.press("/")
    assert browser.run("return document.activeElement.id") == "filter"
    browser.press("luck windows")
    browser.wait("fewer are left", lambda: 0 < len(browser.all("details:not([hidden])")) < everything / 4)
    assert "route" in browser.one("#found").text
    browser.press(Keys.ENTER)
    assert browser.run("return document.activeElement.closest('details').id") == "read_luck"
    assert browser.run("return document.getElementById('read_luck').open") is True
    browser.screenshot("docs-search-light")
    browser.run("document.getElementById('filter').focus()")
    browser.press(Keys.ESCAPE)
    assert len(browser.all("details:not([hidden])")) == everything
    browser.press("no such thing anywhere")
    browser.wait("it says what to do", lambda: "try fewer" in browser.one("#found").text)
    # A link to what the search leaves out leads there all the same.
    browser.run("location.hash = 'Balances'")
    browser.wait("it is open", lambda: browser.run("const one = document.getElementById('Balances'); return one.open && !one.hidden"))
