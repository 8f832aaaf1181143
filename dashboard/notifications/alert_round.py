"""Check all alert rules against the newest generation, then send the pending notifications."""

import os
from datetime import UTC, datetime

from sqlalchemy import Connection

from dashboard.components import locale
from dashboard.notifications import delivery
from metrics.access import EVERYTHING, Scope
from metrics.alerts import evaluate, storage
from metrics.alerts.rules import Rule
from metrics.lists.data_quality import freshness
from metrics.queries.scope import reading
from metrics.store import access
from metrics.store.connection import open_store
from metrics.warehouse import Generation, Location, current


def run_alerts(place: Location, *, now: datetime | None = None) -> str:
    """Check every alert rule, then send the pending messages. Return a summary in words; "" if nothing happened.

    A rule reads the rows that its owner sees. Raises StoreUnusable or a WarehouseError. A message that cannot be
    sent is not an error: it stays in the outbox with the reason.
    """
    at = now or datetime.now(UTC).replace(tzinfo=None)
    with open_store(place, write=False) as store:
        by_scope, without_access = _rules_by_scope(store)
    published = current(place) if by_scope else None
    changed = 0 if published is None else _check(place, published, by_scope, at)
    sent, failed = delivery.send_pending(place, now=at)
    parts = [f"{changed} alert rule{'s' if changed != 1 else ''} changed"] if changed else []
    parts += [f"{sent} message{'s' if sent != 1 else ''} sent"] if sent else []
    parts += [f"{failed} could not be sent (see Views and alerts)"] if failed else []
    parts += [f"{without_access} not checked, because the owner has no access"] if without_access else []
    return ", ".join(parts)


def _check(place: Location, published: Generation, by_scope: dict[Scope, list[Rule]], at: datetime) -> int:
    """Check the rules against a generation, and return the number of rules that fired or cleared."""
    changed = 0
    for scope, rules in by_scope.items():
        with reading(place, scope, published.number) as warehouse, open_store(place) as store:
            as_of = freshness(warehouse).get("data_as_of") or published.published_at.replace(tzinfo=None)
            base = os.environ.get("BUYERVIEW_URL", "http://localhost:8501")
            rule_checks = evaluate.check_all(
                warehouse,
                store,
                generation=published.number,
                as_of=as_of,
                now=at,
                zone=locale.zone(),
                base=base,
                rules=rules,
            )
        changed += sum(bool(rule_check.event) for rule_check in rule_checks)
    return changed


def _rules_by_scope(store: Connection) -> tuple[dict[Scope, list[Rule]], int]:
    """Return the rules by the scope of their owner, and the number of rules whose owner has no access.

    If nobody was given access, every rule reads every row.
    """
    scopes = {known.person: known.scope for known in access.grants(store)}
    by_scope: dict[Scope, list[Rule]] = {}
    without_access = 0
    for rule in storage.rules(store):
        scope = scopes.get(rule.owner.strip().casefold()) if scopes else EVERYTHING
        if scope is None:
            without_access += 1
        else:
            by_scope.setdefault(scope, []).append(rule)
    return by_scope, without_access
