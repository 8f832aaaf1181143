"""Which table is which feed: by its columns, by the uniqueness of its key, and by its name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ingest.inference import names
from ingest.inference.assignment import ACCEPTED, NOTHING, Answers, Question
from ingest.inference.evidence import Profile, matched, pairs_matched, unique_share
from ingest.inference.matching import LINE_NUMBERS, Candidate, Candidates, candidates
from ingest.inference.tables import Found
from ingest.mapping.mapping_file import required
from ingest.storage.scratch_database import Connection
from metrics.schema import FEEDS

UNIQUE = 0.95
"""Share of records that must have their own key."""
LEAST_FIT = 0.8
CLOSE = 0.15
PARENTS = {
    "order_id": "orders",
    "shipment_id": "shipments",
    "invoice_id": "invoices",
}
"""Columns that name a record of another feed."""
Key = tuple[str, str, str]
"""A table, the column of its identifier, and that of its line number, or an empty text."""
CORE = ("orders", "order_lines", "shipments", "shipment_lines", "invoices", "invoice_lines")
SHARED = (*PARENTS, "customer_id", "product_id")
"""Identifiers that many feeds have."""
MATCHED, COVERED = 0.9, 0.2
"""Shares of matched values by which a column is recognised as the name of a record of another feed."""


@dataclass(frozen=True)
class Reading:
    """A table read as a feed."""

    table: Found
    feed: str
    options: Candidates
    refused: Mapping[str, str]
    fit: float


def read_as(connection: Connection, table: Found, feed: str) -> Reading | None:
    """Return a table read as a feed, or None if needed columns are missing or its key is not unique."""
    if feed in CORE and is_purchasing(table):
        return None
    options, refused = candidates(table, feed, alone=True)
    needed = [column for column in required(feed) if column not in LINE_NUMBERS or column == "line_no"]
    found = {column: options[column][0] for column in needed if options.get(column)}
    lacking = [column for column in needed if column not in found]
    parents = [column for column in lacking if column in PARENTS and PARENTS[column] != feed]
    if len(lacking) > len(parents) or (lacking and not found):
        return None
    if len({one.column for one in found.values()}) < len(found) and len(found) > 1:
        found = _apart(options, needed) or {}
        if not found:
            return None
    key = [column for column in FEEDS[feed].key if column in found or options.get(column)]
    columns = list(dict.fromkeys((found.get(column) or options[column][0]).column for column in key))
    if not parents and key and unique_share(connection, table.relation, columns) < UNIQUE:
        return None
    mean = sum(one.score for one in found.values()) / max(len(needed), 1)
    sure = sum(1 for column, listed in options.items() if listed[0].score >= ACCEPTED and column not in needed)
    named = names.table_score(table.name, feed)
    fit = mean + 0.6 * named + 0.1 * len(found) + min(0.05 * sure, 0.3)
    if not named and (mean < ACCEPTED or not _has_own_key(table, feed, sure)):
        return None
    return Reading(table, feed, options, refused, fit)


def is_purchasing(table: Found) -> bool:
    """Return True for records of what we buy: the table is named so, or it has suppliers and no customers.

    A column `buyer` does not count, because it can be our own purchaser.
    """
    if "purchase" in names.words_of(table.name):
        return True
    words = [names.words_of(column) for column in table.columns if "buyer" not in names.tokens(column)]
    return any("supplier" in word for word in words) and not any("customer" in word for word in words)


def _has_own_key(table: Found, feed: str, sure: int) -> bool:
    """Return True if a column is named like the identifier of this feed, and of no other: `return number`."""
    own = [column for column in FEEDS[feed].key if column.endswith("_id") and (feed in CORE or column not in SHARED)]
    scores = [names.column_scores(name, feed, alone=False) for name in table.columns]
    return any(score.get(column, 0.0) >= ACCEPTED for score in scores for column in own) or (
        feed in ("customers", "products") and sure > 1
    )


def why_unused(table: Found) -> str:
    """Return why a table is no feed: what the feed that it is named like lacks."""
    if is_purchasing(table):
        return "its records are purchases, not sales"
    feed = max(names.vocabulary().feeds, key=lambda one: names.table_score(table.name, one))
    if not names.table_score(table.name, feed):
        return "its columns are not those of a feed"
    options, refused = candidates(table, feed, alone=True)
    lacking = [column for column in required(feed) if column not in options]
    reasons = [*refused.values()]
    if lacking:
        return "; ".join([f"named like {feed}, but it has no {', '.join(lacking)}", *reasons[:3]])
    return f"named like {feed}, but its key is not unique, or another table fits better"


def _apart(options: Candidates, needed: Sequence[str]) -> dict[str, Candidate] | None:
    """Return the best candidates of the needed columns so that no source column is used twice."""
    result: dict[str, Candidate] = {}
    for column in sorted(needed, key=lambda one: len(options.get(one, ()))):
        taken = {one.column for one in result.values()}
        free = [one for one in options.get(column, ()) if one.column not in taken]
        if not free:
            return None
        result[column] = free[0]
    return result


def choose_tables(
    connection: Connection, tables: Sequence[Found], answers: Answers
) -> tuple[dict[str, Reading], list[Question]]:
    """Return the table of each feed, each table once, the best fit first. Two close tables are a question."""
    readings = [
        reading
        for table in tables
        for feed in names.vocabulary().feeds
        if (reading := read_as(connection, table, feed))
    ]
    readings = [reading for reading in readings if reading.fit >= LEAST_FIT]
    result: dict[str, Reading] = {}
    questions: list[Question] = []
    taken: set[str] = set()
    for reading in sorted(readings, key=lambda one: -one.fit):
        if reading.feed in result or reading.table.relation in taken:
            continue
        best_elsewhere = {
            one.table.relation: max(other.fit for other in readings if other.table is one.table) for one in readings
        }
        rivals = [
            one
            for one in readings
            if one.feed == reading.feed
            and one is not reading
            and one.table.relation not in taken
            and one.fit > reading.fit - CLOSE
            and best_elsewhere[one.table.relation] <= one.fit
        ]
        if not rivals:
            result[reading.feed] = reading
            taken.add(reading.table.relation)
            continue
        close = [reading, *rivals]
        listed = ", ".join(f"{one.table.name} ({one.table.rows:,} records)" for one in close)
        question = Question(
            f"{reading.feed}: table",
            f"which table is {reading.feed}: {listed}?",
            (*(one.table.name for one in close), NOTHING),
            reading.table.name,
        )
        if question.key not in answers:
            if question.key not in {one.key for one in questions}:
                questions.append(question)
            continue
        picked = next((one for one in close if one.table.name == answers[question.key]), None)
        if picked is not None:
            result[picked.feed] = picked
            taken.add(picked.table.relation)
    return result, questions


def with_parents(connection: Connection, reading: Reading, keys: Mapping[str, Key]) -> Reading:
    """Recognise the names of records of other feeds by their values. keys: identifiers of the feeds found so far."""
    options = dict(reading.options)
    foreign: set[str] = set()
    for column, parent in PARENTS.items():
        if column not in FEEDS[reading.feed].table.c or parent == reading.feed or parent not in keys:
            continue
        if options.get(column) and options[column][0].score >= ACCEPTED:
            continue
        found = []
        for name, profile in reading.table.columns.items():
            if profile.distinct < 3 or profile.is_moment:
                continue
            share, covered = matched(connection, (reading.table.relation, name), keys[parent][:2])
            if share >= MATCHED and covered >= COVERED:
                evidence = f"{share:.1%} of its values are {parent}, {covered:.1%} of these occur"
                found.append(Candidate(name, 0.8, {}, evidence))
        if found:
            options[column] = found
            foreign.update(one.column for one in found)
    for column in FEEDS[reading.feed].key:
        if column not in PARENTS and len(options.get(column, ())) > 1:
            options[column] = [option for option in options[column] if option.column not in foreign] or options[column]
    return replace(reading, options=_with_lines(connection, reading, options, keys))


def _with_lines(connection: Connection, reading: Reading, options: Candidates, keys: Mapping[str, Key]) -> Candidates:
    """Tell the line of the order from the line of the document: its pairs with the order are order lines."""
    feed, table = reading.feed, reading.table
    own = next((column for column in LINE_NUMBERS[1:] if column in FEEDS[feed].table.c), None)
    orders = options.get("order_id")
    if own is None or "order_lines" not in keys or not orders:
        return options
    shares = {
        name: pairs_matched(connection, (table.relation, orders[0].column, name), keys["order_lines"])
        for name, profile in table.columns.items()
        if name != orders[0].column and profile.distinct > 1 and _may_be_line(name, profile, options)
    }
    best = max(shares.values(), default=0.0)
    named = {one.column: one.score for one in options.get("line_no", ())}
    if best < MATCHED:
        return options
    lines = [
        Candidate(
            name, 0.5 + 0.25 * share + 0.25 * named.get(name, 0.0), {}, f"{share:.1%} of its pairs are order_lines"
        )
        for name, share in shares.items()
        if share > best - 0.03
    ]
    lines.sort(key=lambda one: (-one.score, "order" not in names.words_of(one.column)))
    rest = [one for one in options.get(own, ()) if one.column != lines[0].column]
    return {**options, "line_no": lines[:1] if len(lines) == 1 or _is_told(lines) else lines, own: rest}


def _is_told(lines: Sequence[Candidate]) -> bool:
    """Return True if the first column has the better score, or is the only one that is named after the order."""
    first, second = ("order" in names.words_of(one.column) for one in lines[:2])
    return lines[0].score > lines[1].score or (first and not second)


def _may_be_line(name: str, profile: Profile, options: Candidates) -> bool:
    return profile.is_line_number or any(
        one.column == name for column in LINE_NUMBERS for one in options.get(column, ())
    )
