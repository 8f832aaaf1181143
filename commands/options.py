"""Options that several commands share, and functions that parse their values."""

from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from metrics.access import Access, Scope
    from metrics.policy import Policy


Filters = tuple[tuple[str, tuple[str, ...]], ...]
"""Filters as a Question takes them."""


class Grain(StrEnum):
    """Periods for a breakdown over time."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"


class DateOf(StrEnum):
    """Days that date the rows of a question."""

    DUE = "due"
    ORDERED = "ordered"
    ARRIVED = "arrived"
    SHIPPED = "shipped"


class Format(StrEnum):
    """File formats of an export."""

    CSV = "csv"
    XLSX = "xlsx"
    PARQUET = "parquet"
    JSON = "json"


From = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day, inclusive.")]

To = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, inclusive.")]

Where = Annotated[
    list[str] | None,
    typer.Option("--where", help="Filter dimension=value; repeat a dimension for any of several values."),
]

As = Annotated[
    str, typer.Option("--as", help="Person whose rows are read, by `buyerview access grant`. Default: every row.")
]

DateBy = Annotated[
    DateOf | None,
    typer.Option(
        "--date",
        help="Day that dates the rows: due, ordered, arrived or shipped. Default: each measure's own date. "
        "A measure without that day has no value.",
    ),
]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON in full precision.")]


def words_of(text: str) -> tuple[str, ...]:
    """Split a comma-separated list."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def day_of(moment: datetime | None) -> date | None:
    """Return the date of a moment, or None."""
    return moment.date() if moment else None


def filters_of(words: list[str]) -> Filters:
    """Return the filters of `--where` as a Question takes them. Raises BadParameter if a filter has no equals sign."""
    values_of: dict[str, list[str]] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign:
            raise typer.BadParameter(f"{word!r}: write dimension=value, for example region=North", param_hint="--where")
        values_of.setdefault(name.strip(), []).append(value)
    return tuple((name, tuple(values)) for name, values in values_of.items())


def period_of(text: str) -> tuple[date, date]:
    """Parse FIRST..LAST into two dates. Raises BadParameter if the text is not a period."""
    first, sign, last = text.partition("..")
    try:
        if not sign:
            raise ValueError
        return date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        raise typer.BadParameter(f"{text!r}: write FIRST..LAST, for example 2026-01-01..2026-03-31") from None


def policy_of(changes: list[str]) -> "Policy":
    """Return the strict policy with some keys changed. Raises ValueError for an unknown key or value."""
    from dataclasses import fields

    from metrics.policy import STRICT, Policy

    known = {field.name: getattr(STRICT, field.name) for field in fields(STRICT)}
    chosen = dict(known)
    for change in changes:
        key, sign, text = change.partition("=")
        if not sign or key not in known:
            raise ValueError(f"{change!r}: write key=value with one of {', '.join(known)}")
        strict = known[key]
        try:
            if isinstance(strict, bool):
                chosen[key] = {"true": True, "false": False}[text.lower()]
            elif isinstance(strict, StrEnum):
                chosen[key] = text  # Policy checks the word
            elif isinstance(strict, tuple):
                chosen[key] = tuple(text.split("+"))
            else:
                chosen[key] = type(strict)(text)
        except (KeyError, ValueError, ArithmeticError):
            like = "true or false" if isinstance(strict, bool) else f"a value like {strict}"
            raise ValueError(f"{change!r}: write {key}= and {like}") from None
    return Policy(**chosen)


def access_of_person(person: str) -> "Access | None":
    """Return the access of the person of `--as`, as a viewer; None without a person. Raises UnknownName."""
    from metrics.access import Access, Role

    return Access(person, Role.VIEWER, scope_of_person(person)) if person else None


def scope_of_person(person: str) -> "Scope":
    """Return the scope of the person of `--as`; every row without a person. Raises UnknownName without access."""
    from metrics.access import EVERYTHING
    from metrics.errors import UnknownName
    from metrics.store import access
    from metrics.store.connection import open_store
    from metrics.warehouse import locate

    if not person:
        return EVERYTHING
    with open_store(locate(), write=False) as store:
        found = access.access_of(store, person)
        if found is None:
            raise UnknownName("person with access", person, [known.person for known in access.grants(store)])
    return found.scope


def scope_of_recipient(address: str) -> "Scope":
    """Return the scope of a recipient; every row if nobody was given access. Raises BadParameter without access."""
    from metrics.access import EVERYTHING
    from metrics.store import access
    from metrics.store.connection import open_store
    from metrics.warehouse import locate

    with open_store(locate(), write=False) as store:
        scopes = {known.person: known.scope for known in access.grants(store)}
    scope = scopes.get(address.strip().casefold()) if scopes and address else EVERYTHING
    if scope is None:
        raise typer.BadParameter(f"{address} has no access. Name the person whose rows to send", param_hint="--as")
    return scope
