"""A temporary PostgreSQL server on this machine, and its first process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, create_engine


@contextmanager
def temporary_server() -> Iterator[str | None]:
    """Yield the URL of an empty database on a server of the tests' kind. None: PostgreSQL is not installed."""
    if not any(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
        yield None
        return
    from tests.support import postgres

    with postgres.cluster() as cluster, postgres.database(cluster, "benchmark") as url:
        yield url


def first_process(url: URL) -> int:
    """Return the process id of the server that has this database. The server must run on this machine (Linux)."""
    engine = create_engine(url)
    with engine.connect() as connection:
        folder = connection.exec_driver_sql("SHOW data_directory").scalar_one()
    engine.dispose()
    return int(Path(folder, "postmaster.pid").read_text().split(maxsplit=1)[0])
