"""The operator's page: who gets in, and what one can do there."""

import pytest
from browser import SCREENSHOTS
from harness import eventually


@pytest.fixture
def page(pool, browser):
    """The page, logged in."""
    browser.open(pool.url + "/operator")
    log_in(browser, pool.admin_token())
    return browser


def log_in(browser, token):
    browser.wait("a form to log in", lambda: browser.all("#token"))
    browser.one("#token").send_keys(token)
    browser.one(".login button").click()
    browser.wait("it is logged in", lambda: browser.all("#state") and browser.is_filled())


def press(browser, words):
    browser.click("main button, dialog button", words)


def agree(browser):
    browser.wait("it asks first", lambda: browser.all("dialog[open]"))
    browser.one("dialog button.main").click()


def test_it_refuses_without_the_token(pool, browser):
    browser.open(pool.url + "/operator")
    browser.wait("a form to log in", lambda: browser.all("#token"))
    assert not browser.all("#state")
    browser.one("#token").send_keys("f" * 64)
    browser.one(".login button").click()
    browser.wait("it refuses", lambda: "This is not the admin token." in browser.text())
    assert not browser.all("#state")
    assert browser.driver.get_cookies() == []
    # A script of the page that tries all the same.
    status = browser.driver.execute_async_script(
        """
        const done = arguments[arguments.length - 1];
        const body = JSON.stringify({ actor: "pool_manager", message: "pause" });
        fetch("/v1/admin/control", { method: "POST", body, headers: { "content-type": "application/json" } }).then((answer) => done(answer.status));
        """
    )
    assert status == 401
    assert pool.pool()["state"] == "running"


def test_it_shows_the_state_to_who_has_the_token(pool, page):
    assert page.axe() == []
    page.screenshot("operator-in-light")
    page.scheme("dark")
    assert page.axe() == []
    page.screenshot("operator-in-dark")
    page.size(360)
    assert page.run("return document.documentElement.scrollWidth") <= 360
    page.screenshot("operator-in-phone")
    assert "Difference: 0 sats." in page.text()
    cookie = page.driver.get_cookie("dwarves_operator")
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
    assert page.run("return document.cookie") == ""
    # It goes on after the page is loaded anew, without the token.
    page.driver.refresh()
    page.wait("it is still logged in", lambda: page.all("#state"))


def test_it_pauses_and_resumes_the_pool(pool, page):
    press(page, "Pause the pool")
    agree(page)
    eventually("the pool is paused", lambda: pool.pool()["state"] == "paused")
    page.wait("the page says so", lambda: "paused" in page.one("#state").text)
    page.wait("it names the runbook's section", lambda: "RUNBOOK.md, section No live work" in page.one("#what-hinders-it").text)
    assert "#" not in page.one("#what-hinders-it").text
    press(page, "Resume the pool")
    eventually("the pool runs", lambda: pool.pool()["state"] == "running")
    entries = pool.audit()["audit"]
    assert {("pool_manager", "pause"), ("pool_manager", "resume")} <= {(one["actor"], one["message"]) for one in entries}
    page.wait("the trail says so", lambda: "pool_manager pause" in page.one("#audit-trail").text)


def test_what_came_of_an_order_is_in_sight_until_it_is_closed(page):
    def box():
        return page.run("const box = document.querySelector('.told .note')?.getBoundingClientRect(); return box ? [box.top, innerHeight - box.bottom] : null")

    # The first order stands at the page's top, the second far below.
    press(page, "Close a round now")
    above, below = page.wait("what came of it", box)
    assert page.run("return document.documentElement.scrollHeight > 2 * innerHeight")
    page.run("scrollTo(0, 0)")
    above, below = page.wait("it stays in sight", box)
    assert above >= 0 and below >= 0, (above, below)
    assert page.one(".told [role=status]").text == "Close a round now: done."
    assert page.axe() == []
    page.driver.save_screenshot(str(SCREENSHOTS / "operator-told-light.png"))
    press(page, "Close")
    page.wait("it is gone", lambda: not page.all(".told .note"))
    page.one("#ban-hotkey").send_keys("nobody")
    page.one("#ban-reason").send_keys("nothing")
    press(page, "Ban")
    agree(page)
    page.wait("it refuses aloud", lambda: page.all(".told [role=alert]"))
    above, below = box()
    assert above >= 0 and below >= 0, (above, below)


def test_it_lists_whom_it_would_pay_before_it_pays(pool, page):
    press(page, "Pause payouts")
    agree(page)
    try:
        page.wait("it is paused", lambda: page.facts("payouts").get("State", {}).get("text") == "paused")
        assert page.facts("payouts")["Planned next"]["text"] == "not before payouts are resumed"
        plan = eventually("something is due", lambda: pool.must_control("paymaster", "pay_now", dry_run=True)["miners"], 30)
        assert plan
        assert "Pay now" not in page.one("#payouts").text
        press(page, "See what would be paid …")
        page.wait("the list", lambda: page.all("dialog[open] tbody tr"))
        assert "nothing is sent until you resume them" in page.one("dialog").text
        assert [one.text for one in page.all("dialog .row button")] == ["", "Close"], "there is nothing to agree to"
        assert page.all("dialog button.csv")
        now = {one["hotkey"]: one["amount_sats"] for one in pool.must_control("paymaster", "pay_now", dry_run=True)["miners"]}
        shown = page.run("return [...document.querySelectorAll('dialog tbody tr')].map((row) => [row.querySelector('a').title, Number(row.querySelector('data').value)])")
        assert {hotkey for hotkey, _ in shown} <= set(now)
        assert all(amount <= now[hotkey] for hotkey, amount in shown)
        page.screenshot("operator-pay-light")
        page.click("dialog button", "Close")
        assert not page.all("dialog[open]")
    finally:
        pool.must_control("paymaster", "resume")
    page.wait("it is offered again", lambda: "Pay now …" in page.one("#payouts").text and page.facts("payouts")["Planned next"]["text"] != "not before payouts are resumed")
    page.wait("a payout is under way", lambda: page.rows("payouts") and page.all("#payouts button.csv"))


