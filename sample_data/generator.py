"""Write the sample data: the books of customers and products first, then the six core feeds chunk by chunk."""

import csv
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple

import duckdb
import pandas

from sample_data import after_delivery, company, core_records, defects, fulfilment
from sample_data.defects import draw

CHUNK = 25_000
"""Orders drawn at a time: bounds the memory."""
MAPPING = "mapping.toml"
DEFECTS = "defects.csv"

Feeds = Literal["all", "core"]
"""Which feeds to write: all, or the six core ones and the books."""
CHUNK_TABLES = {
    "all": (*core_records.CHUNK_TABLES, *fulfilment.TABLES, *after_delivery.TABLES, *fulfilment.LAST_TABLES),
    "core": core_records.CHUNK_TABLES,
}
CHUNK_FILES = {"all": {**core_records.FILES, **fulfilment.FILES, **after_delivery.FILES}, "core": core_records.FILES}
BOOKS = (
    "customers",
    "products",
    "service_packages",
    "policies",
    "targets",
    "unit_factors",
    "assumptions",
    "calendars",
    "fx_rates",
)
"""The small feeds, written whole and whatever the orders."""

Progress = Callable[[int, int], None]
"""Called after each chunk with the orders written and the orders wanted."""


class Customer(NamedTuple):
    """One customer as the SQL of the records sees it."""

    customer_no: int
    customer_id: str
    region: int
    zone: str
    hours_east: int
    american: bool
    segment: int
    later_segment: int
    segment_changes: int
    habit: int
    size_factor: float
    own_category: int
    leaves_d: int
    pampered: bool
    contract: str
    terms: str
    bill_to: str
    ship_to: str
    currency: str
    price_factor: float
    tax_rate: float
    first_carrier: int
    second_carrier: int


def customer_book(orders: int, seed: int) -> list[Customer]:
    """The customers, the largest first. Large ones are more often in segment A; one in thirty moves to another segment
    in July 2025.

    Habits (0 lean, 1 ordinary, 2 needy), contracts and who leaves take turns, so that even thirty customers have some
    of each. Many needy customers of segment C are pampered: served far better than they are promised.
    """
    book = []
    count = company.customer_count(orders)
    for index in range(count):
        size_rank = index / count
        chosen = draw(seed, "segment", index)
        likely_a, likely_b = (0.75, 0.20) if size_rank < 0.08 else (0.35, 0.45) if size_rank < 0.35 else (0.10, 0.38)
        segment = 0 if chosen < likely_a else 1 if chosen < likely_a + likely_b else 2
        moves = draw(seed, "moves", index) < 0.033
        region = (
            company.NORTH
            if index == company.BUYS_IN_KRONOR
            else int(draw(seed, "region", index) * len(company.REGIONS))
        )
        _, zone, hours_east, american, _ = company.REGIONS[region]
        first, second = company.PREFERRED_CARRIERS[region]
        turn = index * 7 % 10
        habit = 0 if turn < 4 else 1 if turn < 7 else 2
        leaves = index >= 3 and segment > 0 and (index * 5 + seed) % 11 < 2
        currency = company.currency_of(region, index, draw(seed, "currency", index))
        identity = f"C{index + 1:05d}"
        book.append(
            Customer(
                customer_no=index,
                customer_id=identity,
                region=region,
                zone=zone,
                hours_east=hours_east,
                american=american,
                segment=segment,
                later_segment=abs(segment - 1) if moves else segment,
                segment_changes=day_no(date(2025, 7, 1)),
                habit=habit,
                size_factor=(1.8, 1.0, 0.35)[habit],
                own_category=int(draw(seed, "own category", index) * len(company.CATEGORIES)),
                leaves_d=day_no(company.LEAVING_FROM) + int(draw(seed, "leaves", index) * company.LEAVING_DAYS)
                if leaves
                else company.NEVER,
                pampered=segment == 2 and habit == 2 and not leaves and index % 3 < 2,
                contract=company.contract_of(index, draw(seed, "contract", index)),
                terms=("4/10 net 30", "3/10 net 30", "2/10 net 30")[segment],
                bill_to=identity,
                ship_to=f"{identity}-DOCK{1 + int(draw(seed, 'dock', index) * 3)}",
                currency=currency,
                price_factor=company.PRICE_FACTORS[currency],
                tax_rate=(0.19, 0.20, 0.255, 0.21, 0.20, 0.0)[region],
                first_carrier=first,
                second_carrier=second,
            )
        )
    return book


