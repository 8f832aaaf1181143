"""The command: demo, sample, ingest, apply, alerts, digest, serve, export, verify, measures, targets, ladder, diff, explain, fill-rate.

The only place that wires ingest, metrics, dashboard and sample data together.
Errors of ours become a message on standard error and an exit status; anything else is a defect and shows its traceback.
"""

import json
import logging
import os
import re
import subprocess
import sys
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

app = typer.Typer(help="Service levels as the buyer sees them.", no_args_is_help=True, add_completion=False, rich_markup_mode=None)
screen = Console(stderr=True, highlight=False)
out = Console(highlight=False)

DEMO_ORDERS = 20_000
STEPS = ("read", "validate", "load", "build", "publish")


class Grain(StrEnum):
    """Periods a number can be broken down by."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"


class Format(StrEnum):
    """What an export is written as."""

    CSV = "csv"
    XLSX = "xlsx"
    PARQUET = "parquet"
    JSON = "json"


def main() -> None:
    """Run the command; turn our own errors into a message and an exit status."""
    from metrics.errors import BuyerviewError

    level = os.environ.get("BUYERVIEW_LOG", "WARNING").upper()
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
    for handler in logging.getLogger().handlers:
        handler.setLevel(level)  # Great Expectations sets its own loggers to INFO
    try:
        app(args=_where_words(sys.argv[1:]))
    except BuyerviewError as error:
        screen.print(f"buyerview: {error}", markup=False, style="red", soft_wrap=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _where_words(words: list[str]) -> list[str]:
    """`--where a=1 b=2` as `--where a=1 --where b=2`: an option of the command line library takes one word."""
    found: list[str] = []
    inside = False
    for word in words:
        if word == "--where":
            inside = True
        elif inside and "=" in word and not word.startswith("-"):
            found += ["--where", word]
        else:
            inside = False
            found.append(word)
    return found


@contextmanager
def _bars(*, shown: bool) -> Iterator[Any]:
    """A progress callback (step, share from 0 to 1) drawn as one bar a step on standard error."""
    if not shown:
        yield None
        return
    columns = (TextColumn("{task.description:<28}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
    with Progress(*columns, console=screen, transient=not screen.is_terminal) as progress:
        tasks: dict[str, Any] = {}

        def tell(step: str, share: float) -> None:
            if step not in tasks:
                for other in tasks.values():
                    progress.update(other, completed=1.0)
                tasks[step] = progress.add_task(step, total=1.0)
            progress.update(tasks[step], completed=share)

        yield tell
        for task in tasks.values():
            progress.update(task, completed=1.0)


@app.command()
def demo(
    orders: Annotated[int, typer.Option(help="How many sample orders to make.")] = DEMO_ORDERS,
    port: Annotated[int, typer.Option(help="Port on localhost; 0 takes a free one.")] = 8501,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the dashboard in a browser.")] = True,
) -> None:
    """Make sample orders, ingest them and open the dashboard."""
    from ingest.pipeline import run
    from metrics.warehouse import locate
    from sample_data import generate

    place = locate()
    folder = (place.folder or Path.cwd() / "buyerview-data") / f"sample-{orders}"
    with _bars(shown=True) as tell:
        mapping = generate(orders, folder, progress=lambda done, wanted: tell("make sample orders", done / max(wanted, 1)))
        report = run(mapping, progress=tell)
    _summary(report)
    _serve(port, browser=browser)


@app.command()
def sample(
    orders: Annotated[int, typer.Option("--orders", min=1, help="How many orders.")],
    folder: Annotated[Path, typer.Option("--out", help="Folder to write into; made if it is not there.")],
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same bytes.")] = 7,
) -> None:
    """Write sample records with planted defects, and the mapping file for them."""
    from sample_data import generate

    with _bars(shown=True) as tell:
        mapping = generate(orders, folder, seed, lambda done, wanted: tell("make sample orders", done / max(wanted, 1)))
    out.print(str(mapping), markup=False, soft_wrap=True)


@app.command()
def ingest(
    mapping: Annotated[Path, typer.Argument(help="Mapping file (docs/mapping.md).", metavar="MAPPING.toml")],
    data: Annotated[Path | None, typer.Option("--data", help="Where the mapping's relative paths start (default: its own folder).")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do it all to a copy and report; change nothing.")] = False,
    every: Annotated[str | None, typer.Option("--every", help="Keep pulling: 30s, 5m, 1h.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Read, validate, load and publish what a mapping file names."""
    from ingest.pipeline import run
    from metrics.errors import BuyerviewError

    pause = _seconds(every) if every else None
    while True:
        try:
            with _bars(shown=not as_json) as tell:
                report = run(mapping, data_dir=data, dry_run=dry_run, progress=tell)
        except BuyerviewError as error:
            if pause is None:
                raise
            screen.print(f"buyerview: {error}", markup=False, style="red", soft_wrap=True)
        else:
            if as_json:
                print(json.dumps(report.to_json(), default=str), flush=True)
            else:
                _summary(report)
            if not dry_run:
                _news()
        if pause is None:
            return
        time.sleep(pause)


