"""The way to the sign-in and back to the page that was asked for, and to no other site."""

import pytest

from dashboard.server.sign_in_flow import NEXT_COOKIE, is_own_page
from dashboard.sign_in import read_settings
from tests.dashboard.server.greeting_gate import OIDC, Client, gate

PAGE = {"accept": "text/html"}


def test_sign_in_returns_to_the_page_that_was_asked_for() -> None:
    client = Client(gate(read_settings(OIDC)))
    code, _, page = client.get("/recovery?region=North", PAGE)
    assert (code, "/sign-in?next=%2Frecovery%3Fregion%3DNorth" in page) == (401, True)
    back = {"cookie": f"{NEXT_COOKIE}=%2Frecovery%3Fregion%3DNorth%26name%3DZo%C3%AB"}
    assert client.get("/oauth2callback", back)[1]["location"] == "/recovery?region=North&name=Zo%C3%AB"
    assert client.get("/oauth2callback")[1]["location"] == "/"
    assert client.get("/oauth2callback", {"cookie": f"{NEXT_COOKIE}=%2F%2Fevil.example.com"})[1]["location"] == "/"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "recovery",
        "//evil.example.com",
        "/\\evil.example.com",
        "https://evil.example.com",
        "/a\r\nb",
        "/auth/logout",
    ],
)
def test_address_that_is_no_page_is_never_returned_to(address: str) -> None:
    assert not is_own_page(address)
    assert is_own_page("/recovery?region=North")