def customer_rows(book: Sequence[Customer], seed: int) -> Iterable[tuple[str, ...]]:
    """Rows of customers.csv: a second version where the segment changed."""
    for customer in book:
        region, *_, cities = company.REGIONS[customer.region]
        name = company.customer_name(customer.customer_no, customer.region)
        city = cities[int(draw(seed, "city", customer.customer_no) * len(cities))]
        manager = company.MANAGERS[int(draw(seed, "manager", customer.customer_no) * len(company.MANAGERS))]
        versions = [(company.HISTORY_FROM, customer.segment)]
        if customer.later_segment != customer.segment:
            versions.append((date(2025, 7, 1), customer.later_segment))
        for valid_from, segment in versions:
            yield (
                customer.customer_id,
                valid_from.isoformat(),
                name,
                company.SEGMENTS[segment],
                region,
                city,
                manager if segment == 0 else "",
                customer.contract,
            )


def day_no(on: date) -> int:
    """Day number of a calendar day."""
    return (on - company.EPOCH).days


def product_book(orders: int, seed: int) -> pandas.DataFrame:
    """The goods the records draw from, `place` counting within the category."""
    per_category = company.product_count(orders) // len(company.CATEGORIES)
    rows = []
    for category, (_, unit, typical, low, high, _) in enumerate(company.CATEGORIES):
        for place in range(per_category):
            number = category * per_category + place
            price = round(low + (high - low) * draw(seed, "price", number) ** 2, 2)
            rows.append(
                (number, f"{1000 + number:07d}", category, place, unit, typical, price, *company.boxes(category, place))
            )
    columns = [
        "product_no",
        "product_id",
        "category_no",
        "place",
        "unit",
        "typical_qty",
        "list_price",
        "per_box",
        "later_per_box",
    ]
    return pandas.DataFrame(rows, columns=columns).astype({"per_box": "Int64", "later_per_box": "Int64"})


def product_rows(book: pandas.DataFrame, seed: int) -> Iterable[tuple[str, ...]]:
    """Rows of products.csv; the unit cost with a decimal comma, as that file's mapping declares."""
    for product in book.itertuples():
        category, *_, nouns = company.CATEGORIES[product.category_no]
        noun = nouns[product.place % len(nouns)]
        size = 4 + product.place // len(nouns) * 2
        cost = product.list_price * (0.55 + 0.2 * draw(seed, "cost", product.product_no))
        available = "2025-01-06" if draw(seed, "new", product.product_no) < 0.05 else ""
        name = f"{noun[0].upper()}{noun[1:]} {size}"
        yield (
            product.product_id,
            company.HISTORY_FROM.isoformat(),
            name,
            category,
            product.unit,
            f"{cost:.2f}".replace(".", ","),
            available,
        )
    for identity, name, _ in company.SERVICES:
        yield identity, company.HISTORY_FROM.isoformat(), name, "Services", "piece", "", ""


def unit_rows(book: pandas.DataFrame) -> Iterable[tuple[str, ...]]:
    """Rows of unit_factors.csv: boxes, a second version where a box changed, and the rounding step of goods sold by
    length or weight.
    """
    for product in book.itertuples():
        since = company.HISTORY_FROM.isoformat()
        if product.unit != "piece":
            yield product.product_id, product.unit, since, "1", "0.001"
        elif not pandas.isna(product.per_box):
            yield product.product_id, "box", since, str(product.per_box), "1"
            if product.later_per_box != product.per_box:
                yield product.product_id, "box", company.BOXES_CHANGE.isoformat(), str(product.later_per_box), "1"


