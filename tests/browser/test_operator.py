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
