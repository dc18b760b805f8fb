"""The page in a real browser, under exactly the policy that Jenkins serves reports with."""

import base64
import dataclasses
import functools
import http.server
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from slipway.config import Project
from slipway.records import Finding
from slipway.report import details, page
from tests.unit import report_samples as samples
from tests.unit.report_samples import Delivery

POLICY = "sandbox allow-same-origin; default-src 'none'; img-src 'self'; style-src 'self'"
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
EVIL = "<script>alert(1)</script>"
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)


def _released(root: Path) -> Project:
    made = Delivery(root).run()
    (root / "evaluation/plots/pixel.png").write_bytes(PIXEL)
    return made.project


def _planted(root: Path) -> Project:
    bad = Finding("suite", "block", EVIL, EVIL, f"column {EVIL}", f"not_null/{EVIL}")
    rows = ({EVIL: EVIL, "b": f"\"'{EVIL}"},) * 3
    bad = dataclasses.replace(bad, column=EVIL, rows=rows, file=EVIL, traceback=(EVIL,))
    made = Delivery(root)
    made.run("data-verdict", data_verdict=samples.verdict("data", samples.DATA, [bad]))
    samples.reseal(made.project.delivery / "plan.json", lambda r: r.update(commit=EVIL))
    return made.project


PAGES: dict[str, Callable[[Path], Project]] = {
    "released": _released,
    "blocked": lambda root: Delivery(root, 0.1702).run("model-verdict").project,
    "plain-dvc": samples.plain_dvc,
    "planted": _planted,
}
FIRST = {
    "released": "v1.2.0 is released",
    "blocked": "Blocked by the model gate",
    "plain-dvc": "Judged, not delivered",
    "planted": "Blocked by the data gate",
}


@dataclasses.dataclass
class Site:
    """A loopback server of the four reports, and what was asked of it."""

    address: str
    policy: str = POLICY
    asked: list[tuple[str, int]] = dataclasses.field(default_factory=list)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("reports")
    for name, make in PAGES.items():
        project = make(folder / name)
        page.write(project, details.gather(project))

    class Handler(http.server.SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            if found.policy:
                self.send_header("Content-Security-Policy", found.policy)
            self.send_header("Cache-Control", "no-store")
            super().end_headers()

        def log_request(self, code: Any = "-", size: Any = "-") -> None:
            found.asked.append((self.path, int(code)))

        def log_message(self, *_: Any) -> None:
            pass

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        found = Site(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    driver = shutil.which("chromedriver")
    if not (program and driver):
        missing = "chromium and chromedriver are not here: the report was not opened in a browser"
        if os.environ.get("SLIPWAY_NO_SKIPS"):
            pytest.fail(missing)
        pytest.skip(missing)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield opened
    finally:
        opened.quit()


def _open(browser: Any, site: Site, name: str, *, width: int = 1280, dark: bool = False) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    for log in ("browser", "performance"):
        browser.get_log(log)
    site.asked.clear()
    browser.get(f"{site.address}/{name}/delivery/report/index.html")


def _requests(browser: Any, site: Site) -> list[str]:
    """What our pages asked for; the browser's own start page asks for things too."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    return [s["request"]["url"] for s in sent if s["documentURL"].startswith(site.address)]


def _check(browser: Any, site: Site, name: str, width: int) -> None:
    asked = _requests(browser, site)
    elsewhere = [url for url in asked if not url.startswith(site.address)]
    assert asked and not elsewhere, f"{name} asks elsewhere: {elsewhere}"
    assert browser.get_log("browser") == [], f"{name}: the console is not empty"
    assert all(code == 200 for _, code in site.asked), site.asked
    assert any(path.endswith("report.css") for path, _ in site.asked)
    assert browser.find_element("tag name", "h1").text == FIRST[name]
    images = browser.find_elements("tag name", "img")
    assert all(int(image.get_property("naturalWidth")) > 0 for image in images)
    assert len(images) == {"released": 2, "planted": 0}.get(name, 1)
    metrics = browser.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
    assert metrics["width"] <= width, f"{name} is {metrics['width']} wide at {width}"


def test_under_the_policy_of_jenkins_every_page_is_whole_and_asks_nobody_else(
    browser: Any, site: Site
) -> None:
    for name in PAGES:
        for width in (1280, 390):
            _open(browser, site, name, width=width, dark=width == 390)
            _check(browser, site, name, width)
            if folded := browser.find_elements("tag name", "summary"):
                folded[-1].click()  # `<details>` opens without script
                assert browser.find_elements("css selector", "details[open]")


def test_planted_script_is_text_even_without_any_policy(browser: Any, site: Site) -> None:
    site.policy = ""
    _open(browser, site, "planted")
    site.policy = POLICY
    _check(browser, site, "planted", 1280)
    assert browser.find_elements("tag name", "script") == []
    body = browser.find_element("tag name", "body").text
    assert body.count(EVIL) >= 4 and "alert(1)" in body


def test_dark_and_light_are_the_readers_choice(browser: Any, site: Site) -> None:
    grounds = []
    for dark in (False, True):
        _open(browser, site, "released", dark=dark)
        body = browser.find_element("tag name", "body")
        grounds.append(body.value_of_css_property("background-color"))
    assert grounds == ["rgba(250, 249, 246, 1)", "rgba(20, 23, 26, 1)"]