def test_it_pays_what_was_agreed_to(pool, page):
    # Nothing moves but by the plan: a pool that does not pay by itself while somebody looks.
    plan = {
        "plan": "p", "paused": False, "holds": [], "trouble": None, "waiting": [], "total_sats": 7, "fee_sats": 1, "fee_payer": "pool", "vbytes": 100, "inputs": 1,
        "miners": [{"hotkey": pool.hotkeys["slow"], "address": "bcrt1q", "amount_sats": 7, "fee_sats": 0}],
    }  # fmt: skip
    page.run(
        """
        const [plan, real] = [arguments[0], globalThis.fetch];
        globalThis.fetch = async (path, options) => {
            const order = options?.body ? JSON.parse(options.body) : {};
            if (order.message !== "pay_now") return real(path, options);
            if (order.dry_run !== true) window.paid = order.plan;
            return new Response(JSON.stringify(order.dry_run === true ? plan : {}), { status: 200 });
        };
        """,
        plan,
    )
    press(page, "Pay now …")
    agree(page)
    page.wait("it pays by the plan", lambda: page.run("return window.paid") == "p")
    page.wait("it says so", lambda: "Pay now: done." in page.text())


def front(number, name, **more):
    return {
        "number": number, "name": name, "leads": False, "lives": True, "linked": False, "unlinked_ms": None, "silent_ms": 300,
        "since": "2026-11-29T12:00:00Z", "version": "0.3.0", "listeners": {"http": "10.0.0.1:8080"}, **more,
    }  # fmt: skip


def tell(page, **more):
    """From now on the state that the pool tells says this, too; it is read anew at once."""
    page.run(
        """
        const more = arguments[0];
        const real = (window.realFetch ??= globalThis.fetch);
        globalThis.fetch = async (path, options) => {
            const answer = await real(path, options);
            if (path !== "/v1/admin/state") return answer;
            return new Response(JSON.stringify({ ...(await answer.json()), ...more }), { status: answer.status });
        };
        """,
        more,
    )
    press(page, "Fetch new work")


def test_it_shows_fronts_their_links_and_the_standby_where_there_are_any(page):
    assert not page.one("#fronts").is_displayed() and not page.one("#standby-for-pages").is_displayed()
    standby = {"place": "database dwarves on db2", "answers": True, "lag_secs": 0.2, "lag_max_secs": 5, "why": None}
    fronts = [
        front(1, "a", leads=True),
        front(2, "b", linked=True),
        front(3, "<b>c</b>", unlinked_ms=190_000),
        front(4, "d", lives=False, silent_ms=42_000),
    ]
    tell(page, fronts=fronts, standby=standby)
    page.wait("the fronts", lambda: page.one("#fronts").is_displayed())
    rows = page.run("return [...document.querySelectorAll('#fronts tbody tr')].map((row) => [...row.cells].slice(0, 5).map((cell) => cell.innerText))")
    assert rows == [
        ["1", "a", "leads", "–", "–"],
        ["2", "b", "stands by", "linked", "–"],
        ["3", "<b>c</b>", "stands by", "none for 3 min 10 s", "–"],
        ["4", "d", "silent", "none", "42 s"],
    ], rows
    assert not page.all("#fronts .note")
    facts = page.facts("standby-for-pages")
    assert (facts["Pages are read from"]["text"], facts["It is behind by"]["text"]) == ("the standby", "0.2 s"), facts
    assert page.axe() == []
    page.screenshot("operator-fronts-light")
    page.size(360)
    assert page.run("return document.documentElement.scrollWidth") <= 360
    why = "is 12.0 s behind, more than store.read_lag_max_secs"
    tell(page, fronts=fronts[:1], standby={**standby, "answers": False, "lag_secs": 12.0, "why": why})
    page.wait("who reads", lambda: page.facts("standby-for-pages")["Pages are read from"]["text"] == "the primary")
    assert f"The standby {why}." in page.one("#standby-for-pages").text
    assert "No other front stands by" in page.one("#fronts").text


def test_it_changes_the_fee_and_bans_and_lifts(pool, page):
    before = pool.pool()["fee_bps"]
    field = page.one("#set-fee")
    assert field.get_attribute("value") == str(before)
    field.clear()
    field.send_keys("150")
    press(page, "Set the fee")
    agree(page)
    eventually("the fee is set", lambda: pool.pool()["fee_bps"] == 150)
    page.wait("it says so", lambda: "Set the fee: done." in page.text())
    hotkey = pool.hotkeys["slow"]
    page.one("#ban-hotkey").send_keys(hotkey)
    page.one("#ban-reason").send_keys("<b>because</b>")
    press(page, "Ban")
    agree(page)
    page.wait("it is done", lambda: "Ban: done." in page.text())
    page.wait("the ban is listed", lambda: "<b>because</b>" in page.one("#bans").text)
    press(page, "Lift")
    page.wait("the ban is lifted", lambda: "Nobody is banned." in page.one("#bans").text)
    pool.must_control("reward_distributor", "set_fee", fee_bps=before)


def test_who_logs_out_is_out(pool, page):
    press(page, "Log out")
    page.wait("the form is back", lambda: page.all("#token"))
    status = page.driver.execute_async_script("const done = arguments[arguments.length - 1]; fetch('/v1/admin/audit').then((answer) => done(answer.status));")
    assert status == 401
    page.driver.refresh()
    page.wait("the form is back", lambda: page.all("#token"))
