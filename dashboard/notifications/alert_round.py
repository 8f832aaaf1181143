"""Check all alert rules against the newest generation, then send the pending notifications."""

import os
from datetime import UTC, datetime

from dashboard.components import locale
from dashboard.notifications import delivery
from metrics.alerts import evaluate, storage
from metrics.lists.data_quality import freshness
from metrics.store.connection import open_store
from metrics.warehouse import Location, current, reading


def run_alerts(place: Location, *, now: datetime | None = None) -> str:
    """Check every alert rule, then send the pending messages. Return a summary in words; "" if nothing happened.

    Raises StoreUnusable or a WarehouseError. A message that cannot be sent is not an error: it stays in the outbox with
    the reason.
    """
    at = now or datetime.now(UTC).replace(tzinfo=None)
    with open_store(place, write=False) as store:
        any_rule = bool(storage.rules(store))
    changed = 0
    published = current(place) if any_rule else None
    if published is not None:
        with reading(place, generation=published.number) as warehouse, open_store(place) as store:
            as_of = freshness(warehouse).get("data_as_of") or published.published_at.replace(tzinfo=None)
            base = os.environ.get("BUYERVIEW_URL", "http://localhost:8501")
            rule_checks = evaluate.check_all(
                warehouse, store, generation=published.number, as_of=as_of, now=at, zone=locale.zone(), base=base
            )
        changed = sum(bool(rule_check.event) for rule_check in rule_checks)
    sent, failed = delivery.send_pending(place, now=at)
    parts = [f"{changed} alert rule{'s' if changed != 1 else ''} changed"] if changed else []
    parts += [f"{sent} message{'s' if sent != 1 else ''} sent"] if sent else []
    parts += [f"{failed} could not be sent (see Views and alerts)"] if failed else []
    return ", ".join(parts)
