"""Options several commands share, and what is written in them."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer


class Grain(StrEnum):
    """Periods a number can be broken down by."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"


class Format(StrEnum):
    """What an export is written as."""

    CSV = "csv"
    XLSX = "xlsx"
    PARQUET = "parquet"
    JSON = "json"


From = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day, inclusive.")]

To = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, inclusive.")]

Where = Annotated[
    list[str] | None, typer.Option("--where", help="dimension=value; the same dimension twice means either.")
]

AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON, in full precision.")]


def words_of(text: str) -> tuple[str, ...]:
    """The words of a list with commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def day_of(moment: datetime | None) -> date | None:
    """The day of a date that was given."""
    return moment.date() if moment else None


def filters_of(words: list[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What `--where` says, as a question has it."""
    found: dict[str, list[str]] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign:
            raise typer.BadParameter(f"{word!r}: write dimension=value, for example region=North", param_hint="--where")
        found.setdefault(name.strip(), []).append(value)
    return tuple((name, tuple(values)) for name, values in found.items())


def period_of(words: str) -> tuple[date, date]:
    """FIRST..LAST as two days."""
    first, sign, last = words.partition("..")
    try:
        if not sign:
            raise ValueError
        return date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        raise typer.BadParameter(f"{words!r}: write FIRST..LAST, for example 2026-01-01..2026-03-31") from None


def policy_of(changes: list[str]) -> Any:
    """The strict policy with some keys changed. Raises ValueError for a key or value that is none."""
    from dataclasses import fields, replace

    from metrics.policy import STRICT

    known = {field.name: getattr(STRICT, field.name) for field in fields(STRICT)}
    chosen: dict[str, Any] = {}
    for change in changes:
        key, sign, text = change.partition("=")
        if not sign or key not in known:
            raise ValueError(f"{change!r}: write key=value with one of {', '.join(known)}")
        strict = known[key]
        try:
            if isinstance(strict, bool):
                chosen[key] = {"true": True, "false": False}[text.lower()]
            elif isinstance(strict, StrEnum):
                chosen[key] = text  # Policy itself says which words it knows
            elif isinstance(strict, tuple):
                chosen[key] = tuple(text.split("+"))
            else:
                chosen[key] = type(strict)(text)
        except (KeyError, ValueError, ArithmeticError):
            like = "true or false" if isinstance(strict, bool) else f"a value like {strict}"
            raise ValueError(f"{change!r}: write {key}= and {like}") from None
    return replace(STRICT, **chosen)
