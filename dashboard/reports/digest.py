"""The weekly digest: the scorecard of the last whole week as one e-mail, with trend, declines and links.

The numbers equal those of the scorecard and of the PDF for the same days. All texts are escaped. The mail contains its
picture with alternative text, and a plain-text part with the same content.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from dashboard import queries
from dashboard.components import cards, changes, formatting, theme
from dashboard.components.status import better_or_worse
from dashboard.frame import chart_download, period
from dashboard.frame.filters import Filters
from dashboard.measure_page import trend
from dashboard.measure_page.tiles import load_tiles
from dashboard.measure_page.view import load_view
from dashboard.notifications import delivery
from dashboard.reports import pdf
from dashboard.sections.scorecard import ENTRY, TILES, load_scorecard
from metrics.alerts.rules import last_full_period
from metrics.errors import NothingPublished, SettingRefused
from metrics.lists.data_status import data_status
from metrics.measures.catalog import MEASURES
from metrics.model.point import comparable
from metrics.model.question import Answer, Question
from metrics.policy import MIN_N
from metrics.warehouse import locate

WORSE_MOST = 6
WIDTH, HEIGHT = 600, 220
"""Size of the trend in chart units, small enough for a mail without horizontal scrolling."""
NOBODY = "buyerview@localhost"
"""Sender and recipient of a digest that is only written to a file."""
Where = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Worse:
    """A measure that is worse than in the week before, for one segment or (None) for all in view."""

    measure: str
    segment: str | None
    now: Answer
    before: Answer

    @property
    def moved(self) -> float:
        """Size of the change in the measure's unit."""
        return float(self.now.value or 0) - float(self.before.value or 0)


def made(where: Where = (), *, to: str, setting: Mapping[str, str] = os.environ) -> EmailMessage:
    """Return the digest of the newest generation. `to` may be empty if it is only written to a file.

    Raises NothingPublished or SettingRefused.
    """
    published = queries.current()
    if published is None:
        raise NothingPublished(str(locate()))
    with queries.one_generation(published.number):
        view = digest_text(published.number, where, setting.get("BUYERVIEW_URL", "http://localhost:8501"))
    sender = {} if to else {"BUYERVIEW_MAIL_FROM": NOBODY}
    message = delivery.mail(
        to or NOBODY,
        view["subject"],
        in_words(view),
        identity=f"digest {view['identity']} {to}",
        setting={**sender, **setting},
    )
    message.add_alternative(markup(view), subtype="html")
    drawn = chart_download.render_image(view["trend"]["spec"], "png")
    html_part = message.get_body(("html",))
    assert html_part is not None, "just added"
    html_part.add_related(drawn, "image", "png", cid="<trend>", filename="trend.png", disposition="inline")
    return message


def write(target: Path, message: EmailMessage) -> None:
    """Write a digest as an .eml file."""
    target.write_bytes(message.as_bytes(policy=SMTP))


def send(message: EmailMessage) -> None:
    """Send a digest through the mail server. Raises SettingRefused with the reason of a failure."""
    try:
        delivery.send_mail(message)
    except SettingRefused:
        raise
    except delivery.FAILURES as error:
        raise SettingRefused("BUYERVIEW_SMTP", f"the digest was not sent: {delivery.failure_reason(error)}") from None


def digest_text(generation: int, where: Where, base: str) -> dict[str, Any]:
    """Return everything the digest shows as plain data (JSON)."""
    status = queries.cached(data_status, generation)
    as_of = status.data_as_of
    if as_of is None:
        raise NothingPublished(str(locate()))
    first = status.first_day or as_of.date()
    week = period.choose(period.DATES, as_of=as_of.date(), first=first, days=last_full_period("week", as_of.date()))
    shown = load_scorecard(generation, Filters(week, where))
    view = shown.view
    weeks = period.choose(period.DEFAULT, as_of=as_of.date(), first=first)
    report = pdf.report_text(shown, as_of, view.main)
    longer = load_view(ENTRY, TILES, generation, Filters(weeks, where, ()))
    spec, alternative = trend.chart(trend.load_trend(longer, TILES), view.main, is_dark=False)
    title, under = (
        f"{MEASURES[view.main].title} over time",
        f"{formatting.date_range(weeks.start, weeks.end)} · {view.filters.label}",
    )
    tiles = [
        {**tile, "link": _behind(base, generation, name, week, where)}
        for name, tile in zip(TILES, report["tiles"], strict=True)
    ]
    main = tiles[TILES.index(view.main)]
    before = week.previous or (week.start, week.end)
    segments = queries.answers(
        generation, Question(TILES, by=("segment",), start=before[0], end=before[1], where=where)
    )
    fell = worse_measures(
        [*view.answers.values(), *(answer for answers in view.segments.values() for answer in answers.values())],
        [*(tile.before for tile in load_tiles(view).values() if tile.before is not None), *segments],
    )
    return {
        "subject": f"Service {formatting.date_range(week.start, week.end)}: {main['title'].lower()} {main['value']}"
        + (f", {main['word']}" if main["word"] else ""),
        "identity": f"{generation} {week.start} {view.filters.label}",
        "under": report["under"],
        "headline": report["headline"],
        "judged": shown.judged,
        "tiles": tiles,
        "worse": [_worse(one, base, generation, week, where) for one in fell[:WORSE_MOST]],
        "reasons": report["reasons"],
        "trend": {
            "spec": chart_download.with_title(
                {**spec, "width": WIDTH, "height": HEIGHT}, title=title, under=under, is_dark=False
            ),
            "alternative": alternative,
        },
        "footer": report["footer"],
        "link": _address(base, "", generation, week, where),
    }