def rate_rows(seed: int) -> Iterable[tuple[str, ...]]:
    """Rows of fx_rates.csv: one rate a week, of Mondays, within two percent of the usual; that of the krona ends with
    2025.
    """
    for currency, usual in company.USUAL_RATES.items():
        for number in range(-7, core_records.LAST_DAY_NO + 1, 7):
            on = date.fromordinal(company.EPOCH.toordinal() + number)
            if currency != "SEK" or on <= company.LAST_SEK_RATE:
                rate = usual * (98_000 + int(4_000 * draw(seed, "rate", currency, number))) // 100_000
                yield currency, on.isoformat(), f"{rate // 10_000}.{rate % 10_000:04d}", company.REPORTING_CURRENCY


def order_days(orders: int) -> list[int]:
    """How many orders fall on each day: few at weekends, a spring and an autumn peak, a quiet August and turn of the
    year, growth.
    """
    weights = []
    season = (0.92, 0.96, 1.08, 1.10, 1.06, 1.0, 0.94, 0.78, 1.04, 1.12, 1.12, 0.88)
    for number in range(core_records.LAST_DAY_NO + 1):
        on = date.fromordinal(company.EPOCH.toordinal() + number)
        weekday = (1.12, 1.08, 1.02, 1.0, 0.9, 0.16, 0.10)[on.weekday()]
        quiet = 0.35 if (on.month, on.day) >= (12, 23) or (on.month, on.day) <= (1, 2) else 1.0
        weights.append(weekday * season[on.month - 1] * quiet * (1 + 0.25 * number / core_records.LAST_DAY_NO))
    total, seen, given, counts = sum(weights), 0.0, 0, []
    for weight in weights:
        seen += weight
        upto = round(orders * seen / total)
        counts.append(upto - given)
        given = upto
    return counts


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]], delimiter: str = ",") -> None:
    """Write a small CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_books(out: Path, seed: int, customers: Sequence[Customer], products: pandas.DataFrame) -> None:
    """Write the small feeds."""
    header = ("customer_no", "valid_from", "name", "segment", "region", "city", "key_account_manager", "contract")
    write_table(out / "customers.csv", header, customer_rows(customers, seed))
    header = ("material", "valid_from", "description", "family", "unit", "unit_cost", "available_from")
    write_table(out / "products.csv", header, product_rows(products, seed), delimiter=";")
    since = company.HISTORY_FROM.isoformat()
    header = ("segment", "valid_from", "defects_max", "order_fill_min", "lead_time_days", "window", "terms", "support")
    write_table(out / "service_packages.csv", header, ((row[0], since, *row[1:]) for row in company.SERVICE_PACKAGES))
    header = (
        "contract",
        "valid_from",
        "timing",
        "early_days",
        "early_hours",
        "late_days",
        "late_hours",
        "under",
        "over",
        "claims_days",
    )
    header += ("invoice_days", "anchor")
    write_table(out / "policies.csv", header, ((row[0], since, *row[1:]) for row in company.POLICIES))
    header = ("measure", "scope", "valid_from", "target", "tolerance")
    write_table(
        out / "targets.csv", header, ((measure, scope, since, *values) for measure, scope, *values in company.targets())
    )
    write_table(out / "unit_factors.csv", ("material", "unit", "valid_from", "factor", "step"), unit_rows(products))
    header = ("name", "scope", "valid_from", "value")
    fined = (
        ("fine_rate", f"customer:{one.customer_id}", company.FINE_RATE)
        for one in customers
        if one.contract == "RETAIL-WINDOW"
    )
    write_table(
        out / "assumptions.csv",
        header,
        ((name, scope, since, value) for name, scope, value in (*company.ASSUMPTIONS, *fined)),
    )
    write_table(out / "calendars.csv", ("calendar", "day", "opens", "closes"), company.working_days())
    write_table(out / "fx_rates.csv", ("curr", "on_date", "rate", "to_curr"), rate_rows(seed))


def drawing_connection(
    orders: int, seed: int, customers: Sequence[Customer], products: pandas.DataFrame
) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB with the books, the calendar of orders and the draw functions."""
    connection = duckdb.connect(":memory:")
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set memory_limit = '1GB'")
    connection.execute(core_records.macros(seed))
    customer_frame = pandas.DataFrame(customers)
    connection.register("customer_frame", customer_frame)
    connection.register("product_frame", products)
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
    """Draw orders `first` up to but not including `end` and write each feed's part, without a header."""
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
    """Writes the feeds' files and remembers where each planted record went."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.rows: dict[str, int] = {}
        self.planted: list[tuple[str, str, str, int, str, str]] = []

    def write(self, feed: str, file: str, header: str, runs: Iterable[tuple[list[str], defects.Mark | None]]) -> None:
        """Append records to a file, the header first if it is new."""
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
        """Write defects.csv: one row for each planted record, in the order of the files."""
        header = ("kind", "feed", "file", "row_no", "outcome", "rule")
        rows = sorted(self.planted, key=lambda planted: planted[1:4])
        write_table(self.out / DEFECTS, header, ([str(value) for value in row] for row in rows))


def core_part(feed: str, path: Path, header: Sequence[str]) -> defects.Part:
    """The records of a chunk's file."""
    text = path.read_text(encoding="utf-8").removesuffix("\n")
    return defects.Part(feed, header, text.split("\n") if text else [])


