"""Compare every fact table and rollup of two warehouses: `python -m benchmarks.compare_warehouses ONE OTHER`.

A warehouse is a folder, or the URL of a PostgreSQL database. Use it to show that a change for speed changes no number:
ingest the same sample with both versions, or into both engines. The exit code is 1 if a row differs.
"""

import argparse
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path

from sqlalchemy import Connection, Table, make_url, select

from metrics.facts import registry  # noqa: F401  # declares the fact tables
from metrics.facts.orders import facts_metadata
from metrics.queries.rollups import rollup_metadata
from metrics.warehouse import Location, reading

Row = tuple[object, ...]


def location(name: str) -> Location:
    """Return the warehouse of a folder or of a URL."""
    return Location(url=make_url(name)) if "://" in name else Location(folder=Path(name))


def rows_of(connection: Connection, table: Table) -> Counter[Row]:
    """Return how often a table contains each row. Decimals are compared without trailing zeros."""
    return Counter(
        tuple(value.normalize() if isinstance(value, Decimal) else value for value in row)
        for row in connection.execute(select(table))
    )


def differences(one: Connection, other: Connection) -> dict[str, tuple[int, int]]:
    """Return, per table, the number of rows that only the first and only the second warehouse contains."""
    tables = [*facts_metadata.tables.values(), *rollup_metadata.tables.values()]
    result = {}
    for table in tables:
        first, second = rows_of(one, table), rows_of(other, table)
        result[table.name] = ((first - second).total(), (second - first).total())
    return result


def main() -> None:
    """Compare the two warehouses of the command line and print the tables that differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare_warehouses", description=__doc__)
    parser.add_argument("one", help="folder or URL of a warehouse")
    parser.add_argument("other", help="folder or URL of the other warehouse")
    options = parser.parse_args()
    with reading(location(options.one)) as one, reading(location(options.other)) as other:
        found = differences(one, other)
    different = {name: counts for name, counts in found.items() if any(counts)}
    for name, (only_one, only_other) in different.items():
        print(f"{name}: {only_one:,} rows only in the first, {only_other:,} only in the second")
    print(f"{len(different)} of {len(found)} tables differ")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
