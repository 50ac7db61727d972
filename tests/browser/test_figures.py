"""Every figure of a page is the one that the API told that very page."""

import csv
import io
import json
from decimal import Decimal

import pytest
from test_operator import log_in
from test_pages import newest

# Keeps what the page was told, and lets nothing move but when it asks: a page whose events never come.
KEEP = """
    window.told = {};
    const asked = globalThis.fetch;
    globalThis.fetch = async (path, options) => {
        const answer = await asked(path, options);
        if (answer.ok && String(path).startsWith("/v1/")) window.told[String(path)] = await answer.clone().text();
        return answer;
    };
    globalThis.EventSource = class extends EventTarget {
        static OPEN = 1;
        static CLOSED = 2;
        readyState = 0;
        constructor() {
            super();
            setTimeout(() => this.dispatchEvent(new Event("error")));
        }
        close() {}
    };
"""

SHOWN = """
    const values = (within) => [...document.querySelectorAll(`${within} data`)].map((figure) => figure.value);
    const shown = Object.fromEntries(Object.entries(arguments[0]).map(([name, within]) => [name, values(within)]));
    return [shown, window.told];
"""


def is_told(browser, parts, expected):
    """Waits until the figures of these parts of the page are what the API told it. `expected` makes them of what it told."""
    last = {}

    def is_equal():
        shown, told = browser.run(SHOWN, parts)
        told = {path: json.loads(text, parse_float=Decimal) for path, text in told.items()}
        wanted = expected(told)
        last.update(shown=shown, wanted=wanted)
        numbers = {name: [Decimal(value) for value in values] for name, values in shown.items()}
        return numbers == {name: [same(value) for value in values] for name, values in wanted.items()}

    try:
        browser.wait("figures equal to the API's", is_equal, 12)
    except AssertionError as error:
        raise AssertionError(f"{last}") from error
    return last["wanted"]


def same(value):
    """A number as JavaScript writes it: the shortest that is this double."""
    return Decimal(str(value)) if isinstance(value, str) or Decimal(value) == int(value) else Decimal(repr(float(value)))


def rates(of):
    return [one["hashrate"] for one in of["hashrates"]]


def counts(accepted, rejected):
    return [accepted, *sorted((n for n in rejected.values() if n), reverse=True)]


def page_of_pool(pool):
    def expected(told):
        one = told["/v1/pool"]
        return {
            ".tiles": [*rates(one), one["miners"], one["share_rate"]],
            "#shares": counts(one["shares"]["accepted"], one["shares"]["rejected"]),
            "#round-under-way": [one["round_effort"], one["effort_percentile"], *([] if one["luck"] is None else [one["luck"]])],
            "#last-rounds": [n for row in told["/v1/rounds?limit=5"]["rounds"] for n in (len(row["blocks"]), row["reward_sats"], row["fee_sats"], row["credited_sats"], row["kept_sats"])],
        }

    return "/", expected


def page_of_blocks(pool):
    def expected(told):
        windows = told["/v1/luck"]["windows"]
        names = ("blocks", "found", "expected", "luck", "percentile")
        return {
            "#luck": [one[name] for one in windows for name in names if one[name] is not None],
            "#found-blocks": [row[name] for row in told["/v1/blocks?limit=50"]["blocks"] for name in ("height", "confirmations", "reward_sats", "effort") if row[name] is not None],
        }

    return "/blocks", expected


def page_of_miner(pool):
    slow = pool.hotkeys["slow"]
    path = f"/v1/miners/{slow}"

    def expected(told):
        one = told[path]
        workers = [n for row in one["workers"] for n in (row["hashrates"][0]["hashrate"], row["share_difficulty"], row["shares"], sum(row["rejected"].values()))]
        balances = one["balance_sats"]
        payouts = told[f"{path}/payouts?limit=10"]["payouts"]
        return {
            ".tiles": [*rates(one), balances["payable"]],
            "#workers": workers,
            "#shares": counts(one["shares"]["accepted"], one["shares"]["rejected"]),
            "#balances": [balances["immature"], balances["payable"], balances["in_flight"], balances["paid"], sum(balances.values())],
            "#payouts": [n for row in payouts for n in (row["amount_sats"], row["fee_sats"], row["confirmations"])],
            "#credits": [n for row in told[f"{path}/credits?limit=10"]["credits"] for n in (row["units"], row["amount_sats"])],
        }

    return f"/miners/{slow}", expected


