"""Status of the data in one generation: last run, days covered, mapped feeds, stand-ins and filter values."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection

from metrics.facts.mapped_columns import mapped
from metrics.facts.orders import NONE
from metrics.lists import data_quality, options
from metrics.lists.rows import Row
from metrics.model.dimensions import DIMENSIONS
from metrics.sql.exchange_rates import reporting_currency


@dataclass(frozen=True)
class DataStatus:
    """What every page needs to know about the data before it shows a number."""

    data_as_of: datetime | None
    """End of the data (naive UTC); None before the first run."""
    data_as_of_declared: bool
    """True if the run stated the end of the data, False if Buyerview derived it from the records."""
    first_day: date | None
    last_day: date | None
    orders: int
    """Orders of all days."""
    feeds: frozenset[str]
    """Feeds that at least one source maps."""
    stand_ins: tuple[Row, ...]
    """Columns that a source fills with another value: `source`, `feed`, `column_name`, `stands_in_for`."""
    options: dict[str, list[str]]
    """Values of each dimension; empty for a dimension with too many values to list."""
    currency: str | None
    """Currency of all amounts: the reporting currency, or without exchange rates the only one; None: several."""


def data_status(connection: Connection) -> DataStatus:
    """Return the status of the data that a connection reads."""
    last_run, days = data_quality.freshness(connection), options.date_range(connection)
    values = {name: options.options(connection, name) for name in DIMENSIONS}
    only = values["currency"][0] if len(values["currency"]) == 1 else NONE
    known = mapped(connection)
    return DataStatus(
        data_as_of=last_run.get("data_as_of"),
        data_as_of_declared=bool(last_run.get("data_as_of_declared")),
        first_day=days["first_day"],
        last_day=days["last_day"],
        orders=int(days["orders"] or 0),
        feeds=frozenset(data_quality.mapped_feeds(connection)),
        stand_ins=tuple(data_quality.stand_ins(connection)),
        options=values,
        currency=reporting_currency(connection, known) if "fx_rates.rate" in known else None if only == NONE else only,
    )
