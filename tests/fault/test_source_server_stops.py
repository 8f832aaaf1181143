"""The database of a source stops in the middle of a pull (A24): nothing is published, and the next run is complete."""

import contextlib
import gc
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, select

from metrics.errors import BuyerviewError
from metrics.schema import orders
from metrics.warehouse import Location, current, reading
from tests.ingest.files import Source
from tests.support import postgres
from tests.support import tries as counts
from tests.support.tries import Tries

ORDERS = 3_000
CUTS = counts.number(goal=20, usual=2)
"""Pulls that end early, each after more bytes of the answer."""


@contextlib.contextmanager
def cut_after(port: int, allowed: int) -> Iterator[int]:
    """Forward one connection to a server, and end it after so many bytes. Yield the port to connect to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def forward() -> None:
            client, _ = listener.accept()
            listener.close()  # the server is gone for good
            with client, socket.create_connection(("127.0.0.1", port)) as server:
                threading.Thread(target=_copy, args=(client, server), daemon=True).start()
                left = allowed
                while left > 0 and (part := server.recv(min(left, 4_096))):
                    client.sendall(part)
                    left -= len(part)
                for one in (client, server):
                    one.shutdown(socket.SHUT_RDWR)

        thread = threading.Thread(target=forward, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(4_096):
            target.sendall(part)


@pytest.mark.long
@pytest.mark.postgres
@pytest.mark.timeout(1_200)
@pytest.mark.filterwarnings("ignore:.*ServerCursor.*:ResourceWarning")  # nobody can close a cursor of a dead server
def test_source_database_that_stops_in_a_pull_publishes_nothing_and_the_next_run_is_complete(
    tmp_path: Path, location: Location, postgres_database: str, monkeypatch: pytest.MonkeyPatch, tries: Tries
) -> None:
    with psycopg.connect(postgres.plain(postgres_database), autocommit=True) as database:
        database.execute(
            "create table erp as select 'O' || n as no, 'C1' as customer, '2026-03-02' as placed, "
            f"repeat('x', 50) as filler from generate_series(1, {ORDERS}) n"
        )
    (tmp_path / "data").mkdir()
    source = Source(tmp_path / "data", location).write_all()
    source.columns["orders"] = {"order_id": "'no'", "customer_id": "'customer'", "ordered_at": "'placed'"}
    source.origin["orders"] = 'connection = "env:ERP_URL"\nquery = "select * from erp"'
    url = make_url(postgres_database)
    assert url.port is not None
    for cut in range(CUTS):
        with cut_after(url.port, 20 + cut * 200_000 // CUTS) as port:
            monkeypatch.setenv("ERP_URL", url.set(port=port).render_as_string(hide_password=False))
            with pytest.raises(BuyerviewError) as caught:
                source.take_in()
        assert "Traceback" not in str(caught.value)
        assert current(location) is None
        tries.add()
    del caught
    gc.collect()
    monkeypatch.setenv("ERP_URL", postgres_database)
    assert source.take_in().outcome == "published"
    with reading(location) as connection:
        assert len(connection.execute(select(orders.c.order_id)).all()) == ORDERS