def page_of_worker(pool):
    slow = pool.hotkeys["slow"]

    def expected(told):
        (one,) = (row for row in told[f"/v1/miners/{slow}"]["workers"] if row["name"] == "rig-slow")
        return {
            ".tiles": [*rates(one), one["shares"]],
            "#shares": counts(one["shares"], one["rejected"]),
            "#difficulty": [one["share_difficulty"], one["hashrates"][0]["hashrate"]],
        }

    return f"/miners/{slow}/workers/rig-slow", expected


def page_of_share(pool):
    def expected(told):
        one = told["/v1/shares/2"]
        return {"#what-the-ledger-has-of-it": [one["issued_difficulty"], one["units"], one["height"], one["network_difficulty"], one["units_before"]], "#its-header": [one["template"]]}

    return "/shares/2", expected


def page_of_payout(pool):
    _, _, txid = newest(pool)

    def expected(told):
        parts = told[f"/v1/payouts/{txid}"]["parts"]
        return {"#whom-it-pays": [n for part in parts for n in (part["amount_sats"], part["fee_sats"])]}

    return f"/payouts/{txid}", expected


FIGURES = {"pool": page_of_pool, "blocks": page_of_blocks, "miner": page_of_miner, "worker": page_of_worker, "share": page_of_share, "payout": page_of_payout}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_what_the_page_was_told(pool, browser, name):
    path, expected = FIGURES[name](pool)
    browser.before_pages(KEEP)
    browser.open(pool.url + path)
    _, told = browser.run(SHOWN, {})
    parts = {within: f"main {within}" for within in expected({path: json.loads(text, parse_float=Decimal) for path, text in told.items()})}
    wanted = is_told(browser, parts, expected)
    assert sum(len(values) for values in wanted.values()) >= 4


def test_the_operators_books_are_those_of_the_api(pool, browser):
    browser.before_pages(KEEP)
    browser.open(pool.url + "/operator")
    log_in(browser, pool.admin_token())

    def expected(told):
        books = told["/v1/admin/state"]["books"]
        sides = [books["assets"], books["liabilities"]]
        parts = [[sats for name, sats in side.items() if name != "total_sats"] for side in sides]
        return {"#books": [n for side in parts for n in (*side, sum(side))] + [books["paid_sats"], books["network_fees_sats"]]}

    is_told(browser, {"#books": "main #books"}, expected)


NODES = [
    {"name": "10.0.0.1:8332", "state": "majority", "height": 900_001, "is_used": True, "behind": 0, "tip_age_secs": 61, "problem": None, "peers": 12, "peers_in": 4, "peers_out": 8, "tips_left": 3,
     "tips": [{"height": 900_001, "hash": "0" * 63 + "1", "branch_len": 0, "status": "active"}, {"height": 899_000, "hash": "0" * 52 + "abcdefabcdef", "branch_len": 1, "status": "valid-fork"}]},
    {"name": "10.0.0.2:8332", "state": "stale", "height": 899_999, "is_used": False, "behind": 2, "tip_age_secs": 7_200, "problem": "its tip is older than 3600 s", "peers": None, "peers_in": None, "peers_out": None, "tips_left": 0, "tips": []},
]  # fmt: skip