@app.command("apply")
def apply_written(as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False) -> None:
    """Bring what people wrote on the pages (resolved orders and the like) into the numbers."""
    from ingest.written import apply

    with _bars(shown=not as_json) as tell:
        report = apply(progress=tell)
    if as_json:
        print(json.dumps(report.to_json() if report else None, default=str), flush=True)
    elif report:
        _summary(report)
    else:
        screen.print("Nothing was written on the pages yet.")
    _news()


def _news() -> None:
    """A round of the alert rules; whatever goes wrong in it is said, and spoils no run."""
    from dashboard import news
    from metrics.errors import BuyerviewError
    from metrics.warehouse import locate

    try:
        told = news.round_(locate())
    except BuyerviewError as error:
        told = f"Alerts were not looked at: {error}"
    if told:
        screen.print(f"{told}.", markup=False, soft_wrap=True)


@app.command()
def alerts(
    as_json: Annotated[bool, typer.Option("--json", help="Print every rule with its last reading, as JSON.")] = False,
    test: Annotated[str, typer.Option("--test", help="Only send a word to this channel, mailto:ADDRESS or webhook:NAME.")] = "",
) -> None:
    """List the alert rules with how they stand, and look at those that have not seen the newest generation.

    Rules are written on the page Views and alerts. They are looked at after every run by itself; this sends what could not leave then.
    """
    from dashboard.delivery import try_out
    from metrics.store import rules as kept
    from metrics.store.opening import opened
    from metrics.warehouse import locate

    if test:
        try_out(test)
        screen.print(f"Sent to {test}.", markup=False, soft_wrap=True)
        return
    _news()
    with opened(locate(), write=False) as store:
        rules, states, last = kept.rules(store), kept.states(store), kept.last_readings(store)
    rows = [{"rule": one.name, "measure": one.measure, "stands": states[one.rule_id][0].status, "last": last.get(one.rule_id)} for one in rules]
    if as_json:
        print(json.dumps(rows, default=str))
        return
    listed = Table("rule", "measure", "stands", "last reading", "decided", box=None, pad_edge=False)
    for row in rows:
        seen = row["last"] or {}
        period = f"{seen.get('number') or '–'} ({seen['starts_on']} to {seen['ends_on']})" if seen else "not yet"
        listed.add_row(row["rule"], row["measure"], row["stands"], period, seen.get("decided", ""))
    out.print(listed if rows else "No alert rule is written yet: the page Views and alerts has the form.")


@app.command()
def digest(
    to: Annotated[str, typer.Option("--to", help="E-mail address to send it to.")] = "",
    target: Annotated[Path | None, typer.Option("--out", help="Write the mail to this file (.eml) instead of, or beside, sending it.")] = None,
    where: Annotated[list[str] | None, typer.Option("--where", help="dimension=value; the same dimension twice means either.")] = None,
) -> None:
    """Send the last whole week's scorecard as an e-mail: its numbers, what got worse and for whom, the trend as a picture, links."""
    _nobody_looks()
    from dashboard import digest as weekly

    if not to and target is None:
        raise typer.BadParameter("give --to, --out or both", param_hint="--to")
    if to and "@" not in to:
        raise typer.BadParameter(f"{to!r} is no e-mail address", param_hint="--to")
    message = weekly.made(_filters(where or []), to=to)
    if target is not None:
        weekly.write(target, message)
        screen.print(f"Written to {target}.", markup=False, soft_wrap=True)
    if to:
        weekly.send(message)
        screen.print(f"Sent to {to}.", markup=False, soft_wrap=True)