def worse_measures(now: Iterable[Answer], before: Iterable[Answer]) -> list[Worse]:
    """Return the scorecard's measures that are significantly worse than in the week before, the largest change first.

    Shares come first, because other units have no common scale. A measure with too few judged rows in either week, or
    without a value, is left out.
    """
    then = {_key(one): one for one in before}
    found = [
        Worse(one.measure, _key(one)[1], one, then[_key(one)])
        for one in now
        if one.measure in TILES and _key(one) in then
    ]
    return sorted(
        (one for one in map(_complete, found) if one is not None and _proven(one)),
        key=lambda one: (str(MEASURES[one.measure].unit) != "share", -abs(one.moved)),
    )


def _key(one: Answer) -> tuple[str, str | None]:
    return one.measure, one.dimensions.get("segment")


def _complete(one: Worse) -> Worse | None:
    """Return the complete parts of both weeks, because a provisional week is not compared."""
    now, before = comparable(one.now), comparable(one.before)
    return None if now is None or before is None else replace(one, now=now, before=before)


def _proven(one: Worse) -> bool:
    if any(answer.value is None or float(answer.denominator or 0) < MIN_N for answer in (one.now, one.before)):
        return False
    measure = MEASURES[one.measure]
    readable = formatting.difference(one.moved, measure.unit) != formatting.difference(0, measure.unit)
    is_worse = better_or_worse(one.moved, measure.direction) == "worse"
    return readable and is_worse and changes.is_significant(one.now, one.before, measure)


def _worse(one: Worse, base: str, generation: int, week: period.Period, where: Where) -> dict[str, str]:
    measure = MEASURES[one.measure]
    narrowed = (
        where
        if one.segment is None
        else (*(held for held in where if held[0] != "segment"), ("segment", (one.segment,)))
    )
    of = (
        f" ({formatting.number(one.now.numerator)} of {formatting.number(one.now.denominator)})"
        if str(measure.unit) == "share"
        else ""
    )
    return {
        "title": cards.title(measure),
        "whose": "all in view" if one.segment is None else f"segment {one.segment}",
        "sentence": f"{cards.value(one.now, measure)}{of}, "
        f"{formatting.difference(one.moved, measure.unit)} worse than the week before",
        "link": _behind(base, generation, one.measure, week, narrowed),
    }


def _behind(base: str, generation: int, measure: str, week: period.Period, where: Where) -> str:
    return _address(base, "behind", generation, week, where, (("measure", measure),))


def _address(
    base: str, path: str, generation: int, week: period.Period, where: Where, asked: Sequence[tuple[str, str]] = ()
) -> str:
    """Return a permanent link to these numbers."""
    days: list[date] = [week.start, week.end]
    chosen = [*asked, ("period", period.DATES), *(("dates", str(day)) for day in days)]
    chosen += [(name, value) for name, values in where for value in values]
    return f"{base.rstrip('/')}/{path}?{urlencode([*chosen, ('v', str(generation))])}"


NO_ORDERS = "No judged orders were due in this week."
NONE_WORSE = (
    f"No measure is significantly worse than in the week before (measures with at least {MIN_N} judged rows in both "
    "weeks)."
)


