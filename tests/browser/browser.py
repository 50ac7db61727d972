"""A real Chromium without a window, and what tests ask of a page."""

import contextlib
import json
import os
import pathlib
import time

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "tests"
AXE = TARGET / "web/node_modules/axe-core/axe.min.js"
SCREENSHOTS = TARGET / "screenshots"

# Narrower than most phones.
PHONE = 360
WIDE = 1280


class Browser:
    """One browser for all tests. Each page is loaded anew."""

    def __init__(self):
        options = webdriver.ChromeOptions()
        for argument in ("headless=new", "no-sandbox", "disable-gpu", "hide-scrollbars", "disable-dev-shm-usage", f"window-size={WIDE},1000"):
            options.add_argument(f"--{argument}")
        options.binary_location = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(os.environ.get("CHROMEDRIVER", "/usr/bin/chromedriver")))
        self.driver.set_page_load_timeout(20)
        self.injected = []

    def quit(self):
        self.driver.quit()

    def size(self, width, height=1000):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def scheme(self, scheme):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def open(self, url):
        """Loads a page and waits until all of its sections show something."""
        self.driver.get_log("browser")
        self.driver.get(url)
        self.wait("the page shows what it has to", self.is_filled)
        return self

    def is_filled(self):
        return self.run(
            """
            const isLoading = [...document.querySelectorAll("main .body")].some((body) => body.textContent.trim() === "Loading …");
            return !isLoading && document.querySelector("main h1") !== null && document.querySelector("#live").textContent !== "";
            """
        )

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, what, check, secs=15.0):
        end = time.monotonic() + secs
        while True:
            with contextlib.suppress(StaleElementReferenceException):
                found = check()
                if found:
                    return found
            assert time.monotonic() < end, f"not within {secs} s: {what}\n{self.text()[:3000]}"
            time.sleep(0.05)

    def click(self, selector, words=None):
        """Clicks on what has this selector, and these words if any. What moves is looked for again."""

        def is_clicked():
            for one in self.all(selector):
                if words is None or one.text == words:
                    self.run("arguments[0].scrollIntoView({ block: 'center' })", one)
                    one.click()
                    return True
            return False

        self.wait(f"{words or selector} to click on", is_clicked)

    def press(self, key):
        """A key, for whatever has the focus."""
        ActionChains(self.driver).send_keys(key).perform()

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self):
        return self.run("return document.querySelector('main').innerText") or ""

    def rows(self, section):
        """The rows of a section's table: each with its id and the numbers that its cells stand for."""
        return self.run(
            """
            return [...document.querySelectorAll(`#${arguments[0]} tbody tr`)].map((row) => ({
                id: row.dataset.id,
                text: row.innerText,
                values: [...row.querySelectorAll("data")].map((figure) => figure.value),
            }));
            """,
            section,
        )

    def facts(self, section):
        """The facts of a section: by its name, what it says, and the number that stands behind it."""
        pairs = self.run(
            """
            return [...document.querySelectorAll(`#${arguments[0]} .facts > div`)].map((fact) => [
                fact.querySelector("dt").innerText,
                { text: fact.querySelector("dd").innerText, value: fact.querySelector("dd data")?.value ?? null },
            ]);
            """,
            section,
        )
        return dict(pairs)

    def complaints(self):
        """What the browser complains of."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def before_pages(self, script):
        """Runs a script before those of every page that is loaded from now on."""
        answer = self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
        self.injected.append(answer["identifier"])

    def forget_scripts(self):
        for identifier in self.injected:
            self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": identifier})
        self.injected = []

    def changing_answers(self, path, change):
        """Lets answers to questions that begin with this path come through `change`, a function of JavaScript."""
        self.before_pages(
            f"""
            const real = globalThis.fetch;
            globalThis.fetch = async (path, options) => {{
                const answer = await real(path, options);
                if (!String(path).startsWith({json.dumps(path)}) || !answer.ok) return answer;
                const change = {change};
                const body = await answer.json();
                return new Response(JSON.stringify(change(body, String(path))), {{ status: answer.status }});
            }};
            """
        )

    def axe(self, *rules):
        """What axe-core finds, in words; of all that it knows, or by these rules alone."""
        self.run(AXE.read_text())
        found = self.driver.execute_async_script(
            """
            const done = arguments[arguments.length - 1];
            const only = arguments[0].length > 0 ? { runOnly: arguments[0] } : {};
            axe.run(document, { resultTypes: ["violations"], ...only }).then((result) => done(result.violations), (error) => done([{ id: String(error), nodes: [] }]));
            """,
            rules,
        )
        return [f"{one['id']}: {node['html'][:200]} {node.get('failureSummary', '')}" for one in found for node in one["nodes"] or [{"html": ""}]]

    def screenshot(self, name):
        """The whole page as a picture, for people to look at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        width, height = self.run("return [innerWidth, document.documentElement.scrollHeight]")
        self.size(width, min(height, 4000))
        with contextlib.suppress(WebDriverException):
            self.driver.save_screenshot(str(SCREENSHOTS / f"{name}.png"))
        self.size(width)