def _nobody_looks() -> None:
    """Keep Streamlit from saying, once for every cached function, that no browser is there. (It sets its loggers' levels itself.)"""
    logging.getLogger("streamlit.runtime.caching.cache_data_api").addFilter(lambda said: said.levelno > logging.WARNING)


def _apply_beside() -> tuple[int, str]:
    """`buyerview apply` as a process of its own: a run would hold the server's interpreter for seconds."""
    done = subprocess.run([sys.executable, __file__, "apply", "--json"], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr.strip()


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", text.strip())
    if not found or float(found[1]) <= 0:
        raise typer.BadParameter(f"{text!r} is no span of time: write 30s, 5m or 1h", param_hint="--every")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]


def _summary(report: Any) -> None:
    """The table at the end of a run: every object with what became of its rows, then the rules that were broken."""
    files = Table("feed", "object", *[_right(name) for name in ("rows in", "loaded", "quarantined", "superseded")], box=None, pad_edge=False)
    for one in report.files:
        counts = [f"{count:,}" for count in (one.rows_in, one.rows_loaded, one.rows_quarantined, one.rows_superseded)]
        files.add_row(one.feed, one.name + (" (taken before)" if one.repeated else ""), *counts)
    screen.print(files)
    if report.rules_broken:
        broken = Table("feed", "rule", _right("rows"), "for example", box=None, pad_edge=False, show_edge=False)
        for rule in report.rules_broken[:40]:
            broken.add_row(rule.feed, rule.rule, f"{rule.rows:,}", rule.example)
        screen.print()
        screen.print(broken, markup=False)
        if len(report.rules_broken) > 40:
            screen.print(f"… and {len(report.rules_broken) - 40} more; --json prints them all.")
    known = f"data as of {report.data_as_of:%Y-%m-%d %H:%M} UTC" if report.data_as_of else "no data yet"
    where = f"generation {report.generation}, " if report.generation else ""
    screen.print(
        f"\n{report.outcome}: {where}{known}; {report.checks_failed} of {report.checks} checks found broken rows, {report.released} rows released, "
        f"{report.restated} restated."
    )


def _right(name: str) -> Any:
    from rich.table import Column

    return Column(name, justify="right", no_wrap=True)


@app.command()
def serve(
    port: Annotated[int, typer.Option("--port", help="Port on localhost; 0 takes a free one.")] = 8501,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the dashboard in a browser.")] = True,
) -> None:
    """Serve the dashboard on localhost."""
    _serve(port, browser=browser)


def _serve(port: int, *, browser: bool) -> None:
    from dashboard import applying
    from dashboard.start import ServerRefused, serve
    from metrics.errors import SettingRefused

    applying.use(_apply_beside)

    def ready(address: str) -> None:
        out.print(f"Buyerview is at {address} (stop with Ctrl+C)", markup=False, soft_wrap=True)
        if browser:
            webbrowser.open(address)

    try:
        serve(port=port, ready=ready)
    except ServerRefused as error:
        raise SettingRefused("dashboard settings", str(error)) from error
    except OSError as error:
        raise SettingRefused("--port", f"port {port} cannot be used ({error.strerror}); choose another, or 0 for a free one") from error


@app.command()
def export(
    fmt: Annotated[Format, typer.Option("--format", help="What to write.")],
    target: Annotated[Path, typer.Option("--out", help="File to write; - is standard output.")],
    measures: Annotated[str, typer.Option("--measures", help="Names, with commas: otif,on_time (see `buyerview measures`).")] = "",
    table: Annotated[str, typer.Option("--table", help="Instead: a whole table the numbers are made of, order_facts or order_line_facts.")] = "",
    by: Annotated[str, typer.Option("--by", help="Dimensions, with commas: region,segment.")] = "",
    grain: Annotated[Grain | None, typer.Option("--grain", help="Period to break down by.")] = None,
    start: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day, inclusive.")] = None,
    end: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, inclusive.")] = None,
    where: Annotated[list[str] | None, typer.Option("--where", help="dimension=value; the same dimension twice means either.")] = None,
) -> None:
    """Write any measures by any dimensions and period; rates as fractions in full precision.

    What the numbers are (definitions, filters, policy, generation, checks that failed, hash of the rows) is on Excel's second sheet, in Parquet's
    metadata, and for CSV and JSON beside them in FILE.provenance.json; a FILE that ends in .zip is an archive of both.
    """
    from dashboard import export as files
    from dashboard.table_file import write as write_table
    from metrics.provenance import provenance
    from metrics.query import Question, frame
    from metrics.warehouse import locate, reading

    if bool(measures) == bool(table) or (table and (by or grain or start or end or where or str(target) == "-")):
        raise typer.BadParameter("give --measures with what they are broken down and filtered by, or --table and a file alone", param_hint="--table")
    if table:
        with reading(locate()) as connection:
            screen.print(f"{write_table(connection, table, fmt.value, target):,} rows")
        return
    question = Question(
        measures=_words(measures), by=_words(by), grain=grain.value if grain else None, start=_day(start), end=_day(end), where=_filters(where or [])
    )
    with reading(locate()) as connection:
        answers = frame(connection, question)
        known = provenance(connection, question)
    for declared in known["stand_ins"]:
        screen.print(f"note: {declared}", markup=False, soft_wrap=True)
    if str(target) == "-":
        sys.stdout.buffer.write(files.as_bytes(answers, fmt.value, known))
        sys.stdout.buffer.flush()
    else:
        files.write(answers, fmt.value, target, known)


