"""Alert rules, their readings and the outbox, in the store."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, time, timedelta

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from metrics.alerts.rules import CLEAR, Reading, Rule, State
from metrics.errors import ChangedMeanwhile
from metrics.schema import Row
from metrics.store import audit
from metrics.store.tables import alert_readings, alert_rules, outbox

r, o = alert_rules.c, outbox.c
OWN = ("name", "owner", "measure", "rule_id", "version")
"""Fields of a rule that are columns. The other fields are in its JSON."""
PAUSES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=12))
"""Pauses before the second, third ... attempt to send a message. After the last attempt the page shows the failure."""


def rules(connection: Connection) -> list[Rule]:
    """Return all rules, in the order of creation."""
    return [_rule(row) for row in connection.execute(select(alert_rules).order_by(r.rule_id)).mappings()]


def states(connection: Connection) -> dict[int, tuple[State, int | None]]:
    """Return the state of each rule and the last generation it was checked against."""
    rows = connection.execute(select(r.rule_id, r.status, r.streak, r.generation))
    return {row.rule_id: (State(row.status, row.streak), row.generation) for row in rows}


def save(connection: Connection, who: str, rule: Rule, *, at: datetime) -> int:
    """Save a new or changed rule and return its number. A changed rule starts as clear.

    Raises ChangedMeanwhile if another user changed it since it was read.
    """
    values = {
        "name": rule.name,
        "owner": rule.owner or who,
        "measure": rule.measure,
        "rule": _json(rule),
        "status": CLEAR,
        "streak": 0,
        "changed_at": at,
    }
    if not rule.rule_id:
        number = int(connection.scalar(select(func.coalesce(func.max(r.rule_id), 0))) or 0) + 1
        connection.execute(insert(alert_rules).values(rule_id=number, version=1, **values))
        audit.record(connection, who, "alert rule written", f"alert rule {number}", None, _audit_values(rule))
        return number
    before = next((existing for existing in rules(connection) if existing.rule_id == rule.rule_id), None)
    changed = update(alert_rules).where(r.rule_id == rule.rule_id, r.version == rule.version)
    if (
        before is None
        or not connection.execute(changed.values(version=rule.version + 1, generation=None, **values)).rowcount
    ):
        raise ChangedMeanwhile(f"alert rule {rule.name}", "Another user", at)
    audit.record(
        connection, who, "alert rule changed", f"alert rule {rule.rule_id}", _audit_values(before), _audit_values(rule)
    )
    return rule.rule_id


def remove(connection: Connection, who: str, rule: Rule) -> None:
    """Delete a rule with its readings. Messages in the outbox are still sent."""
    connection.execute(delete(alert_rules).where(r.rule_id == rule.rule_id))
    connection.execute(delete(alert_readings).where(alert_readings.c.rule_id == rule.rule_id))
    audit.record(connection, who, "alert rule deleted", f"alert rule {rule.rule_id}", _audit_values(rule), None)


def add_reading(
    connection: Connection,
    rule: Rule,
    generation: int,
    reading: Reading,
    state: State,
    decided: str,
    event: str | None,
    *,
    at: datetime,
) -> bool:
    """Record a reading and the new state of a rule. Return false, and write nothing, if the generation was already
    checked.
    """
    a = alert_readings.c
    checked = (
        select(func.count()).select_from(alert_readings).where(a.rule_id == rule.rule_id, a.generation == generation)
    )
    if connection.scalar(checked):
        return False
    number = None if reading.value is None else str(reading.value)
    row = {
        "rule_id": rule.rule_id,
        "generation": generation,
        "at": at,
        "starts_on": reading.start,
        "ends_on": reading.end,
    }
    connection.execute(insert(alert_readings).values(**row, number=number, decided=decided, event=event))
    connection.execute(
        update(alert_rules)
        .where(r.rule_id == rule.rule_id)
        .values(status=state.status, streak=state.streak, generation=generation)
    )
    return True


def reading_log(connection: Connection, *, size: int = 50) -> list[Row]:
    """Return the readings that fired or cleared a rule, newest first, with the rule's `name` and `measure`."""
    a = alert_readings.c
    entries = (
        select(*alert_readings.c, r.name, r.measure)
        .select_from(alert_readings.join(alert_rules, r.rule_id == a.rule_id))
        .where(a.event.is_not(None))
        .order_by(a.generation.desc(), a.rule_id)
        .limit(size)
    )
    return [dict(row) for row in connection.execute(entries).mappings()]


