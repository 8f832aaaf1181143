"""Sign-in with a real OpenID provider in a real browser: deep link, roles, two people at once, revocation, sign-out."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from dashboard.frame import menu_entries
from dashboard.notifications import alert_round
from metrics.access import Access, Role, Scope
from metrics.alerts import storage
from metrics.alerts.rules import ABOVE, Rule
from metrics.model.question import Question
from metrics.queries.answer import answer
from metrics.store import access
from metrics.store.connection import open_store
from metrics.warehouse import Location, reading
from tests.browser.conftest import ROOT, Screen, Served, free_port
from tests.browser.test_tasks import written
from tests.dashboard.small_warehouse import publish, records
from tests.support import tries as counts
from tests.support.tries import Tries

pytestmark = [pytest.mark.browser, pytest.mark.long]
NOW = datetime(2026, 7, 1)
COUNT = 260
PATIENCE = 60_000
"""Milliseconds until a page is drawn. The first page of a server takes longest."""
SECRET = "0123456789abcdef" * 2
PEOPLE = ("ada", "ben", "cleo", "eve", "uma", "nora", "sam")
SEGMENTS = {"nora": "A", "sam": "C"}
"""People who see one segment only."""
LISTS = ("failed_orders.py", "customer.py", "profitability.py")
PAGES = [
    entry
    for place, entry in enumerate(menu_entries.ENTRIES)
    if entry.file in LISTS or place % 9 == 0 or counts.SETTING == "full"
]
"""Pages that two people with scopes visit: those with names, and a few others."""
NAMES = re.compile(r"\b(?:SO-\d{5}|HAND-[A-Z]+|Customer \d+|C\d{2})\b")
"""Order ids, customers and customer ids of the small warehouse."""

Visit = Callable[..., Screen]


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """A real OpenID provider in its own process. It knows PEOPLE; the provider has not verified the address of uma."""
    port = free_port()
    users = [
        json.dumps({"sub": name, "email": f"{name}@example.com", "email_verified": name != "uma"}) for name in PEOPLE
    ]
    words = [word for user in users for word in ("--user-claims", user)]
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://localhost:{port}"
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with suppress(OSError), urllib.request.urlopen(f"{address}/.well-known/openid-configuration", timeout=2):
            break
        time.sleep(0.2)
    yield address
    process.terminate()
    process.wait(15)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signed") / "home"
    publish(folder, count=COUNT)
    return folder


@pytest.fixture(scope="module")
def address(serve: Served, provider: str, home: Path, chromium: Browser) -> str:  # noqa: ARG001 - no browser, no server
    port = free_port()
    settings = {
        "BUYERVIEW_AUTH": "oidc",
        "BUYERVIEW_URL": f"http://localhost:{port}",
        "BUYERVIEW_OIDC_ISSUER": provider,
        "BUYERVIEW_OIDC_CLIENT_ID": "buyerview",
        "BUYERVIEW_OIDC_CLIENT_SECRET": "client-secret",
        "BUYERVIEW_COOKIE_SECRET": SECRET,
    }
    return serve(home, port, **settings).replace("127.0.0.1", "localhost")


@pytest.fixture
def roles(home: Path) -> Location:
    """ada is administrator, ben viewer, cleo agent; nora and sam are analysts of a segment; eve has no access."""
    place = Location(folder=home)
    with open_store(place) as store:
        for name, role in (("ada", Role.ADMINISTRATOR), ("ben", Role.VIEWER), ("cleo", Role.AGENT)):
            access.grant(store, "test", Access(f"{name}@example.com", role), at=NOW)
        for name in SEGMENTS:
            access.grant(store, "test", Access(f"{name}@example.com", Role.ANALYST, scope_of(name)), at=NOW)
    return place


def scope_of(name: str) -> Scope:
    return (("segment", (SEGMENTS[name],)),)


def own_names(name: str) -> set[str]:
    """Return the orders and customers of a person's segment."""
    rows = records(COUNT)
    customers = {
        row["customer_id"]: row["name"] for row in rows["customers"] if row["service_segment"] == SEGMENTS[name]
    }
    orders = {row["order_id"] for row in rows["orders"] if row["customer_id"] in customers}
    return {*customers, *customers.values(), *orders}