@app.command(
    help="""Say whether an export's numbers are what was written and still come out; if not, which records changed.

    Exit status: 0 not altered, and the newest generation gives the same numbers; 1 altered (the rows do not have the hash written with them, or
    their own generation gives others); 3 not altered, but the newest generation gives other numbers; 65 not an export of Buyerview, or what says so
    is lost; 66 nothing is published here.
    """
)
def verify(
    file: Annotated[Path, typer.Argument(help="A file of `buyerview export` or of the dashboard: CSV, Excel, Parquet, JSON or .zip.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print everything found, as JSON.")] = False,
) -> None:
    """Whether an export's numbers were altered and still come out."""
    from dataclasses import asdict

    from dashboard.exported import table_said, verifiable
    from dashboard.table_file import sha256
    from metrics.verify import verify as check
    from metrics.warehouse import locate

    if (said := table_said(file)) is not None:
        altered = sha256(file) != said["file_sha256"]
        words = "✗ ALTERED: the file does not have" if altered else "✓ the file has"
        out.print(
            f"{file}: table {said['table']}, {said['rows']:,} rows, generation {said['generation']}\n{words} the hash written with it", markup=False
        )
        sys.exit(int(altered))
    written = verifiable(file)
    found = check(locate(), written.columns, written.rows, written.provenance)
    if as_json:
        print(json.dumps(asdict(found), ensure_ascii=False, indent=2))
    else:
        _verified(file, found)
    sys.exit(1 if not found.is_genuine else 3 if found.now else 0)


SHOWN_ROWS, SHOWN_ORDERS = 20, 10
"""Differences printed, and orders of each; --json has all."""


def _verified(file: Path, found: Any) -> None:
    def say(text: str) -> None:
        out.print(text, markup=False, soft_wrap=True)

    say(f"{file}: {found.rows:,} rows, generation {found.generation}")
    say("✗ ALTERED: the rows do not have the hash written with them" if found.altered else "✓ the rows have the hash written with them")
    if found.own is None:
        say(f"– its own generation cannot be asked: {found.why_not_own}")
    else:
        say(f"✗ generation {found.generation} gives other numbers:" if found.own else f"✓ generation {found.generation} gives the same numbers")
        _differences(found.own, say)
    for rule in found.rules:
        say(f"– judged otherwise now: {rule}")
    if not found.now:
        say(f"✓ the newest generation, {found.newest}, gives the same numbers")
        return
    compared = "the file" if found.own is None else f"generation {found.generation}"
    say(f"✗ the newest generation, {found.newest}, gives other numbers than {compared}:")
    if found.own is None:
        say("  (the orders named are all those behind the number of which a record changed)")
    _differences(found.now, say)
    for feed, changes in found.elsewhere.items():
        say(f"  changed besides, of no order: {len(changes):,} of {feed}, for example {_key(changes[0])} {_what_changed(changes[0])}")


