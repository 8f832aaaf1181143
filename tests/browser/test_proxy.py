"""Sign-in by a real nginx in front of the dashboard, in a real browser: names, roles, and requests past the proxy."""

import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime

import pytest
from playwright.sync_api import Browser, expect

from metrics.access import Access, Role
from metrics.store import access
from metrics.store.connection import open_store
from metrics.warehouse import Location
from tests.browser.conftest import Screen, Served, free_port
from tests.dashboard.small_warehouse import shared_small_home
from tests.support.programs import require

pytestmark = [pytest.mark.browser, pytest.mark.long]
PATIENCE = 60_000
"""Milliseconds until a page is drawn. The first page of a server takes longest."""
SECRET = "0123456789abcdef" * 2
PASSWORD = "only for this test"
CONFIGURATION = """
daemon off; pid {folder}/nginx.pid; error_log stderr; {user}
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            auth_basic "Buyerview"; auth_basic_user_file {folder}/people;
            proxy_pass http://127.0.0.1:{behind};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-User $remote_user;
            proxy_set_header X-Buyerview-Proxy-Secret "{secret}";
        }}
    }}
}}
"""


def status(address: str, **headers: str) -> int:
    """Return the status of a response; 0 if nobody listens."""
    request = urllib.request.Request(
        address, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Location:
    location = Location(folder=shared_small_home(tmp_path_factory))
    with open_store(location) as store:
        for name, role in (("ada@example.com", Role.ADMINISTRATOR), ("ben@example.com", Role.VIEWER)):
            access.grant(store, "test", Access(name, role), at=datetime(2026, 7, 1))
    return location


@pytest.fixture(scope="module")
def addresses(serve: Served, place: Location, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of the proxy, and that of the dashboard behind it."""
    program = require("/usr/sbin/nginx", "apt-get install nginx-light")
    port, behind, folder = free_port(), free_port(), tmp_path_factory.mktemp("nginx")
    (folder / "people").write_text(
        "".join(f"{name}@example.com:{{PLAIN}}{PASSWORD}\n" for name in ("ada", "ben", "eve"))
    )
    user = "user root;" if os.geteuid() == 0 else ""
    text = CONFIGURATION.format(folder=folder, port=port, behind=behind, secret=SECRET, user=user)
    (folder / "nginx.conf").write_text(text)
    assert place.folder is not None
    settings = {
        "BUYERVIEW_AUTH": "proxy",
        "BUYERVIEW_URL": f"http://localhost:{port}",
        "BUYERVIEW_PROXY_SECRET": SECRET,
        "BUYERVIEW_PROXY_ADDRESSES": "127.0.0.1",
    }
    inner = serve(place.folder, behind, **settings)
    process = subprocess.Popen([program, "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        until = time.monotonic() + 20
        while status(f"http://localhost:{port}/") != 401 and time.monotonic() < until:
            time.sleep(0.2)
        yield f"http://localhost:{port}", inner
    finally:
        process.terminate()
        process.wait(15)


def visit(chromium: Browser, address: str, person: str) -> Screen:
    context = chromium.new_context(http_credentials={"username": f"{person}@example.com", "password": PASSWORD})
    return Screen(context.new_page(), address)


def test_two_people_behind_the_proxy_keep_their_names_and_a_third_has_no_access(
    chromium: Browser, addresses: tuple[str, str], place: Location
) -> None:
    outer, _ = addresses
    ada, ben, eve = (visit(chromium, outer, name) for name in ("ada", "ben", "eve"))
    ada.go("/failed-orders")
    ben.go("/recovery?region=North")
    expect(ada.page.get_by_text("Role: administrator")).to_be_visible(timeout=PATIENCE)
    expect(ada.page.get_by_text("ada@example.com")).to_be_visible(timeout=PATIENCE)
    expect(ben.page.get_by_text("Role: viewer")).to_be_visible(timeout=PATIENCE)
    eve.page.goto(outer + "/recovery")
    expect(eve.page.get_by_role("heading", level=1)).to_have_text("No access")
    with open_store(place) as store:
        access.revoke(store, "test", "ben@example.com")
    ben.page.get_by_role("link", name="Failed orders", exact=True).click()
    expect(ben.page.get_by_text("Your access has ended")).to_be_visible(timeout=PATIENCE)
    for screen in (ada, ben, eve):
        screen.page.context.close()


def test_a_request_past_the_proxy_is_refused_and_headers_of_the_browser_do_not_count(
    addresses: tuple[str, str],
) -> None:
    outer, inner = addresses
    forged = {"X_Forwarded_User": "ada@example.com", "X_Buyerview_Proxy_Secret": "x" * 32}
    assert status(inner + "/healthz") == 200
    assert status(inner + "/", Host=outer.removeprefix("http://"), **forged) == 403
    assert status(inner + "/", **forged) == 403
    assert status(outer + "/", **forged) == 401  # nginx asks for the name