def test_nodes_stand_side_by_side_with_their_tips_and_peers(pool, browser):
    change = f"(answer) => ({{ ...answer, nodes: {json.dumps(NODES)} }})"
    browser.before_pages(KEEP)
    browser.changing_answers("/v1/chain", change)
    browser.open(pool.url + "/")
    rows = browser.wait("nodes", lambda: browser.rows("chain"))
    assert [(row["id"], row["values"]) for row in rows] == [("10.0.0.1:8332", ["900001", "61", "12"]), ("10.0.0.2:8332", ["899999", "7200"])]
    assert "in use" in rows[0]["text"] and "4 in" in rows[0]["text"] and "−2" in rows[1]["text"]
    # The card may be drawn anew at any moment: it stays as it was opened.
    browser.run("document.getElementById('branches').open = true")
    text = browser.run("return document.getElementById('branches').innerText")
    assert text.startswith("Other branches: 4")
    assert "899,000 …abcdefabcdef valid, but not the best, 1 block" in text and "and 3 lower ones" in text
    browser.wait("the page asks again", lambda: browser.run("const n = performance.getEntriesByType('resource').filter((one) => one.name.endsWith('/v1/chain')).length; window.before ??= n; return n > window.before"))
    assert browser.run("return document.getElementById('branches').open") is True
    assert browser.axe() == []
    box = browser.run("const box = document.querySelector('#chain .scroll'); return [box.scrollWidth, box.clientWidth]")
    assert box[0] <= box[1], "all of the table is in sight"
    browser.screenshot("nodes-light")
    browser.size(360)
    assert browser.run("return document.documentElement.scrollWidth") <= 360
    browser.screenshot("nodes-phone")


@pytest.mark.parametrize("rejected", [{"stale": 0, "duplicate": 0}, {"stale": 0, "duplicate": 5, "low_difficulty": 0}])
def test_the_bar_of_shares_is_full_whatever_was_refused(pool, browser, rejected):
    browser.before_pages(KEEP)
    browser.changing_answers("/v1/pool", f"(answer) => (answer.shares ? {{ ...answer, shares: {{ accepted: 95, rejected: {json.dumps(rejected)} }} }} : answer)")
    browser.open(pool.url + "/")
    bar, pieces = browser.run(
        """
        const bar = document.querySelector("#shares .bar-line");
        return [bar.getBoundingClientRect(), [...bar.children].map((piece) => piece.getBoundingClientRect())].map((one) => JSON.parse(JSON.stringify(one)));
        """
    )
    assert len(pieces) == 1 + sum(1 for n in rejected.values() if n)
    assert pieces[-1]["right"] == pytest.approx(bar["right"], abs=0.5) and pieces[0]["left"] == pytest.approx(bar["left"], abs=0.5)


@pytest.mark.parametrize("where", ["workers", "earned-beside-expected", "hashrate", "luck", "round", "payout"])
def test_every_table_is_saved_as_csv(pool, browser, tmp_path, where):
    slow = pool.hotkeys["slow"]
    _, round_id, txid = newest(pool)
    path, section, api, field = {
        "workers": (f"/miners/{slow}", "workers", f"/v1/miners/{slow}", "workers"),
        "earned-beside-expected": (f"/miners/{slow}", "earned-beside-expected", f"/v1/miners/{slow}/earnings", "periods"),
        "hashrate": (f"/miners/{slow}", "hashrate", f"/v1/miners/{slow}/history?resolution=minute", "points"),
        "luck": ("/blocks", "luck", "/v1/luck", "windows"),
        "round": (f"/rounds/{round_id}", "who-got-it", f"/v1/rounds/{round_id}", "credits"),
        "payout": (f"/payouts/{txid}", "whom-it-pays", f"/v1/payouts/{txid}", "parts"),
    }[where]
    browser.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    browser.open(pool.url + path)
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    browser.click(f"#{section} button.csv")
    file = browser.wait("the file", lambda: next(tmp_path.glob("*.csv"), None))
    with file.open(newline="") as text:
        saved = list(csv.DictReader(text))
    told = pool.get(api).json[field]
    assert saved and len(saved) <= len(told)
    # The server's own table has the same columns, and more rows at most.
    joint = "&" if "?" in api else "?"
    served = list(csv.DictReader(io.StringIO(pool.get(f"{api}{joint}format=csv").body.decode())))
    assert len(served) >= len(saved)
    first = next(iter(told[0]))
    assert {row[first] for row in saved} <= {str(row[first]) for row in told} and first in served[0]