@pytest.fixture
def visit(chromium: Browser, address: str, roles: Location) -> Iterator[Visit]:  # noqa: ARG001 - the people it visits as
    """Return a function that signs a person in, in a browser of their own, from the address of a page."""
    with ExitStack() as stack:

        def go(person: str, path: str = "/") -> Screen:
            context = chromium.new_context(viewport={"width": 1440, "height": 900})
            stack.callback(context.close)
            screen = Screen(context.new_page(), address)
            sign_in(screen, person, path)
            return screen

        yield go


def sign_in(screen: Screen, person: str, path: str = "/") -> None:
    screen.page.goto(screen.address + path)
    screen.page.get_by_role("link", name="Sign in").click()
    screen.page.get_by_role("button", name=person, exact=True).first.click()
    screen.page.wait_for_url(f"{screen.address}/**")


def status(context: BrowserContext, address: str) -> int:
    return context.request.get(address).status


def test_a_deep_link_survives_the_sign_in_and_the_page_names_the_person(visit: Visit) -> None:
    screen = visit("ben", "/recovery?region=North").idle()
    assert "/recovery?region=North" in screen.page.url
    expect(screen.page.get_by_role("heading", level=1)).to_have_text("Recovery and support")
    expect(screen.page.get_by_text("ben@example.com")).to_be_visible(timeout=PATIENCE)
    expect(screen.page.get_by_text("Role: viewer")).to_be_visible(timeout=PATIENCE)


@pytest.mark.parametrize("person", ["eve", "uma"])
def test_a_person_without_access_or_with_an_unverified_address_sees_no_page(visit: Visit, person: str) -> None:
    screen = visit(person, "/recovery")
    title = "No access" if person == "eve" else "Sign in to Buyerview"
    expect(screen.page.get_by_role("heading", level=1)).to_have_text(title)
    assert status(screen.page.context, screen.address) == (403 if person == "eve" else 401)


def test_two_people_at_once_keep_their_names_and_revocation_counts_at_the_next_click(
    visit: Visit, roles: Location
) -> None:
    ada, ben = visit("ada").idle(), visit("ben").idle()
    expect(ada.page.get_by_text("ada@example.com")).to_be_visible(timeout=PATIENCE)
    expect(ben.page.get_by_text("ben@example.com")).to_be_visible(timeout=PATIENCE)
    with open_store(roles) as store:
        access.revoke(store, "test", "ben@example.com")
    ben.page.get_by_role("link", name="Failed orders", exact=True).click()
    expect(ben.page.get_by_text("Your access has ended")).to_be_visible(timeout=PATIENCE)
    assert status(ben.page.context, ben.address) == 403
    ada.page.get_by_role("link", name="Failed orders", exact=True).click()
    expect(ada.page.get_by_role("heading", level=1)).to_have_text("Failed orders")


def test_sign_out_ends_every_tab_and_the_cookie_is_refused_afterwards(visit: Visit) -> None:
    screen = visit("ben").idle()
    other = Screen(screen.page.context.new_page(), screen.address).go("/failed-orders")
    kept = screen.page.context.cookies()
    screen.page.get_by_role("button", name="Sign out").click()
    screen.page.wait_for_url(lambda url: not url.startswith(screen.address) or "oauth2" in url)
    screen.page.context.add_cookies(kept)  # a stolen copy
    assert status(screen.page.context, screen.address) == 401
    other.page.get_by_role("link", name="Recovery").click()
    expect(other.page.get_by_text("Your access has ended")).to_be_visible(timeout=PATIENCE)


def test_no_page_breaks_the_content_security_policy(visit: Visit) -> None:
    screen = visit("ada")
    faults: list[str] = []
    screen.page.on("console", lambda line: faults.append(line.text) if "Content Security" in line.text else None)
    for path in ("/", "/export", "/stockouts", "/what-changed", "/profitability"):
        screen.go(path)
    assert faults == []


