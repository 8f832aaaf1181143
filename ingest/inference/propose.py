"""Propose a mapping for tables: choose the table of each feed, then its columns. Ask where the data do not decide."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from ingest.inference.agreement import settled
from ingest.inference.assignment import Answers, Assignment, Question, assign
from ingest.inference.evidence import Profile, matched, unique_share
from ingest.inference.feeds import CORE, PARENTS, Key, Reading, choose_tables, why_unused, with_parents
from ingest.inference.flat import find_base, split, wanted_feeds
from ingest.inference.flat_sql import STAGED
from ingest.inference.matching import Candidate
from ingest.inference.missing import why_missing
from ingest.inference.proposal import Proposal, ProposedColumn, ProposedFeed
from ingest.inference.stand_ins import shipments_of_orders, with_promise, with_receipt
from ingest.inference.tables import Found, Search
from ingest.inference.units import unit_problem
from ingest.mapping.mapping_file import mappable, required
from ingest.storage.scratch_database import Connection
from metrics.schema import FEEDS

WAITING = "its questions are open"
FEW = 0.5
"""Share of matched values below which a name of another record is a question."""


@dataclass
class Work:
    """A proposal while it is made."""

    connection: Connection
    answers: Answers
    questions: list[Question] = field(default_factory=list)
    feeds: dict[str, ProposedFeed] = field(default_factory=dict)
    has_factors: bool = False
    keys: dict[str, Key] = field(default_factory=dict)
    """Identifiers of orders, order lines, shipments and invoices."""

    def ask(self, question: Question | None) -> None:
        """Note a question, once."""
        if question is not None and question.key not in {one.key for one in self.questions}:
            self.questions.append(question)


def propose(connection: Connection, search: Search, answers: Answers, *, source: str, time_zone: str = "") -> Proposal:
    """Return the mapping that the tables and the answers give, with the questions that are still open."""
    tables = settled(search.tables)
    work = Work(connection, answers)
    readings, questions = choose_tables(connection, tables, answers)
    work.questions += questions
    work.has_factors = "unit_factors" in readings
    base = find_base(tables, readings)
    staged: dict[str, dict[str, object]] = {}
    reasons: dict[str, str] = {}
    if base is not None:
        wanted = list(wanted_feeds(readings, base))
        feeds, extract = split(connection, base, wanted, answers, has_factors="unit_factors" in readings)
        work.questions += extract.questions
        reasons = why_missing(extract, feeds)
        if len(feeds) > 1 or (feeds and "order_lines" not in readings):
            work.feeds |= feeds
            staged = {STAGED: {**base.origin, **base.layout}}
        if staged or ("orders" in wanted and extract.questions):
            readings = {feed: one for feed, one in readings.items() if one.table is not base}
    order = [*CORE, *(feed for feed in readings if feed not in CORE)]
    for feed in order:
        if feed in readings:
            _add_feed(work, with_parents(connection, readings[feed], work.keys))
    if "orders" in work.feeds and "shipments" not in work.feeds and "orders" in readings:
        feeds, questions = shipments_of_orders(readings["orders"], work.feeds, answers)
        work.feeds |= feeds
        work.questions += questions
    if "shipments" in work.feeds:
        work.feeds["shipments"], questions = with_receipt(work.feeds["shipments"], answers)
        work.questions += questions
        work.ask(with_promise(work.feeds, answers))
    used = {base.relation} if base is not None and staged else set()
    used |= {reading.table.relation for feed, reading in readings.items() if feed in work.feeds}
    zone, evidence = _zone(work, tables, time_zone)
    read = {reading.table.relation for reading in readings.values()} | {base.relation if base is not None else ""}
    unused = {
        table.name: WAITING if work.questions and table.relation in read else why_unused(table)
        for table in tables
        if table.relation not in used
    }
    unused |= {f"{base.name}, as {feed}": reason for feed, reason in reasons.items() if base and feed not in work.feeds}
    unused |= search.unusable
    return Proposal(source, zone, evidence, staged, in_order(work.feeds), tuple(work.questions), unused)


def in_order(feeds: dict[str, ProposedFeed]) -> dict[str, ProposedFeed]:
    """Return the feeds with the core feeds first, parents before children."""
    return {feed: feeds[feed] for feed in (*CORE, *feeds) if feed in feeds}


def _add_feed(work: Work, reading: Reading) -> None:
    feed, table = reading.feed, reading.table
    needed = required(feed)
    samples = {name: _sample(profile) for name, profile in table.columns.items()}
    result = assign(feed, table.name, reading.options, work.answers, needed=needed, samples=samples)
    work.questions += result.questions
    if any(column not in result.chosen for column in needed):
        return
    units = _unit_problem(work, reading, result)
    columns = {
        target: _column(work, reading, target, result)
        for target in mappable(FEEDS[feed])
        if target in result.chosen and not (target == "unit" and units)
    }
    unmapped = {
        name: reading.refused.get(name) or units.get(name) or _why_unmapped(profile)
        for name, profile in table.columns.items()
        if name not in {one.source for one in columns.values()}
    }
    evidence = (f"{table.rows:,} records; {_key_evidence(work, feed, table, result)}", *table.notes)
    key = [columns[one].source for one in FEEDS[feed].key if one in columns]
    origin = table.read([column.source for column in columns.values()], key)
    work.feeds[feed] = ProposedFeed(table.name, origin, columns, evidence, unmapped)
    for column, parent in PARENTS.items():
        if parent == feed:
            work.keys[feed] = (table.relation, result.chosen[column].column, "")
    if feed == "order_lines":
        chosen = result.chosen
        work.keys[feed] = (table.relation, chosen["order_id"].column, chosen["line_no"].column)


def _unit_problem(work: Work, reading: Reading, result: Assignment) -> dict[str, str]:
    """Return the unit column that is left out, with the reason."""
    unit, product = result.chosen.get("unit"), result.chosen.get("product_id")
    if unit is None or reading.feed == "unit_factors" or work.has_factors:
        return {}
    name = product.column if product else None
    reason, question = unit_problem(work.connection, reading.table, unit.column, name, work.answers)
    work.ask(question)
    return {unit.column: reason} if reason else {}


def _column(work: Work, reading: Reading, target: str, result: Assignment) -> ProposedColumn:
    candidate: Candidate = result.chosen[target]
    evidence = candidate.evidence
    parent = PARENTS.get(target)
    if parent in work.keys and parent != reading.feed:
        share, _ = matched(work.connection, (reading.table.relation, candidate.column), work.keys[parent][:2])
        evidence = f"{evidence}; {share:.1%} of its values are {parent}"
    return ProposedColumn(candidate.column, candidate.settings, evidence, tuple(result.alternatives.get(target, ())))


def _key_evidence(work: Work, feed: str, table: Found, result: Assignment) -> str:
    key = [column for column in FEEDS[feed].key if column in result.chosen]
    share = unique_share(work.connection, table.relation, [result.chosen[one].column for one in key])
    return f"{share:.1%} have their own {', '.join(key)}"


def _zone(work: Work, tables: Sequence[Found], given: str) -> tuple[str, str]:
    if given:
        return given, "as you named it"
    local = [
        f"{table.name}.{name}"
        for table in tables
        for name, profile in table.columns.items()
        if profile.is_moment and profile.with_time and profile.with_zone < profile.with_time
    ]
    reason = "days end there, and times without a zone are read there"
    if local:
        reason = f"{len(local)} column(s) have times without a zone, such as {local[0]}"
    key = "source.time_zone"
    if key not in work.answers:
        best = os.environ.get("BUYERVIEW_TIME_ZONE") or "UTC"
        text = f"in which time zone are the records? An IANA name such as Europe/Berlin is an answer ({reason})."
        work.ask(Question(key, text, tuple(dict.fromkeys((best, "UTC"))), best, zone=True))
    evidence = "as answered" if key in work.answers else "an assumption: see the questions above"
    return work.answers.get(key, "UTC"), evidence


def _sample(profile: Profile) -> str:
    return "; ".join(value[:24] for value, _ in profile.values[:3])


def _why_unmapped(profile: Profile) -> str:
    return "empty in all records" if not profile.filled else "no evidence of its meaning"