def last_readings(connection: Connection) -> dict[int, Row]:
    """Return the last reading of each rule."""
    a = alert_readings.c
    latest = select(a.rule_id, func.max(a.generation).label("generation")).group_by(a.rule_id).subquery()
    joined = alert_readings.join(latest, (latest.c.rule_id == a.rule_id) & (latest.c.generation == a.generation))
    return {
        row["rule_id"]: dict(row)
        for row in connection.execute(select(*alert_readings.c).select_from(joined)).mappings()
    }


# --- messages ---------------------------------------------------------------------------------------------------------


def write_message(
    connection: Connection, message_id: str, channel: str, subject: str, body: Row, *, due_at: datetime
) -> None:
    """Put a message into the outbox. A message that is already there stays unchanged."""
    if connection.scalar(select(func.count()).select_from(outbox).where(o.message_id == message_id)):
        return
    content = json.dumps(body, ensure_ascii=False, default=str)
    connection.execute(
        insert(outbox).values(
            message_id=message_id, channel=channel, subject=subject, body=content, due_at=due_at, attempts=0
        )
    )


def withdraw_messages(connection: Connection, rule_id: int, channel: str, event: str, *, at: datetime) -> Row | None:
    """Remove a rule's unsent message from the outbox and return its content; None if there is none.

    Unsent messages wait for the end of a mute or of quiet hours, or for the next attempt.
    """
    mine = o.message_id.startswith(f"rule {rule_id} generation ", autoescape=True) & o.message_id.endswith(
        f" {event} {channel}", autoescape=True
    )
    waiting = connection.execute(select(o.message_id, o.body).where(mine, o.sent_at.is_(None), o.due_at > at)).first()
    if waiting is None:
        return None
    connection.execute(delete(outbox).where(o.message_id == waiting.message_id))
    body: Row = json.loads(waiting.body)
    return body


def due_messages(connection: Connection, at: datetime) -> list[Row]:
    """Return the messages to send now, oldest first, `body` as an object."""
    wanted = (
        select(outbox)
        .where(o.sent_at.is_(None), o.due_at <= at, o.attempts <= len(PAUSES))
        .order_by(o.due_at, o.message_id)
    )
    return [{**row, "body": json.loads(row["body"])} for row in connection.execute(wanted).mappings()]


def mark_sent(connection: Connection, message_id: str, *, at: datetime) -> None:
    """Record that a message was sent."""
    connection.execute(
        update(outbox).where(o.message_id == message_id).values(sent_at=at, error=None, attempts=o.attempts + 1)
    )


def mark_failed(connection: Connection, message: Row, error: str, *, at: datetime) -> None:
    """Record a failed attempt and schedule the next one. Each pause is longer."""
    pause = PAUSES[min(message["attempts"], len(PAUSES) - 1)]
    values = {"error": error, "attempts": message["attempts"] + 1, "due_at": at + pause}
    connection.execute(update(outbox).where(o.message_id == message["message_id"]).values(**values))


def messages(connection: Connection, *, size: int = 50) -> list[Row]:
    """Return the latest messages, unsent ones first."""
    listed = select(outbox).order_by(o.sent_at.is_not(None), o.due_at.desc()).limit(size)
    return [{**row, "body": json.loads(row["body"])} for row in connection.execute(listed).mappings()]


# --- as JSON ----------------------------------------------------------------------------------------------------------


def _json(rule: Rule) -> str:
    return json.dumps({name: value for name, value in asdict(rule).items() if name not in OWN}, default=str)


def _audit_values(rule: Rule) -> Row:
    return {
        name: value for name, value in asdict(rule).items() if value is not None and name not in ("version", "rule_id")
    }


def _rule(row: RowMapping) -> Rule:
    fields: Row = json.loads(row["rule"])
    rule = Rule(
        name=row["name"],
        owner=row["owner"],
        measure=row["measure"],
        rule_id=row["rule_id"],
        version=row["version"],
        **_typed(fields),
    )
    return replace(rule, channels=tuple(rule.channels))


def _typed(fields: Row) -> Row:
    quiet = {
        name: time.fromisoformat(fields[name]) if fields.get(name) else None for name in ("quiet_from", "quiet_to")
    }
    muted = datetime.fromisoformat(fields["muted_until"]) if fields.get("muted_until") else None
    where: Sequence[tuple[str, Sequence[str]]] = fields.get("where") or ()
    return {**fields, **quiet, "muted_until": muted, "where": tuple((name, tuple(values)) for name, values in where)}