def _differences(differences: Any, say: Any) -> None:
    for one in differences[:SHOWN_ROWS]:
        row = ", ".join(value if name == "measure" else f"{name} {'(empty)' if value is None else value}" for name, value in one.row.items())
        moved = ", ".join(f"{name} {before or '–'} → {after or '–'}" for name, (before, after) in one.columns.items())
        say(f"  {row}: {moved}")
        for order, changes in list(one.orders.items())[:SHOWN_ORDERS]:
            told = "; ".join(f"{change.feed} {_key(change)} {_what_changed(change)}" for change in changes)
            say(f"    order {order}: {told or 'no record changed: it came due, or a window closed, as time went on'}")
        if len(one.orders) > SHOWN_ORDERS:
            say(f"    … {SHOWN_ORDERS} of {len(one.orders):,} orders; --json has all")
    if len(differences) > SHOWN_ROWS:
        say(f"  … {SHOWN_ROWS} of {len(differences):,} rows; --json has all")


def _key(change: Any) -> str:
    return " / ".join(str(value) for value in json.loads(change.key or "{}").values())


def _what_changed(change: Any) -> str:
    if change.before is None:
        return change.how + (f" ({change.after})" if change.after else "")
    before, after = json.loads(change.before), json.loads(change.after)
    return f"{change.how}: " + ", ".join(f"{name} {before.get(name)} → {after.get(name)}" for name in dict.fromkeys((*before, *after)))


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


