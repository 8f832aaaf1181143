"""C25: an audit trail that was changed by hand is reported."""

from collections.abc import Callable
from datetime import datetime

import pytest
from sqlalchemy import Connection, delete, insert, update

from metrics.store.audit import check_chain, record
from metrics.store.connection import open_store
from metrics.store.tables import audit_chain, audit_trail
from metrics.warehouse import Location


def changed(connection: Connection) -> None:
    connection.execute(update(audit_trail).where(audit_trail.c.entry == 3).values(who="Eve"))


def deleted(connection: Connection) -> None:
    connection.execute(delete(audit_trail).where(audit_trail.c.entry == 3))


def deleted_with_its_hash(connection: Connection) -> None:
    deleted(connection)
    connection.execute(delete(audit_chain).where(audit_chain.c.entry == 3))


def added(connection: Connection) -> None:
    connection.execute(insert(audit_trail).values(at=datetime(2026, 3, 1), who="Eve", what="target set", key="x"))


@pytest.mark.parametrize(
    ("tamper", "broken"), [(changed, (3,)), (deleted, (3, 4)), (deleted_with_its_hash, (4,)), (added, (6,))]
)
def test_c25_a_changed_audit_trail_is_reported(
    location: Location, tamper: Callable[[Connection], None], broken: tuple[int, ...]
) -> None:
    with open_store(location) as connection:
        added(connection)  # an entry of an earlier version, without a hash
        for number in range(4):
            record(connection, "Ada", "target set", f"otif {number}", None, {"value": "0.95", "note": "für alle"})
    with open_store(location) as connection:
        chain = check_chain(connection)
        assert (chain.entries, chain.without_hash, chain.broken) == (5, 1, ())
        tamper(connection)
        assert check_chain(connection).broken == broken
