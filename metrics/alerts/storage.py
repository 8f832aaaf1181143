"""Alert rules as people keep them, how each stands, what it read, and the messages that are to leave."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from metrics.alerts.rules import CLEAR, Reading, Rule, State
from metrics.errors import ChangedMeanwhile
from metrics.store import audit
from metrics.store.tables import alert_readings, alert_rules, outbox

r, o = alert_rules.c, outbox.c
OWN = ("name", "owner", "measure", "rule_id", "version")
"""Fields of a rule that are columns; the others stand in its JSON."""
PAUSES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=12))
"""Before the second, third ... try of a message; after the last one it is given up, and the page says so."""


def rules(connection: Connection) -> list[Rule]:
    """Every rule, in the order they were written."""
    return [_rule(row) for row in connection.execute(select(alert_rules).order_by(r.rule_id)).mappings()]


def states(connection: Connection) -> dict[int, tuple[State, int | None]]:
    """How each rule stands, and the generation it was looked at for last."""
    found = connection.execute(select(r.rule_id, r.status, r.streak, r.generation))
    return {row.rule_id: (State(row.status, row.streak), row.generation) for row in found}


def save(connection: Connection, who: str, rule: Rule, *, at: datetime) -> int:
    """Write a rule, new or changed, and return its number. A changed rule begins anew: clear.

    Raises ChangedMeanwhile where somebody else changed it since it was read.
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
        audit.record(connection, who, "alert rule written", f"alert rule {number}", None, _told(rule))
        return number
    before = next((one for one in rules(connection) if one.rule_id == rule.rule_id), None)
    changed = update(alert_rules).where(r.rule_id == rule.rule_id, r.version == rule.version)
    if (
        before is None
        or not connection.execute(changed.values(version=rule.version + 1, generation=None, **values)).rowcount
    ):
        raise ChangedMeanwhile(f"alert rule {rule.name}", "somebody else", at)
    audit.record(connection, who, "alert rule changed", f"alert rule {rule.rule_id}", _told(before), _told(rule))
    return rule.rule_id


def remove(connection: Connection, who: str, rule: Rule) -> None:
    """Delete a rule with its readings; messages already written still leave."""
    connection.execute(delete(alert_rules).where(r.rule_id == rule.rule_id))
    connection.execute(delete(alert_readings).where(alert_readings.c.rule_id == rule.rule_id))
    audit.record(connection, who, "alert rule deleted", f"alert rule {rule.rule_id}", _told(rule), None)


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
    """Write down what a rule saw and how it stands now; False, and nothing is written, where that generation was looked
    at already.
    """
    a = alert_readings.c
    known = (
        select(func.count()).select_from(alert_readings).where(a.rule_id == rule.rule_id, a.generation == generation)
    )
    if connection.scalar(known):
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


def reading_log(connection: Connection, *, size: int = 50) -> list[dict[str, Any]]:
    """What fired and was over, the latest first: the reading, with the rule's `name` and `measure`."""
    a = alert_readings.c
    told = (
        select(*alert_readings.c, r.name, r.measure)
        .select_from(alert_readings.join(alert_rules, r.rule_id == a.rule_id))
        .where(a.event.is_not(None))
        .order_by(a.generation.desc(), a.rule_id)
        .limit(size)
    )
    return [dict(row) for row in connection.execute(told).mappings()]


def last_readings(connection: Connection) -> dict[int, dict[str, Any]]:
    """The last reading of each rule."""
    a = alert_readings.c
    latest = select(a.rule_id, func.max(a.generation).label("generation")).group_by(a.rule_id).subquery()
    joined = alert_readings.join(latest, (latest.c.rule_id == a.rule_id) & (latest.c.generation == a.generation))
    return {
        row["rule_id"]: dict(row)
        for row in connection.execute(select(*alert_readings.c).select_from(joined)).mappings()
    }


# --- messages ---------------------------------------------------------------------------------------------------------------------------