@pytest.mark.timeout(900)
def test_two_people_with_different_scopes_see_only_their_rows_everywhere(
    visit: Visit, roles: Location, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tries: Tries
) -> None:
    """Both are signed in at once: pages, exports, the PDF, the digest and an alert show the rows of their segment."""
    people = {name: visit(name).idle() for name in SEGMENTS}
    own, seen = {name: own_names(name) for name in SEGMENTS}, {name: set[str]() for name in SEGMENTS}
    for entry in PAGES:
        for name, screen in people.items():
            screen.go(f"/{entry.path}")
            found = set(NAMES.findall(screen.page.locator("body").inner_text()))
            assert found <= own[name], f"{name} sees {sorted(found - own[name])[:5]} on {entry.title}"
            seen[name] |= found
            tries.add()
    monkeypatch.setenv("BUYERVIEW_HOME", str(home))
    everything = command(home, tmp_path / "everything.pdf", "report")
    for name, screen in people.items():
        assert len(seen[name]) > 5
        where = scope_of(name)
        screen.go("/")
        expect(screen.value("otif")).to_have_text(written(home, "otif", where=where))
        other = next(iter(own[one] for one in SEGMENTS if one != name))
        order = next(one for one in sorted(other) if one.startswith("HAND-"))
        screen.go(f"/failed-orders?order={order}")
        expect(screen.page.get_by_text("No such order")).to_be_visible(timeout=PATIENCE)
        table = downloaded(screen, "/export?period=52W&m=judged_orders&by=customer&grain=", "Download CSV", tmp_path)
        with ZipFile(BytesIO(table)) as archive:
            found = set(NAMES.findall("\n".join(archive.read(file).decode() for file in archive.namelist())))
        assert len(found) > 5
        assert found <= own[name]
        assert downloaded(screen, "/", "One-page report (PDF)", tmp_path).startswith(b"%PDF")
        as_person, limited = ("--as", f"{name}@example.com"), ("--where", f"segment={SEGMENTS[name]}")
        assert command(home, tmp_path / "report.pdf", "report", *as_person) != everything
        mails = [mail(command(home, tmp_path / "digest.eml", "digest", *words)) for words in (as_person, limited)]
        assert mails[0]["subject"] == mails[1]["subject"]
        assert NAMES.findall(mails[0].get_body(("plain",)).get_content()) == []

    rule = Rule("Orders", "judged_orders", ABOVE, limit=0.0, period="13 weeks", min_n=1)
    with open_store(roles) as store:
        mine = {name: storage.save(store, f"{name}@example.com", replace(rule, name=name), at=NOW) for name in SEGMENTS}
    alert_round.run_alerts(roles, now=NOW)
    with open_store(roles, write=False) as store:
        readings = storage.last_readings(store)
    for name, number in mine.items():
        days = {"start": readings[number]["starts_on"], "end": readings[number]["ends_on"]}
        with reading(roles) as connection:
            (expected,) = answer(connection, Question(("judged_orders",), where=scope_of(name), **days))
        assert Decimal(readings[number]["number"]) == expected.value

    nora, sam = people.values()
    with open_store(roles) as store:
        access.revoke(store, "test", "nora@example.com")
    nora.page.get_by_role("link", name="Failed orders", exact=True).click()
    expect(nora.page.get_by_text("Your access has ended")).to_be_visible(timeout=PATIENCE)
    sam.page.get_by_role("link", name="Failed orders", exact=True).click()
    expect(sam.page.get_by_role("heading", level=1)).to_have_text("Failed orders")


def downloaded(screen: Screen, path: str, button: str, folder: Path) -> bytes:
    """Open a page, click a download button, and return the file."""
    screen.go(path)
    with screen.page.expect_download() as got:
        screen.page.get_by_test_id("stDownloadButton").get_by_role("button", name=button).click()
    got.value.save_as(folder / "downloaded")
    return (folder / "downloaded").read_bytes()


def mail(content: bytes) -> EmailMessage:
    """Return an e-mail from its file."""
    return message_from_bytes(content, policy=default)  # type: ignore[return-value]


def command(home: Path, target: Path, *words: str) -> bytes:
    """Run a command that writes a file, and return the file."""
    environment = {**os.environ, "BUYERVIEW_HOME": str(home), "PYTHONPATH": str(ROOT)}
    environment.pop("BUYERVIEW_WAREHOUSE", None)
    line = [sys.executable, "-c", "import buyerview; buyerview.main()", *words, "--out", str(target)]
    subprocess.run(line, env=environment, check=True, timeout=120, cwd=target.parent)
    return target.read_bytes()
