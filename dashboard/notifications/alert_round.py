"""A round of the alert rules: look at what was published, write down what there is to tell, and send what is due."""

import os
from datetime import UTC, datetime

from dashboard.components import locale
from dashboard.notifications import delivery
from metrics.alerts import evaluate, storage
from metrics.lists.data_quality import freshness
from metrics.store.connection import open_store
from metrics.warehouse import Location, current, reading


def run_alerts(place: Location, *, now: datetime | None = None) -> str:
    """Look at every rule for the generation published last, then send what is due; what happened, in words ("" where
    there was nothing to do).

    Raises StoreUnusable or a WarehouseError; a message that cannot leave is no error, it waits and says why.
    """
    at = now or datetime.now(UTC).replace(tzinfo=None)
    with open_store(place, write=False) as store:
        any_rule = bool(storage.rules(store))
    news = []
    published = current(place) if any_rule else None
    if published is not None:
        with reading(place, generation=published.number) as warehouse, open_store(place) as store:
            as_of = freshness(warehouse).get("data_as_of") or published.published_at.replace(tzinfo=None)
            base = os.environ.get("BUYERVIEW_URL", "http://localhost:8501")
            seen = evaluate.check_all(
                warehouse, store, generation=published.number, as_of=as_of, now=at, zone=locale.zone(), base=base
            )
        news = [one.event for one in seen if one.event]
    sent, kept_back = delivery.send_pending(place, now=at)
    told = [f"{len(news)} alert rule{'s' if len(news) != 1 else ''} changed"] if news else []
    told += [f"{sent} message{'s' if sent != 1 else ''} sent"] if sent else []
    told += [f"{kept_back} could not be sent (see Views and alerts)"] if kept_back else []
    return ", ".join(told)
