"""No password reaches an error, a log, the run history or a file, whatever is wrong with its address."""

import logging
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url

import buyerview
from metrics import warehouse
from metrics.errors import BuyerviewError, StoreUnusable, driver_text
from metrics.redaction import redacted, url_text
from metrics.warehouse import Location, postgres
from tests.ingest.files import Source

CANARY = "Zk9Canary-Wq7"

ADDRESSES = [
    "postgresql+psycopg://u:{}@127.0.0.1:1/db",
    "postgresql+psycopg://u:x@{}@127.0.0.1:1/db",
    "postgresql+psycopg://u:{}@tail7@127.0.0.1:1/db",
    "postgresql+psycopg://u:head7/{}@127.0.0.1:1/db",
    "postgresql+psycopg://u:head7?{}@127.0.0.1:1/db",
    "postgresql+psycopg://u:head7#{}@127.0.0.1:1/db",
    "postgresql+psycopg://u:head7:{}@127.0.0.1:1/db",
    "postgresql+psycopg://u@127.0.0.1:1/db?password={}",
    "postgresql+psycopg://u@127.0.0.1:1/db?sslmode=sometimes&password={}",
    "postgresql+psycopg://u:{}@127.0.0.1:1/db?sslmode=sometimes",
    "postgresql+psycopg://u:{}@127.0.0.1:1/db?nosuchoption=1",
    "postgresql+psycopg://u:{}@[::1/db",
    "postgresql+psycopg://u:{}@127.0.0.1:notaport/db",
    "postgresql+psycopg://u:%5A{}@127.0.0.1:1/db",
    "nosuchdatabase://u:{}@127.0.0.1/db",
    "oracle+nosuchdriver://u:{}@127.0.0.1/db",
    "mssql+pymssql://u:{}@127.0.0.1/db",
    "duckdb://u:{}@127.0.0.1/no/such/file.duckdb",
    "u:{}@127.0.0.1/db",
]


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "PAUSE", 0)


def assert_hidden(*texts: str) -> None:
    for one in texts:
        assert CANARY not in one
        assert "tail7" not in one
        assert "head7" not in one


@pytest.mark.parametrize("address", ADDRESSES)
def test_password_of_a_source_url_appears_in_no_output_log_or_file(
    address: str,
    tmp_path: Path,
    location: Location,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Trust, T8: by the command, with the log at DEBUG, and every file of the warehouse searched."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("ERP", address.format(CANARY))
    folder = tmp_path / "data"
    folder.mkdir()
    source = Source(folder, location).write_all()
    source.origin["orders"] = 'connection = "env:ERP"\nquery = "select 1"'
    monkeypatch.setattr(sys, "argv", ["buyerview", "ingest", str(source.mapping())])
    with pytest.raises(SystemExit) as ended:
        buyerview.main()
    assert ended.value.code in (65, 78), "one of our own errors"
    printed = capsys.readouterr()
    assert "buyerview: " in printed.err
    assert "unexpected error" not in printed.err
    assert_hidden(printed.out, printed.err, caplog.text)
    assert location.folder is not None
    files = [path for path in location.folder.rglob("*") if path.is_file()]
    assert any(path.name == "store.sqlite" for path in files)
    assert_hidden(*(path.read_bytes().decode("latin-1") for path in files))


@pytest.mark.parametrize("address", [address for address in ADDRESSES if address.startswith("postgresql")])
def test_password_of_the_warehouse_url_appears_in_no_error_or_log(
    address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("BUYERVIEW_WAREHOUSE", address.format(CANARY))
    with pytest.raises(BuyerviewError) as caught:
        warehouse.current(warehouse.locate())
    assert_hidden(str(caught.value), caplog.text, repr(caught.value))
    with pytest.raises(BuyerviewError) as caught, warehouse.writing(warehouse.locate()):
        pass
    assert_hidden(str(caught.value), caplog.text)


def test_redaction_hides_secrets_and_keeps_other_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password equal to the user or the database would hide half of a message."""
    monkeypatch.setenv("ERP", "postgresql://postgres:postgres@db.example.com/shop")
    assert redacted("database postgres on db.example.com") == "database postgres on db.example.com"
    monkeypatch.setenv("SERVICE_TOKEN", CANARY)
    monkeypatch.setenv("BUYERVIEW_WEBHOOK_OPS", "https://hooks.example.com/T0/B0/Sekret-Path-1")
    assert redacted(f"a {CANARY}, Sekret-Path-1") == "a ***, ***"
    assert redacted("fetch http://u:pw@h/x") == "fetch http://u:***@h/x"
    assert redacted('connection failed: password="a b" host=h') == "connection failed: password=*** host=h"
    assert url_text(make_url("postgresql://u:pw@h/d?password=pw2&sslmode=x")) == "postgresql://u:***@h/d"
    assert driver_text(ValueError("first\nsecond")) == "first"
    assert driver_text(KeyError()) == "KeyError"
    assert CANARY not in str(StoreUnusable("here", f"no {CANARY}"))
