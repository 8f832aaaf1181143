"""The provenance of an export: question, definitions and data, and the hash of its rows.

The hash covers the rows as a set. The order of rows and columns and the file format do not matter; every value does. It
detects a changed cell. `verify.py` detects a changed hash by asking the generation again.

Source: P9 (traceable numbers), P11 (fingerprint).
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from sqlalchemy import Connection, Table, func, select

from metrics.access import Scope
from metrics.lists.data_quality import freshness
from metrics.measures.catalog import find
from metrics.model.measure import Derived, Measure
from metrics.model.question import Question
from metrics.policy import STRICT
from metrics.provenance.fingerprint import RULE_BOOK, canonical_text, fingerprint
from metrics.queries.answer_table import SCHEMA, stand_ins
from metrics.queries.scope import scope_of
from metrics.schema import FEEDS, Row, checks, quarantine

NUMBERS = (
    "value",
    "numerator",
    "denominator",
    "coverage",
    "worst",
    "best",
    "low",
    "high",
    "judged",
    "unknown",
    "pending",
    "excluded",
)
"""Columns of an export that are numbers. The others are text (a day as YYYY-MM-DD)."""
FORMULA = "^[\\s\u00a0\u200b\ufeff]*[=+\\-@\uff1d\uff0b\uff0d\uff20]|^[\\t\\r\\n]"
"""Regular expression, for Python and Arrow, of a text that a spreadsheet would run as a formula."""


def provenance(connection: Connection, question: Question) -> Row:
    """Return the provenance without the hash, as plain data in reading order."""
    measures = {name: find(name) for name in question.measures}
    feeds = sorted({feed for measure in measures.values() for feed in _feeds(measure)})
    scope = scope_of(connection)
    as_of, number = freshness(connection).get("data_as_of"), int(connection.info["generation"])
    return {
        **_generation(connection),
        "schema": SCHEMA,
        "measures": list(question.measures),
        "by": list(question.by),
        "grain": question.grain,
        "from": question.start.isoformat() if question.start else None,
        "to": question.end.isoformat() if question.end else None,
        "date": question.date,
        "where": {name: list(values) for name, values in question.where},
        **_scope(connection),
        "policy": json.loads(canonical_text(asdict(STRICT))),
        "definitions": {
            name: {
                **_definition(measure),
                **({"alias_of": measure.name} if name != measure.name else {}),
                "fingerprint": fingerprint(
                    measure, question, policy=STRICT, as_of=as_of, generation=number, scope=scope
                )
                if as_of
                else None,
            }
            for name, measure in measures.items()
        },
        "checks_failed": _failed_checks(connection, feeds),
        "in_quarantine": _held(connection, feeds),
        "stand_ins": list(stand_ins(connection)),
    }


def fact_table_provenance(connection: Connection, table: Table) -> Row:
    """Return the provenance of a whole fact table: its grain and the meaning of its columns."""
    return {
        **_generation(connection),
        **_scope(connection),
        "table": table.name,
        "grain": table.comment,
        "columns": {column.name: column.comment or str(column.type) for column in table.columns},
        "policy": json.loads(canonical_text(asdict(STRICT))),
        "checks_failed": _failed_checks(connection, list(FEEDS)),
        "in_quarantine": _held(connection, list(FEEDS)),
        "stand_ins": list(stand_ins(connection)),
    }


def _generation(connection: Connection) -> Row:
    """The program version, the generation and the run."""
    run = freshness(connection)
    as_of = run.get("data_as_of")
    return {
        "buyerview": software_versions(),
        "rule_book": RULE_BOOK,
        "generation": int(connection.info["generation"]),
        "data_as_of": as_of.isoformat() if as_of else None,
        "run": {
            name: json.loads(canonical_text(run.get(name)))
            for name in ("run_id", "source", "started_at", "finished_at")
        },
    }


def _scope(connection: Connection) -> Row:
    """Return the row scope of the person that the file was made for; nothing for a person who sees every row."""
    scope = scope_of(connection)
    return {"scope": {name: list(values) for name, values in scope}} if scope else {}


def recorded_scope(recorded: Row) -> Scope:
    """Return the row scope of an export from its provenance."""
    return tuple((name, tuple(values)) for name, values in recorded.get("scope", {}).items())


def recorded_question(recorded: Row) -> Question:
    """Return the question of an export from its provenance. Raises KeyError or ValueError if there is none."""
    return Question(
        measures=tuple(recorded["measures"]),
        by=tuple(recorded["by"]),
        grain=recorded["grain"],
        start=date.fromisoformat(recorded["from"]) if recorded["from"] else None,
        end=date.fromisoformat(recorded["to"]) if recorded["to"] else None,
        where=tuple((name, tuple(values)) for name, values in recorded["where"].items()),
        date=recorded.get("date"),
    )


def software_versions() -> str:
    """Return the version of Buyerview."""
    try:
        return version("buyerview")
    except PackageNotFoundError:
        return "not installed: from source"


def rows_hash(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return the SHA-256 of the rows in any order: the hash of each row's hash, sorted."""
    names = [json.dumps(name, ensure_ascii=False) for name in columns]
    order = sorted(range(len(names)), key=names.__getitem__)
    recorded = [(at, names[at], columns[at] in NUMBERS) for at in order]
    each = sorted(hashlib.sha256(",".join(_pairs(recorded, row)).encode()).digest() for row in rows)
    whole = hashlib.sha256()
    for one in each:
        whole.update(one)
    return whole.hexdigest()