def in_words(view: dict[str, Any]) -> str:
    """Return the digest as plain text."""
    lines = [view["under"], "", *([view["headline"], ""] if view["headline"] else [])]
    lines += [NO_ORDERS] if not view["judged"] else []
    lines += [f"{tile['title']}: {', '.join(_told(tile))}" for tile in view["tiles"]]
    lines += [
        "",
        "Declines",
        *(
            [f"- {one['title']}, {one['whose']}: {one['sentence']}\n  {one['link']}" for one in view["worse"]]
            or [NONE_WORSE]
        ),
    ]
    if view["reasons"]["rows"]:
        lines += ["", view["reasons"]["title"], *[f"- {name}: {orders}" for name, orders in view["reasons"]["rows"]]]
    lines += [
        "",
        view["trend"]["alternative"],
        "",
        f"Open the scorecard: {view['link']}",
        "",
        *view["footer"],
    ]
    return "\n".join(lines) + "\n"


def _told(tile: dict[str, str]) -> list[str]:
    return [part for part in (tile["value"], tile["word"], tile["against"], tile["note"]) if part]


_INK, _MUTED, _LINE = (theme.LIGHT[name] for name in ("ink", "muted", "line"))
_COLOURS = {
    "on": theme.LIGHT["good"],
    "watch": theme.LIGHT["watch"],
    "off": theme.LIGHT["bad"],
    "unproven": _MUTED,
    "none": _MUTED,
}
_SHAPES = {"on": "●", "watch": "◆", "off": "▲", "unproven": "◌", "none": ""}


def markup(view: dict[str, Any]) -> str:
    """Return the digest as HTML for mail programs: tables and inline styles, without scripts or external files."""
    html = formatting.html
    quiet = f"color:{_MUTED};font-size:13px"
    empty = f'<p style="{quiet}">{NO_ORDERS}</p>' if not view["judged"] else ""
    tiles = "".join(_tile(tile) for tile in view["tiles"])
    declines = "".join(
        f'<li style="margin:0 0 8px"><a href="{html(decline["link"])}" style="color:{_INK}">'
        f"<b>{html(decline['title'])}</b></a>, {html(decline['whose'])}: {html(decline['sentence'])}</li>"
        for decline in view["worse"]
    )
    reasons = "".join(f"<li>{html(name)}: {html(orders)}</li>" for name, orders in view["reasons"]["rows"])
    none = f'<p style="{quiet}">{NONE_WORSE}</p>'
    parts = [
        f'<h1 style="font-size:20px;margin:0">Weekly service digest</h1><p style="{quiet}">{html(view["under"])}</p>',
        f"<p>{html(view['headline'])}</p>" if view["headline"] else "",
        empty,
        '<table role="presentation" cellpadding="0" cellspacing="0" style="width:100%;border-collapse:collapse">',
        f"{tiles}</table>",
        f'<h2 style="{_HEAD}">Declines</h2>' + (f'<ul style="padding-left:18px">{declines}</ul>' if declines else none),
        f'<img src="cid:trend" width="{WIDTH}" style="max-width:100%;height:auto"',
        f' alt="{html(view["trend"]["alternative"])}">',
    ]
    if reasons:
        parts.append(f'<h2 style="{_HEAD}">{html(view["reasons"]["title"])}</h2>')
        parts.append(f'<ul style="padding-left:18px">{reasons}</ul>')
    accent, footer = theme.LIGHT["accent"], "<br>".join(html(line) for line in view["footer"])
    parts.append(f'<p><a href="{html(view["link"])}" style="color:{accent}">Open the scorecard</a></p>')
    parts.append(f'<p style="{quiet}">{footer}</p>')
    font = "15px/1.5 Inter,Helvetica,Arial,sans-serif"
    body = f"margin:0;padding:24px;background:{theme.LIGHT['card']};color:{_INK};font:{font}"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html(view["subject"])}</title></head>'
        f'<body style="{body}"><div style="max-width:640px;margin:0 auto">{"".join(parts)}</div></body></html>'
    )


_HEAD = "font-size:16px;margin:24px 0 8px"


def _tile(tile: dict[str, str]) -> str:
    html = formatting.html
    border = f"padding:8px 12px 8px 0;border-bottom:1px solid {_LINE}"
    word = ""
    if tile["word"]:
        word = f'<span style="color:{_COLOURS[tile["css"]]}">{_SHAPES[tile["css"]]} {html(tile["word"])}</span>'
    notes = "; ".join(html(part) for part in (tile["against"], tile["note"]) if part)
    return (
        f'<tr><td style="{border}">{html(tile["title"])}<br>'
        f'<span style="color:{_MUTED};font-size:13px">{notes}</span></td>'
        f'<td style="{border};text-align:right;white-space:nowrap">'
        f'<a href="{html(tile["link"])}" style="color:{_INK};text-decoration:none">'
        f'<b style="font-size:18px">{html(tile["value"])}</b></a><br>{word}</td></tr>'
    )
