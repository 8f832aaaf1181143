"""/metrics shows the age of the data, the last run, the quarantine and page latency, to this machine or by token."""

import re
from pathlib import Path

import pytest
from sqlalchemy import func, select
from starlette.requests import Request
from starlette.responses import Response

from dashboard.components import latency
from dashboard.server import monitoring
from metrics import warehouse
from metrics.schema import quarantine
from tests.support.own_loop import run

TOKEN = "a-long-secret-token"


def answered(client: str = "127.0.0.1", **headers: str) -> Response:
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    request = Request(
        {"type": "http", "method": "GET", "path": "/metrics", "headers": fields, "client": (client, 5000)}
    )
    return run(lambda: monitoring.metrics(request))


def test_metrics_are_valid_and_equal_the_warehouse(small: Path, page_of_small: object) -> None:  # noqa: ARG001
    runs, _ = latency.histogram()
    page_of_small()  # type: ignore[operator]
    answer = answered()
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = bytes(answer.body).decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    for line in lines:
        assert re.fullmatch(r'# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{le="[^"]+"\})? -?[0-9.]+', line), line
    assert (values["buyerview_up"], values["buyerview_data_version"]) == ("1", "1")
    with warehouse.reading(warehouse.locate()) as connection:
        assert int(values["buyerview_quarantine_rows"]) == connection.scalar(
            select(func.count()).select_from(quarantine)
        )
    assert int(values["buyerview_data_age_seconds"]) != 0
    assert int(values["buyerview_last_run_age_seconds"]) != 0
    assert int(values["buyerview_page_seconds_count"]) == int(values['buyerview_page_seconds_bucket{le="+Inf"}'])
    assert int(values["buyerview_page_seconds_count"]) > sum(runs)


def test_metrics_of_an_empty_warehouse_are_not_up(location: object) -> None:  # noqa: ARG001
    body = bytes(answered().body).decode()
    assert "buyerview_up 0" in body
    assert "data_age" not in body


@pytest.mark.parametrize(
    ("client", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("127.0.0.1", {"x_forwarded_for": "203.0.113.7"}, 404),
        ("127.0.0.1", {"forwarded": "for=203.0.113.7"}, 404),
        ("203.0.113.7", {}, 404),
        ("testclient", {}, 404),
        ("203.0.113.7", {"authorization": "Bearer wrong"}, 404),
        ("203.0.113.7", {"authorization": "Bearer "}, 404),
        ("203.0.113.7", {"authorization": f"Bearer {TOKEN}"}, 200),
        ("127.0.0.1", {"authorization": f"Bearer {TOKEN}", "x_forwarded_for": "203.0.113.7"}, 200),
    ],
)
@pytest.mark.usefixtures("location")
def test_metrics_are_only_for_this_machine_or_with_the_token(
    client: str, headers: dict[str, str], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(monitoring.TOKEN, TOKEN)
    assert answered(client, **headers).status_code == status


@pytest.mark.usefixtures("location")
def test_an_empty_token_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(monitoring.TOKEN, "")
    assert answered("203.0.113.7", authorization="Bearer ").status_code == 404
