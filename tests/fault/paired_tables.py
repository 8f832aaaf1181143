"""Two tables that must agree in every generation. They show a reader that it sees a complete publish.

Each run adds the same number of rows, marked with its own number, to `debits` and to `credits`.
"""

from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, delete, func, insert, select

from metrics.warehouse import Build, Location, writing

metadata = MetaData()
debits = Table("debits", metadata, Column("run", BigInteger), Column("amount", BigInteger))
credits = Table("credits", metadata, Column("run", BigInteger), Column("amount", BigInteger))

ROWS = 50


def add(build: Build) -> None:
    """Add this run's rows to both tables, with a save in between."""
    metadata.create_all(build.connection)
    rows = [{"run": build.number, "amount": amount} for amount in range(ROWS)]
    build.connection.execute(insert(debits), rows)
    build.save()
    build.connection.execute(insert(credits), rows)


def publish(location: Location, *, kept: int = 0) -> int:
    """Run and publish. Returns the number of the generation. kept: delete the rows of all but the last runs."""
    with writing(location) as build:
        add(build)
        for table in (debits, credits) if kept else ():
            build.connection.execute(delete(table).where(table.c.run <= build.number - kept))
        return build.publish().number


def runs_seen(connection: Connection) -> int:
    """Return the number of runs in the connection's generation.

    Raises AssertionError if the generation is torn, or is not the one it claims to be.
    """
    seen: list[tuple[int, int, int]] = []
    for table in (debits, credits):
        query = select(func.count(), func.sum(table.c.amount), func.max(table.c.run))
        rows, amount, newest = connection.execute(query).one()
        seen.append((rows, int(amount), newest))
    assert seen[0] == seen[1], f"torn: {seen}"
    rows, amount, newest = seen[0]
    runs, rest = divmod(rows, ROWS)
    assert (rest, amount) == (0, runs * sum(range(ROWS))), f"torn: {seen}"
    assert newest == connection.info["generation"], f"generation {connection.info['generation']} holds run {newest}"
    return runs
