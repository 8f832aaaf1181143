"""A temporary PostgreSQL server on this machine, and the processor seconds that it has used."""

from collections.abc import Iterator
from contextlib import contextmanager
from os import sysconf
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


def processor_seconds(first: int) -> float:
    """Return the processor seconds of a server: its first process, its sessions that have ended and those that run.

    The kernel counts them in ticks, usually hundredths of a second.
    """
    own = _ticks(first)
    running = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    return (sum(own) + sum(sum(_ticks(int(process))[:2]) for process in running)) / sysconf("SC_CLK_TCK")


def _ticks(process: int) -> list[int]:
    """Return the ticks of a process as user and as system, and the same of its children that have ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # a session that has just ended
        return [0, 0, 0, 0]
    return [int(field) for field in fields[11:15]]