def write_message(
    connection: Connection, message_id: str, channel: str, subject: str, body: dict[str, Any], *, due_at: datetime
) -> None:
    """Put a message into the outbox, once: the same message again is left as it is."""
    if connection.scalar(select(func.count()).select_from(outbox).where(o.message_id == message_id)):
        return
    told = json.dumps(body, ensure_ascii=False, default=str)
    connection.execute(
        insert(outbox).values(
            message_id=message_id, channel=channel, subject=subject, body=told, due_at=due_at, attempts=0
        )
    )


def withdraw_messages(
    connection: Connection, rule_id: int, channel: str, event: str, *, at: datetime
) -> dict[str, Any] | None:
    """What a message of a rule said that waits to leave (mute, quiet hours, the next try), taken out of the outbox;
    None where none waits.
    """
    mine = o.message_id.startswith(f"rule {rule_id} generation ", autoescape=True) & o.message_id.endswith(
        f" {event} {channel}", autoescape=True
    )
    waiting = connection.execute(select(o.message_id, o.body).where(mine, o.sent_at.is_(None), o.due_at > at)).first()
    if waiting is None:
        return None
    connection.execute(delete(outbox).where(o.message_id == waiting.message_id))
    body: dict[str, Any] = json.loads(waiting.body)
    return body


def due_messages(connection: Connection, at: datetime) -> list[dict[str, Any]]:
    """Messages to send now, the oldest first, `body` as an object."""
    wanted = (
        select(outbox)
        .where(o.sent_at.is_(None), o.due_at <= at, o.attempts <= len(PAUSES))
        .order_by(o.due_at, o.message_id)
    )
    return [{**row, "body": json.loads(row["body"])} for row in connection.execute(wanted).mappings()]


def mark_sent(connection: Connection, message_id: str, *, at: datetime) -> None:
    """The message left."""
    connection.execute(
        update(outbox).where(o.message_id == message_id).values(sent_at=at, error=None, attempts=o.attempts + 1)
    )


def mark_failed(connection: Connection, message: dict[str, Any], error: str, *, at: datetime) -> None:
    """The message did not leave: try again after a pause, longer each time."""
    pause = PAUSES[min(message["attempts"], len(PAUSES) - 1)]
    values = {"error": error, "attempts": message["attempts"] + 1, "due_at": at + pause}
    connection.execute(update(outbox).where(o.message_id == message["message_id"]).values(**values))


def messages(connection: Connection, *, size: int = 50) -> list[dict[str, Any]]:
    """The latest messages, those that have not left first."""
    listed = select(outbox).order_by(o.sent_at.is_not(None), o.due_at.desc()).limit(size)
    return [{**row, "body": json.loads(row["body"])} for row in connection.execute(listed).mappings()]


# --- as JSON ----------------------------------------------------------------------------------------------------------------------------


def _json(rule: Rule) -> str:
    return json.dumps({name: value for name, value in asdict(rule).items() if name not in OWN}, default=str)


def _told(rule: Rule) -> dict[str, Any]:
    return {
        name: value for name, value in asdict(rule).items() if value is not None and name not in ("version", "rule_id")
    }


def _rule(row: Any) -> Rule:
    kept: dict[str, Any] = json.loads(row["rule"])
    rule = Rule(
        name=row["name"],
        owner=row["owner"],
        measure=row["measure"],
        rule_id=row["rule_id"],
        version=row["version"],
        **_typed(kept),
    )
    return replace(rule, channels=tuple(rule.channels))


def _typed(kept: dict[str, Any]) -> dict[str, Any]:
    quiet = {name: time.fromisoformat(kept[name]) if kept.get(name) else None for name in ("quiet_from", "quiet_to")}
    muted = datetime.fromisoformat(kept["muted_until"]) if kept.get("muted_until") else None
    where: Sequence[Any] = kept.get("where") or ()
    return {**kept, **quiet, "muted_until": muted, "where": tuple((name, tuple(values)) for name, values in where)}
