"""The digest beyond plain e-mail: Slack, Teams and webhooks, the attached PDF, and the filters of saved views."""

import os
from dataclasses import dataclass
from datetime import date
from email.message import EmailMessage
from typing import Any
from urllib.parse import parse_qsl

from dashboard import queries
from dashboard.frame import period
from dashboard.notifications import delivery
from dashboard.notifications.messages import Notice
from dashboard.reports import digest, page_pdf, pdf
from metrics.access import Access
from metrics.alerts.rules import last_full_period
from metrics.errors import NothingPublished, SettingRefused, UnknownName
from metrics.lists.data_status import data_status
from metrics.model.dimensions import DIMENSIONS
from metrics.store import saved_views
from metrics.store.connection import open_store
from metrics.warehouse import locate

SCORECARDS = ("", "scorecard")
"""Paths of the scorecard in a saved view."""


def send_to_channel(channel: str, where: digest.Where = ()) -> None:
    """Send the digest of the newest generation to slack:NAME, teams:NAME or webhook:NAME. Raises SettingRefused."""
    published = queries.current()
    if published is None:
        raise NothingPublished(str(locate()))
    with queries.one_generation(published.number):
        view = digest.digest_text(published.number, where, os.environ.get("BUYERVIEW_URL", "http://localhost:8501"))
    identity = f"digest {view['identity']} {channel}"
    try:
        delivery.send_notice(channel, notice(view), content(view), identity=identity)
    except SettingRefused:
        raise
    except delivery.FAILURES as error:
        raise SettingRefused(channel, f"the digest was not sent: {delivery.failure_reason(error)}") from None


def notice(view: dict[str, Any]) -> Notice:
    """Return a digest as a notice: tiles as facts, declines as notes."""
    facts = [
        (tile["title"], ", ".join(part for part in (tile["value"], tile["word"], tile["against"]) if part))
        for tile in view["tiles"]
    ]
    notes = [] if view["judged"] else [digest.NO_ORDERS]
    notes += [f"{one['title']}, {one['whose']}: {one['sentence']}" for one in view["worse"]] or [digest.NONE_WORSE]
    return Notice(view["subject"], facts, notes, ("Open the scorecard", view["link"]), " ".join(view["footer"]))


def content(view: dict[str, Any]) -> dict[str, Any]:
    """Return what a plain webhook receives."""
    names = ("under", "judged", "tiles", "worse", "reasons", "link", "footer")
    return {"event": "digest", **{name: view[name] for name in names}}


@dataclass(frozen=True)
class View:
    """A saved view: its filters, its days as of the newest generation, and its page with the query of its address."""

    where: digest.Where
    days: tuple[date, date]
    page: str
    query: str


def attach_page(message: EmailMessage, view: View, person: Access | None) -> None:
    """Attach the page of a view as PDF, with the rows that the person sees; a scorecard is the one-page report."""
    if view.page in SCORECARDS:
        attach_report(message, view.where, view.days)
        return
    name = f"buyerview_{view.page.replace('-', '_')}_{view.days[0]}_{view.days[1]}.pdf"
    made = page_pdf.page_pdf(f"{view.page}?{view.query}", person)
    message.add_attachment(made, "application", "pdf", filename=name)


def attach_report(message: EmailMessage, where: digest.Where, days: tuple[date, date] | None = None) -> None:
    """Attach the one-page scorecard as PDF, for the days of a saved view or for the digest's week."""
    start, end = days or _last_week()
    made = pdf.newest(choice=period.DATES, start=start, end=end, where=where)
    message.add_attachment(made, "application", "pdf", filename=f"buyerview_scorecard_{start}_{end}.pdf")


def saved_view(name: str, person: str = "") -> View:
    """Return a shared view, or a person's own view of that name. Raises UnknownName."""
    with open_store(locate(), write=False) as store:
        listed = sorted(saved_views.views(store, person), key=lambda view: view["owner"] == person)
    seen = {view["name"]: view for view in listed}
    if name not in seen:
        raise UnknownName("saved view", name, sorted(seen))
    asked = parse_qsl(seen[name]["query"])
    values: dict[str, list[str]] = {}
    for part, value in asked:
        if part in DIMENSIONS:
            values.setdefault(part, []).append(value)
    as_of, first = _days_of_data()
    dates = tuple(date.fromisoformat(value) for part, value in asked if part == "dates")
    chosen = period.choose(dict(asked).get("period", period.DEFAULT), as_of=as_of, first=first, days=dates)
    where = tuple((part, tuple(found)) for part, found in values.items())
    return View(where, (chosen.start, chosen.end), seen[name]["page"], seen[name]["query"])


def _last_week() -> tuple[date, date]:
    return last_full_period("week", _days_of_data()[0])


def _days_of_data() -> tuple[date, date]:
    """Return the day up to which the data reach, and the first day."""
    published = queries.current()
    status = None if published is None else queries.cached(data_status, published.number)
    if status is None or status.data_as_of is None:
        raise NothingPublished(str(locate()))
    return status.data_as_of.date(), status.first_day or status.data_as_of.date()
