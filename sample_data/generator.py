"""Write the sample data: first the master data, then the other feeds in chunks of orders.

The SQL of the records is in core_records.py, fulfilment.py and after_delivery.py; the defects are in defects.py.
"""

import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Literal

import duckdb
import pandas

from sample_data import after_delivery, company, core_records, defects, fulfilment, planting
from sample_data.master_data import (
    MASTER_DATA,
    Customer,
    Product,
    customer_book,
    day_no,
    product_book,
    write_master_data,
    write_table,
)

CHUNK = 25_000
"""Number of orders in a chunk, which limits the memory."""
MAPPING = "mapping.toml"
DEFECTS = "defects.csv"

Feeds = Literal["all", "core"]
"""The feeds to write: all, or the six core feeds and the master data."""
CHUNK_TABLES = {
    "all": (*core_records.CHUNK_TABLES, *fulfilment.TABLES, *after_delivery.TABLES, *fulfilment.LAST_TABLES),
    "core": core_records.CHUNK_TABLES,
}
CHUNK_FILES = {"all": {**core_records.FILES, **fulfilment.FILES, **after_delivery.FILES}, "core": core_records.FILES}

Progress = Callable[[int, int], None]
"""Called after each chunk with the number of written orders and of all orders."""


def order_days(orders: int) -> list[int]:
    """Return the number of orders of each day.

    Orders grow over time, with peaks in spring and autumn. Weekends, August and the turn of the year are quiet.
    """
    weights = []
    season = (0.92, 0.96, 1.08, 1.10, 1.06, 1.0, 0.94, 0.78, 1.04, 1.12, 1.12, 0.88)
    for number in range(core_records.LAST_DAY_NO + 1):
        on = date.fromordinal(company.EPOCH.toordinal() + number)
        weekday = (1.12, 1.08, 1.02, 1.0, 0.9, 0.16, 0.10)[on.weekday()]
        quiet = 0.35 if (on.month, on.day) >= (12, 23) or (on.month, on.day) <= (1, 2) else 1.0
        weights.append(weekday * season[on.month - 1] * quiet * (1 + 0.25 * number / core_records.LAST_DAY_NO))
    total, weight_so_far, orders_so_far, counts = sum(weights), 0.0, 0, []
    for weight in weights:
        weight_so_far += weight
        orders_until = round(orders * weight_so_far / total)
        counts.append(orders_until - orders_so_far)
        orders_so_far = orders_until
    return counts


