"""Settings of the sign-in: what is refused, and with which advice."""

import pytest

from dashboard.sign_in import Mode, SignIn, check_host, read_settings
from metrics.errors import SettingRefused
from tests.dashboard.server.greeting_gate import OIDC, PROXY


def test_without_settings_nobody_signs_in_and_only_this_machine_is_served() -> None:
    assert read_settings({}) == SignIn()
    for host in ("127.0.0.1", "localhost", "::1"):
        check_host(Mode.NONE, host)
    for host in ("0.0.0.0", "192.168.1.5", "::", "dash.example.com"):
        with pytest.raises(SettingRefused, match="BUYERVIEW_AUTH=oidc"):
            check_host(Mode.NONE, host)
        check_host(Mode.OIDC, host)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"BUYERVIEW_AUTH": "saml"}, "Set none, oidc or proxy"),
        ({"BUYERVIEW_ALLOWED_HOSTS": "dash.example.com"}, "Set BUYERVIEW_AUTH=oidc or BUYERVIEW_AUTH=proxy"),
        ({"BUYERVIEW_ALLOWED_HOSTS": "*"}, "BUYERVIEW_ALLOWED_HOSTS=dashboard.example.com"),
        ({**OIDC, "BUYERVIEW_URL": ""}, "BUYERVIEW_URL: is not set"),
        ({**OIDC, "BUYERVIEW_URL": "http://dash.example.com"}, "Use https"),
        ({**OIDC, "BUYERVIEW_URL": "https://example.com/dash"}, "a host name of its own"),
        ({**OIDC, "BUYERVIEW_URL": "dash.example.com"}, "Write it like https"),
        ({**OIDC, "BUYERVIEW_OIDC_ISSUER": "http://login.example.com"}, "BUYERVIEW_OIDC_ISSUER.*Use https"),
        ({**OIDC, "BUYERVIEW_COOKIE_SECRET": "short"}, "fewer than 32 characters"),
        ({**OIDC, "BUYERVIEW_SESSION_HOURS": "forever"}, "number of hours"),
        ({**PROXY, "BUYERVIEW_PROXY_SECRET": ""}, "BUYERVIEW_PROXY_SECRET: is not set"),
        ({**PROXY, "BUYERVIEW_PROXY_ADDRESSES": "nginx"}, "Write addresses like"),
    ],
)
def test_unusable_setting_is_refused_with_the_reason_and_the_remedy(settings: dict[str, str], reason: str) -> None:
    with pytest.raises(SettingRefused, match=reason):
        read_settings(settings)