def _pairs(recorded: Iterable[tuple[int, str, bool]], row: Sequence[Any]) -> Iterable[str]:
    for at, name, is_number in recorded:
        value = same_value(row[at], is_number=is_number)
        if value is not None:
            yield f"{name}:{json.dumps(value, ensure_ascii=False)}"


def same_value(value: Any, *, is_number: bool) -> str | None:  # Any: a cell of a row
    """Return a value as every file format returns it: 16 digits, text without the quote before a formula."""
    if value is None or value == "":
        return None
    if is_number:
        with suppress(ValueError):  # no longer a number: compare it as text
            return f"{float(value):.16G}"
    text = str(value).replace("\r\n", "\n").replace("\r", "\n")
    return text[1:] if text[:1] == "'" and formula(text[1:]) else text


def formula(text: str) -> bool:
    """Return true if a spreadsheet would run a text as a formula."""
    return re.match(FORMULA, text) is not None


def _definition(measure: Measure) -> Row:
    texts = ("title", "unit", "definition", "numerator", "denominator", "exclusions", "date", "source")
    return {**{name: str(getattr(measure, name)) for name in texts}, "version": measure.version}


def _feeds(measure: Measure) -> set[str]:
    """The feeds that a measure depends on, including those of its input measures."""
    inner = [find(name) for name in measure.formula.inputs] if isinstance(measure.formula, Derived) else []
    return {*measure.feeds, *(feed for one in inner for feed in _feeds(one))}


def _failed_checks(connection: Connection, feeds: Sequence[str]) -> list[Row]:
    """Checks with broken rows in the last run that checked each feed."""
    c = checks.c
    last = (
        select(c.feed, func.max(c.run_id).label("run_id"))
        .where(c.feed.in_(feeds))
        .group_by(c.feed)
        .subquery("last_checked")
    )
    found = (
        select(c.run_id, c.feed, c.expectation, c.column_name, c.rows_checked, c.rows_failed)
        .join(last, (last.c.feed == c.feed) & (last.c.run_id == c.run_id))
        .where(c.rows_failed > 0)
        .order_by(c.feed, c.expectation, c.column_name)
    )
    return [dict(row) for row in connection.execute(found).mappings()]


def _held(connection: Connection, feeds: Sequence[str]) -> dict[str, int]:
    """Number of records of each feed that are kept out of the numbers."""
    q = quarantine.c
    counted = (
        select(q.feed, func.count())
        .where(q.feed.in_(feeds), q.status.in_(("rejected", "waiting")))
        .group_by(q.feed)
        .order_by(q.feed)
    )
    return {feed: int(count) for feed, count in connection.execute(counted)}