def drawing_connection(
    orders: int, seed: int, customers: Sequence[Customer], products: Sequence[Product]
) -> duckdb.DuckDBPyConnection:
    """Return an in-memory DuckDB with the master data, the calendar of orders and the draw functions."""
    connection = duckdb.connect(":memory:")
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set memory_limit = '1GB'")
    connection.execute(core_records.macros(seed))
    customer_frame = pandas.DataFrame(customers)
    connection.register("customer_frame", customer_frame)
    product_frame = pandas.DataFrame(products).astype({"per_box": "Int64", "later_per_box": "Int64"})
    connection.register("product_frame", product_frame)
    connection.execute("create table customer_book as select * from customer_frame")
    boxes_change = day_no(company.BOXES_CHANGE)
    connection.execute(f"""create table product_book as select * replace (list_price::decimal(18, 2) as list_price),
        {boxes_change} as boxes_change from product_frame""")
    connection.execute("alter table customer_book alter tax_rate type decimal(9, 6)")
    connection.execute("alter table customer_book alter price_factor type decimal(9, 4)")
    connection.execute(
        f"""create table stayer_book as
        select customer_no, row_number() over (order by customer_no) - 1 as stayer_place from customer_book
        where leaves_d = {company.NEVER}"""
    )
    connection.execute(
        """create table sizes as
        select ?::bigint as customers, ?::bigint as products,
            ?::bigint as products_per_category,
            ?::varchar[] as carriers,
            (select count(*) from stayer_book) as stayers""",
        [len(customers), len(products), len(products) // len(company.CATEGORIES), list(company.CARRIERS)],
    )
    days, first = [], 1
    for number, count in enumerate(order_days(orders)):
        days.append((number, first, first + count))
        first += count
    day_frame = pandas.DataFrame(days, columns=["d", "first_k", "end_k"])
    connection.register("day_frame", day_frame)
    connection.execute("create table order_calendar as select * from day_frame")
    return connection


def write_chunk(
    connection: duckdb.DuckDBPyConnection, first: int, end: int, folder: Path, feeds: Feeds
) -> dict[str, Path]:
    """Draw the orders from `first` to `end` - 1 and write each feed's part without a header. Return the files."""
    connection.execute(
        """create or replace temp table chunk_days as
        select unnest(range(greatest(first_k, $first), least(end_k, $end))) as k, d
        from order_calendar where first_k < $end and end_k > $first""",
        {"first": first, "end": end},
    )
    for statement in CHUNK_TABLES[feeds]:
        connection.execute(statement)
    parts = {}
    for feed, select in CHUNK_FILES[feeds].items():
        parts[feed] = folder / f"{feed}.part"
        connection.execute(
            f"copy ({select}) to '{str(parts[feed]).replace(chr(39), chr(39) * 2)}' (format csv, header false)"
        )
    return parts


class Writer:
    """Writer of the feeds' files. It lists the places of the planted records."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.rows: dict[str, int] = {}
        self.planted: list[tuple[str, str, str, int, str, str]] = []

    def write(self, feed: str, file: str, header: str, runs: Iterable[planting.Run]) -> None:
        """Append records to a file. A new file gets the header first."""
        row_no = self.rows.get(file, 0)
        with (self.out / file).open("a" if file in self.rows else "w", encoding="utf-8", newline="") as stream:
            if file not in self.rows:
                stream.write(header + "\n")
            for lines, mark in runs:
                row_no += len(lines)
                stream.writelines(f"{line}\n" for line in lines)
                if mark:
                    self.planted.append((mark.kind, feed, file, row_no, mark.outcome, mark.rule))
        self.rows[file] = row_no

    def write_defects(self) -> None:
        """Write defects.csv: a row for each planted record, in the order of the files."""
        rows = sorted(self.planted, key=lambda planted: planted[1:4])
        write_table(
            self.out / DEFECTS, "kind feed file row_no outcome rule", ([str(value) for value in row] for row in rows)
        )


def part_of(feed: str, path: Path, header: Sequence[str]) -> planting.Part:
    """Return the records of a chunk's file."""
    text = path.read_text(encoding="utf-8").removesuffix("\n")
    return planting.Part(feed, header, text.split("\n") if text else [])


def plant_in_master_data(out: Path, seed: int, writer: Writer) -> None:
    """Plant the defects of the small feeds in their files."""
    parts = {}
    for feed in MASTER_DATA:
        header, *lines = (out / f"{feed}.csv").read_text(encoding="utf-8").splitlines()
        delimiter = ";" if feed == "products" else ","
        parts[feed] = planting.Part(feed, header.split(delimiter), lines, delimiter)
    defects.plant(parts, orders=1, seed=seed, chunk=0, chunks=1)
    for feed, part in parts.items():
        writer.write(feed, f"{feed}.csv", part.delimiter.join(part.header), part.output())


def generate(orders: int, out: Path, seed: int = 7, progress: Progress | None = None, feeds: Feeds = "all") -> Path:
    """Write a sample of `orders` orders into the folder `out`. Return the mapping file.

    `feeds="core"` writes only the six core feeds and the master data, with the same bytes. The same orders and seed
    give the same bytes on every run, for any number of threads. The folder is complete:
    `buyerview ingest out/mapping.toml` needs no other file. defects.csv lists every planted record; no feed reads it.

    Raises ValueError if `orders` is below 1.
    """
    if orders < 1:
        raise ValueError(f"orders is {orders}; give at least 1")
    out.mkdir(parents=True, exist_ok=True)
    for leftover in (*out.glob("*_2.csv"), *(out / f"{feed}.csv" for feed in CHUNK_FILES["all"])):
        leftover.unlink(missing_ok=True)  # from an earlier sample
    customers, products = customer_book(orders, seed), product_book(orders, seed)
    writer = Writer(out)
    write_master_data(out, seed, customers, products)
    plant_in_master_data(out, seed, writer)
    chunks = -(-orders // CHUNK)
    with drawing_connection(orders, seed, customers, products) as connection, tempfile.TemporaryDirectory() as folder:
        headers: dict[str, list[str]] = {}
        for chunk in range(chunks):
            end = min((chunk + 1) * CHUNK, orders) + 1
            files = write_chunk(connection, chunk * CHUNK + 1, end, Path(folder), feeds)
            headers = headers or {feed: column_names(connection, select) for feed, select in CHUNK_FILES[feeds].items()}
            parts = {feed: part_of(feed, path, headers[feed]) for feed, path in files.items()}
            second = defects.plant(parts, orders, seed, chunk, chunks)
            for feed, part in parts.items():
                writer.write(feed, f"{feed}.csv", ",".join(part.header), part.output())
            for feed, rows in second.items():
                writer.write(feed, f"{feed}_2.csv", ",".join(headers[feed]), rows)
            if progress:
                progress(end - 1, orders)
    writer.write_defects()
    write_mapping(out / MAPPING, {*MASTER_DATA, *CHUNK_FILES[feeds]})
    return out / MAPPING


def write_mapping(path: Path, feeds: set[str]) -> None:
    """Write the mapping file of `feeds`."""
    head, *sections = re.split(
        r"^(?=\[\w+\]$)", Path(__file__).with_name(MAPPING).read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    needed = (section for section in sections if section[1 : section.index("]")] in {"source", *feeds})
    path.write_text(head + "".join(needed), encoding="utf-8", newline="\n")


def column_names(connection: duckdb.DuckDBPyConnection, select: str) -> list[str]:
    """Return the column names of a SELECT."""
    return [column[0] for column in connection.execute(f"describe {select}").fetchall()]
