"""The documented roles of a PostgreSQL warehouse: one writes, one only reads the data, and both check the server."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, Connection, make_url, text
from sqlalchemy.exc import ProgrammingError

from ingest.runs import history
from metrics import warehouse
from metrics.access import Access, Role
from metrics.errors import BuildFailed, WarehouseUnreachable
from metrics.model.question import Question
from metrics.queries import scope
from metrics.queries.answer import answer
from metrics.store import access
from metrics.store.audit import check_chain
from metrics.store.connection import open_store
from metrics.warehouse import Location, reading
from tests.ingest.files import ORDERS, Source
from tests.support.postgres import plain
from tests.support.programs import require

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
ROLES = ("buyerview_run", "buyerview_dashboard")

pytestmark = [pytest.mark.long, pytest.mark.postgres, pytest.mark.both_engines]


@pytest.fixture
def roles(postgres_database: str) -> Iterator[URL]:
    """A database with the documented roles, and its URL without a role."""
    url = make_url(postgres_database)
    with psycopg.connect(plain(postgres_database), autocommit=True) as connection:
        script = (EXAMPLES / "postgres-roles.sql").read_text()
        connection.execute(script.replace("on database buyerview", f'on database "{url.database}"').encode())
        yield url
        for role in ROLES:
            connection.execute(f"drop owned by {role} cascade".encode())
            connection.execute(f"drop role {role}".encode())


@pytest.fixture
def certificate(postgres_url: str, tmp_path: Path) -> Iterator[Path]:
    """Turn on encryption with a new certificate of 127.0.0.1, and return the certificate."""
    openssl = require("openssl", "apt-get install openssl")
    with psycopg.connect(plain(postgres_url), autocommit=True) as connection:
        data = Path(str(connection.execute("show data_directory").fetchall()[0][0]))
        made = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
        names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", data / "server.key", "-out", data / "server.crt"]
        subprocess.run([*made, *names], check=True, capture_output=True, timeout=60)
        (data / "server.key").chmod(0o600)
        for name in ("server.key", "server.crt"):  # the umask can make both private
            with suppress(PermissionError):  # only root may, and only root must
                os.chown(data / name, data.stat().st_uid, data.stat().st_gid)
        connection.execute("alter system set ssl = on")
        connection.execute("select pg_reload_conf()")
        own = tmp_path / "ca.pem"
        own.write_bytes((data / "server.crt").read_bytes())
        yield own
        connection.execute("alter system reset ssl")
        connection.execute("select pg_reload_conf()")


def place(url: URL, role: str, certificate: Path) -> Location:
    """Return the warehouse as a role sees it, encrypted and checked as documented."""
    settings = {"sslmode": "verify-full", "sslrootcert": str(certificate)}
    return Location(url=url.set(username=role).update_query_dict(settings))


def refused(connection: Connection, statement: str) -> None:
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"), connection.begin_nested():
        connection.execute(text(statement))


def test_roles_have_the_documented_rights_over_an_encrypted_connection(
    roles: URL, certificate: Path, tmp_path: Path, postgres_database: str
) -> None:
    runs, dashboard = (place(roles, role, certificate) for role in ROLES)
    (tmp_path / "data").mkdir()
    source = Source(tmp_path / "data", runs).write_all()
    assert source.take_in().outcome == "published"
    assert history.runs(runs)[0]["outcome"] == "published"
    with psycopg.connect(plain(postgres_database), autocommit=True) as connection:
        connection.execute((EXAMPLES / "postgres-store.sql").read_bytes())

    with open_store(dashboard) as store:
        access.grant(store, "ada", Access("ben@example.com", Role.VIEWER), at=datetime(2026, 7, 1))
        assert check_chain(store).entries == 1
        for statement in (
            "update desk.audit_trail set who = 'eve'",
            "delete from desk.audit_chain",
            "delete from desk.run_history",
            "create table desk.planted (n int)",
        ):
            refused(store, statement)
    limited = (("customer", ("C1",)),)
    for limit in ((), limited):
        with scope.reading(dashboard, limit) as connection:
            assert answer(connection, Question(("judged_orders",)))[0].value == (1 if limit else 2)
    with reading(dashboard) as connection:
        assert connection.scalar(text("select ssl from pg_stat_ssl where pid = pg_backend_pid()"))
    with warehouse.preview(dashboard) as connection:
        for statement in (
            "delete from buyerview.orders",
            "update buyerview.runs set source = 'x'",
            "drop table buyerview.orders",
            "create table buyerview.planted (n int)",
            "create schema planted",
        ):
            refused(connection, statement)
    source.write("orders.csv", ORDERS.replace("O1,C1", "O1,C2"))
    with pytest.raises(BuildFailed, match="Start it with the role that writes"):
        Source(tmp_path / "data", dashboard).take_in()
    assert source.take_in().outcome == "published"
    for one in (runs, dashboard):
        warehouse.close(one)


def test_server_with_an_unknown_certificate_or_another_name_is_refused(
    roles: URL, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metrics.warehouse.postgres.PAUSE", 0)
    openssl = require("openssl", "apt-get install openssl")
    other = tmp_path / "other.pem"
    made = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", tmp_path / "k"]
    subprocess.run([*made, "-out", other], check=True, capture_output=True, timeout=60)
    for address, trusted in ((roles.host, other), ("localhost", certificate)):
        with (
            pytest.raises(WarehouseUnreachable, match="certificate"),
            reading(place(roles.set(host=address), ROLES[1], trusted)),
        ):
            pass
