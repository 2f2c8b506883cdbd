"""Real browsers on a served application: Debian's Chromium, driven by Playwright.

Every page that is opened fails its test if a script fails or the policy of the page
refuses something.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from werkzeug.serving import make_server

from libres.web.keys import COOKIE, Keys

NARROW = 360
WIDE = 1600
HEIGHT = 900

SCREENSHOTS = Path(__file__).parents[2] / "docs" / "_static"

EXPECTED = "Failed to load resource"
"""What the console says of each answer that tells of an error."""


@pytest.fixture(scope="module")
def browser():
    """Chromium. Of a module only: a running Playwright is in the way of asyncio."""
    playwright = pytest.importorskip("playwright.sync_api")
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("There is no chromium: apt-get install chromium.")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def served(app):
    """The address of the application, which is served by threads."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = False
    thread = Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class Visitor:
    """Somebody at a browser of their own, with cookies of their own."""

    def __init__(self, context, address):
        self.context = context
        self.address = address
        self.failures = []

    def open(self, path):
        """Open a page in a new tab."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.failures.append(str(error)))
        page.on("console", self._listen)
        page.goto(self.address + path)
        return page

    def _listen(self, message):
        if message.type == "error" and not message.text.startswith(EXPECTED):
            self.failures.append(message.text)


@contextmanager
def visitors(browser, address):
    """Make visitors, who bring cookies along; fail with what failed on their pages."""
    made = []

    def make(*cookies, width=WIDE, dark=False, script=True):
        opened = browser.new_context(
            viewport={"width": width, "height": HEIGHT},
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
            reduced_motion="reduce",
            timezone_id="America/New_York",
            locale="en-GB",
        )
        opened.set_default_timeout(10_000)
        opened.add_cookies(list(cookies))
        made.append(Visitor(opened, address))
        return made[-1]

    yield make
    for each in made:
        each.context.close()
    assert [failure for each in made for failure in each.failures] == []


@pytest.fixture
def visitor(browser, served, app, context):
    """Makes visitors: visitor(key), visitor(width=NARROW, dark=True, script=False).

    With a key they are signed in.
    """
    with visitors(browser, served) as make:
        yield lambda key=None, **how: make(
            *([] if key is None else [_cookie(app, context, key, served)]), **how
        )


def _cookie(app, context, key, address):
    """The cookie that who signs in with a key gets."""
    with context.read_only():
        holder = Keys(context).holder(key)
    return cookie_of(app, address, {COOKIE: holder.id})


def cookie_of(app, address, session):
    """The cookie of what a session of the application keeps."""
    signed = app.session_interface.get_signing_serializer(app)
    name = app.config["SESSION_COOKIE_NAME"]
    return {"name": name, "value": signed.dumps(session), "url": address}


def check_accessible(page):
    """Fail with what axe-core finds wrong with a page."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def check_fits(page):
    """Fail if the page itself scrolls to the side."""
    wide, window = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= window, f"{wide} pixels in a window of {window}"


def screenshot(page, name):
    """Keep how a page looks, for the docs, if LIBRES_SCREENSHOTS=1 asks for it."""
    if os.environ.get("LIBRES_SCREENSHOTS") == "1":
        page.screenshot(path=SCREENSHOTS / f"web-{name}.png", full_page=True)