def plant_in_books(out: Path, seed: int, writer: Writer) -> None:
    """Plant the small feeds' defects in the files just written."""
    parts = {}
    for feed in BOOKS:
        header, *lines = (out / f"{feed}.csv").read_text(encoding="utf-8").splitlines()
        delimiter = ";" if feed == "products" else ","
        parts[feed] = defects.Part(feed, header.split(delimiter), lines, delimiter)
    defects.plant(parts, orders=1, seed=seed, chunk=0, chunks=1)
    for feed, part in parts.items():
        writer.write(feed, f"{feed}.csv", part.delimiter.join(part.header), part.output())


def generate(orders: int, out: Path, seed: int = 7, progress: Progress | None = None, feeds: Feeds = "all") -> Path:
    """Write `orders` sample orders and everything around them into the folder `out`; return the mapping file.

    feeds="core" writes the six core feeds and the books only, the same bytes of each.

    The same (orders, seed) give the same bytes on every run, whatever the number of threads. `out` is then complete in
    itself: `buyerview ingest out/mapping.toml` needs nothing else. defects.csv lists every planted record; no feed
    reads it.
    """
    if orders < 1:
        raise ValueError(f"orders is {orders}; give at least 1")
    out.mkdir(parents=True, exist_ok=True)
    for leftover in (*out.glob("*_2.csv"), *(out / f"{feed}.csv" for feed in CHUNK_FILES["all"])):  # of an earlier set
        leftover.unlink(missing_ok=True)
    customers, products = customer_book(orders, seed), product_book(orders, seed)
    writer = Writer(out)
    write_books(out, seed, customers, products)
    plant_in_books(out, seed, writer)
    chunks = -(-orders // CHUNK)
    with drawing_connection(orders, seed, customers, products) as connection, tempfile.TemporaryDirectory() as folder:
        headers = {}
        for chunk in range(chunks):
            end = min((chunk + 1) * CHUNK, orders) + 1
            files = write_chunk(connection, chunk * CHUNK + 1, end, Path(folder), feeds)
            headers = headers or {feed: column_names(connection, select) for feed, select in CHUNK_FILES[feeds].items()}
            parts = {feed: core_part(feed, path, headers[feed]) for feed, path in files.items()}
            second = defects.plant(parts, orders, seed, chunk, chunks)
            for feed, part in parts.items():
                writer.write(feed, f"{feed}.csv", ",".join(part.header), part.output())
            for feed, rows in second.items():
                writer.write(feed, f"{feed}_2.csv", ",".join(headers[feed]), rows)
            if progress:
                progress(end - 1, orders)
    writer.write_defects()
    write_mapping(out / MAPPING, {*BOOKS, *CHUNK_FILES[feeds]})
    return out / MAPPING


def write_mapping(path: Path, feeds: set[str]) -> None:
    """Write the mapping file of these feeds."""
    head, *sections = re.split(
        r"^(?=\[\w+\]$)", Path(__file__).with_name(MAPPING).read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    kept = (section for section in sections if section[1 : section.index("]")] in {"source", *feeds})
    path.write_text(head + "".join(kept), encoding="utf-8", newline="\n")


def column_names(connection: duckdb.DuckDBPyConnection, select: str) -> list[str]:
    """The columns a SELECT gives."""
    return [column[0] for column in connection.execute(f"describe {select}").fetchall()]