def _filters(words: list[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found: dict[str, list[str]] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign:
            raise typer.BadParameter(f"{word!r}: write dimension=value, for example region=North", param_hint="--where")
        found.setdefault(name.strip(), []).append(value)
    return tuple((name, tuple(values)) for name, values in found.items())


@app.command()
def report(
    target: Annotated[Path, typer.Option("--out", help="PDF file to write.")],
    period: Annotated[str, typer.Option("--period", help="As in the dashboard: 4W, 13W, 26W, 52W, Quarter, Year or All.")] = "13W",
    start: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day, inclusive, instead of a period.")] = None,
    end: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, inclusive.")] = None,
    where: Annotated[list[str] | None, typer.Option("--where", help="dimension=value; the same dimension twice means either.")] = None,
) -> None:
    """Write one page of the scorecard as a PDF: tiles, trend, segments, and what they rest on."""
    _nobody_looks()
    from dashboard.period import CHOICES, DATES
    from dashboard.report import write

    offered = [choice for choice in CHOICES if choice != DATES]
    if period not in offered:
        raise typer.BadParameter(f"{period!r}: write one of {', '.join(offered)}", param_hint="--period")
    if end is not None and start is None:
        raise typer.BadParameter("give --from too", param_hint="--to")
    write(target, choice=period, start=_day(start), end=_day(end), where=_filters(where or []))


@app.command("measures")
def list_measures(as_json: Annotated[bool, typer.Option("--json", help="Print everything the catalogue says, as JSON.")] = False) -> None:
    """List every measure with its definition and the part of the brief it serves."""
    from metrics.catalog import MEASURES, PRODUCT_ROWS

    if as_json:
        texts = ("name", "title", "unit", "direction", "grain", "date", "definition", "numerator", "denominator", "exclusions", "source")
        rows = [
            {name: str(getattr(measure, name)) for name in texts} | {"feeds": list(measure.feeds), "product_rows": list(measure.product_rows)}
            for measure in MEASURES.values()
        ]
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    table = Table("measure", "unit", "serves", "definition", box=None, pad_edge=False)
    for measure in MEASURES.values():
        serves = "; ".join(f"{row} {PRODUCT_ROWS[row]}" for row in measure.product_rows)
        table.add_row(measure.name, measure.unit, serves, measure.definition)
    out.print(table)


From = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day, inclusive.")]
To = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, inclusive.")]
Where = Annotated[list[str] | None, typer.Option("--where", help="dimension=value; the same dimension twice means either.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON, in full precision.")]


@app.command()
def targets(start: From = None, end: To = None, where: Where = None, as_json: AsJson = False) -> None:
    """Show every measure that has a target, and how it stands."""
    from metrics.catalog import MEASURES
    from metrics.group_targets import targets_in_view
    from metrics.lists.listing import freshness
    from metrics.query import Question, answer
    from metrics.targets import state_of, target_for
    from metrics.warehouse import locate, reading

    rows = []
    with reading(locate()) as connection:
        until = _day(end) or freshness(connection)["data_as_of"].date()
        chosen = _filters(where or [])
        listed = targets_in_view(connection, start=_day(start), end=until, where=chosen)
        for row in sorted(listed, key=lambda row: (list(MEASURES).index(row["measure"]) if row["measure"] in MEASURES else 999, row["scope"])):
            dimension, _, value = row["scope"].partition(":")
            scope = ((dimension, (value,)),) if value else ()
            if row["measure"] not in MEASURES:
                rows.append({**row, "value": None, "state": "no such measure"})
                continue
            question = Question((row["measure"],), start=_day(start), end=_day(end), where=(*chosen, *scope))
            (one,) = answer(connection, question)
            target = target_for([row], row["measure"], scope or chosen)
            state = state_of(one, MEASURES[row["measure"]], target)
            rows.append({**row, "value": one.value, "state": str(state), "no_data": one.no_data})
    _show(rows, ("measure", "scope", "target_value", "tolerance", "value", "state"), as_json=as_json)


@app.command()
def ladder(start: From = None, end: To = None, where: Where = None, as_json: AsJson = False) -> None:
    """Judge the same orders by ever stricter definitions of good."""
    from metrics.ladder import ladder as climb
    from metrics.warehouse import locate, reading
    from metrics.what_if import View

    with reading(locate()) as connection:
        found = climb(connection, view=View(_day(start), _day(end), _filters(where or [])))
    rows = [
        {
            "rung": step.rung.name,
            "adds": step.rung.adds,
            "out of": step.rung.base,
            "numerator": step.numerator,
            "denominator": step.denominator,
            "value": step.value,
            "skipped": step.skipped,
        }
        for step in found.steps
    ]
    _show(rows, ("rung", "adds", "out of", "numerator", "denominator", "value", "skipped"), as_json=as_json)
    screen.print(f"{found.orders:,} orders known on every rung; {found.dropped:,} left out because some rung cannot tell")


@app.command()
def diff(
    changes: Annotated[list[str], typer.Argument(help="Policy keys to change: late_tolerance_days=1 timing=WINDOW")],
    verdict: Annotated[
        str, typer.Option(help="on_time, complete, otif, damage_free, filled_accurately, billed_accurately or perfect_order.")
    ] = "otif",
    start: From = None,
    end: To = None,
    where: Where = None,
    as_json: AsJson = False,
) -> None:
    """List the orders whose verdict flips when the strict policy is changed, and the rule that flips each."""
    from metrics.diff import diff as compare
    from metrics.warehouse import locate, reading
    from metrics.what_if import View

    try:
        policy = _policy(changes)
        with reading(locate()) as connection:
            found = compare(connection, policy, verdict=verdict, view=View(_day(start), _day(end), _filters(where or [])))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    rows = [
        {
            "order": one.order_id,
            "before": _verdict(one.before),
            "after": _verdict(one.after),
            "rule": one.rule,
            "reason before": one.reason_before,
            "reason after": one.reason_after,
        }
        for one in found.flips
    ]
    _show(rows, ("order", "before", "after", "rule", "reason before", "reason after"), as_json=as_json)
    (before, after), (of_before, of_after) = found.numerators, found.denominators
    screen.print(
        f"{verdict}: {before:,} of {of_before:,} → {after:,} of {of_after:,}; {len(rows):,} of {found.judged:,} orders judged under both flip"
    )
    if found.only_first or found.only_other:
        screen.print(f"judged under one policy alone and not compared: {found.only_first:,} and {found.only_other:,}")


@app.command()
def explain(
    measure: Annotated[str, typer.Argument(help="Name of a measure (see `buyerview measures`).")],
    by: Annotated[str, typer.Option("--by", help="Dimension whose parts explain the change.")],
    before: Annotated[str, typer.Option(help="Period before, FIRST..LAST: 2026-01-01..2026-03-31")],
    after: Annotated[str, typer.Option(help="Period after, FIRST..LAST")],
    where: Where = None,
    as_json: AsJson = False,
) -> None:
    """Say why a measure moved between two periods: parts that add up to the change."""
    from metrics.explain import explain as take_apart
    from metrics.warehouse import locate, reading

    with reading(locate()) as connection:
        found = take_apart(connection, measure, by=by, before=_period(before), after=_period(after), where=_filters(where or []))
    rows = [
        {
            by: part.value,
            "before": part.before.value if part.before else None,
            "after": part.after.value if part.after else None,
            "mix": _number(part.mix),
            "rate": _number(part.rate),
            "effect": _number(part.effect),
            "shift": part.shift,
        }
        for part in found.parts
    ]
    used = [name for name in ("mix", "rate", "effect", "shift") if any(row[name] is not None for row in rows)]
    _show(rows, (by, "before", "after", *used), as_json=as_json)
    if found.why_not:
        screen.print(f"{measure}: {found.why_not}")
    else:
        words = "the effects add up to the change" if found.adds_up else "its parts do not add up"
        screen.print(f"{measure}: {found.before.value} → {found.after.value}, change {_number(found.change)}; {words}")


@app.command("fill-rate")
def fill_rate(
    orders: Annotated[float, typer.Option(help="Orders a year.")],
    low: Annotated[float, typer.Option("--from-fill", help="Order fill now, 0 to 1.")],
    high: Annotated[float, typer.Option("--to-fill", help="Order fill to be reached, 0 to 1.")],
    back_ordered: Annotated[float, typer.Option(help="Share of incomplete orders that is back-ordered, 0 to 1; the rest is lost.")],
    back_order_cost: Annotated[float, typer.Option(help="Cost of a back-order.")],
    profit: Annotated[float, typer.Option(help="Profit of an order.")],
    deduction: Annotated[float, typer.Option(help="Deducted from the invoice of a back-ordered order.")] = 0,
    investment: Annotated[float, typer.Option(help="What reaching the higher fill costs.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Work out what a better fill rate is worth."""
    from decimal import Decimal

    from metrics.fill_rate import Scenario, compare

    def scenario(fill: float) -> Scenario:
        return Scenario(*(Decimal(str(one)) for one in (orders, fill, back_ordered, back_order_cost, profit, deduction)))

    found = compare(scenario(low), scenario(high), investment=Decimal(str(investment)))
    rows = [
        {"": name, "now": float(getattr(found.low, key)), "then": float(getattr(found.high, key))}
        for name, key in (
            ("incomplete orders", "incomplete"),
            ("lost, back-ordered", "back_ordered"),
            ("lost, lost", "lost"),
            ("cash flow lost", "cash"),
        )
    ]
    _show(rows, ("", "now", "then"), as_json=as_json)
    payback = "never" if found.payback_years is None else f"{found.payback_years:.4f} years"
    screen.print(f"gain {found.gain:,f}; less the investment {found.net:,f}; payback {payback}; pays for {found.break_even:,f} at most in one year")


def _policy(changes: list[str]) -> Any:
    """The strict policy with some keys changed. Raises ValueError for a key or value that is none."""
    from dataclasses import fields, replace

    from metrics.policy import STRICT

    known = {field.name: getattr(STRICT, field.name) for field in fields(STRICT)}
    chosen: dict[str, Any] = {}
    for change in changes:
        key, sign, text = change.partition("=")
        if not sign or key not in known:
            raise ValueError(f"{change!r}: write key=value with one of {', '.join(known)}")
        strict = known[key]
        try:
            if isinstance(strict, bool):
                chosen[key] = {"true": True, "false": False}[text.lower()]
            elif isinstance(strict, StrEnum):
                chosen[key] = text  # Policy itself says which words it knows
            elif isinstance(strict, tuple):
                chosen[key] = tuple(text.split("+"))
            else:
                chosen[key] = type(strict)(text)
        except (KeyError, ValueError, ArithmeticError):
            like = "true or false" if isinstance(strict, bool) else f"a value like {strict}"
            raise ValueError(f"{change!r}: write {key}= and {like}") from None
    return replace(STRICT, **chosen)


def _period(words: str) -> tuple[date, date]:
    first, sign, last = words.partition("..")
    try:
        if not sign:
            raise ValueError
        return date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        raise typer.BadParameter(f"{words!r}: write FIRST..LAST, for example 2026-01-01..2026-03-31") from None


def _verdict(verdict: bool | None) -> str:
    return {True: "true", False: "false", None: "unknown"}[verdict]


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _show(rows: list[dict[str, Any]], columns: tuple[str, ...], *, as_json: bool) -> None:
    """Rows as a table, or as JSON."""
    if as_json:
        print(json.dumps([{name: row.get(name) for name in columns} for row in rows], ensure_ascii=False, indent=2, default=str))
        return
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(
            *["–" if row.get(name) is None else f"{row[name]:.10g}" if isinstance(row[name], float) else str(row[name]) for name in columns]
        )
    out.print(table)


if __name__ == "__main__":
    main()
