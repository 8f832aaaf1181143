"""Files that are taken away, and whether they still hold: export, verify, report."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from commands.options import Format, From, Grain, To, Where, day_of, filters_of, words_of
from commands.output import not_a_terminal, out, screen


def export(
    fmt: Annotated[Format, typer.Option("--format", help="What to write.")],
    target: Annotated[Path, typer.Option("--out", help="File to write; - is standard output.")],
    measures: Annotated[
        str, typer.Option("--measures", help="Names, with commas: otif,on_time (see `buyerview measures`).")
    ] = "",
    table: Annotated[
        str,
        typer.Option(
            "--table", help="Instead: a whole table the numbers are made of, order_facts or order_line_facts."
        ),
    ] = "",
    by: Annotated[str, typer.Option("--by", help="Dimensions, with commas: region,segment.")] = "",
    grain: Annotated[Grain | None, typer.Option("--grain", help="Period to break down by.")] = None,
    start: From = None,
    end: To = None,
    where: Where = None,
) -> None:
    """Write any measures by any dimensions and period; rates as fractions in full precision.

    What the numbers are (definitions, filters, policy, generation, checks that failed, hash of the rows) is on Excel's
    second sheet, in Parquet's metadata, and for CSV and JSON beside them in FILE.provenance.json; a FILE that ends in
    .zip is an archive of both.
    """
    from dashboard.exports import write as files
    from dashboard.exports.fact_table import write as write_table
    from metrics.provenance.provenance import provenance
    from metrics.queries.answer import Question, frame
    from metrics.warehouse import locate, reading

    if bool(measures) == bool(table) or (table and (by or grain or start or end or where or str(target) == "-")):
        raise typer.BadParameter(
            "give --measures with what they are broken down and filtered by, or --table and a file alone",
            param_hint="--table",
        )
    if table:
        with reading(locate()) as connection:
            screen.print(f"{write_table(connection, table, fmt.value, target):,} rows")
        return
    question = Question(
        measures=words_of(measures),
        by=words_of(by),
        grain=grain.value if grain else None,
        start=day_of(start),
        end=day_of(end),
        where=filters_of(where or []),
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


def verify(
    file: Annotated[
        Path,
        typer.Argument(help="A file of `buyerview export` or of the dashboard: CSV, Excel, Parquet, JSON or .zip."),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print everything found, as JSON.")] = False,
) -> None:
    """Say whether an export's numbers are what was written and still come out; if not, which records changed.

    Exit status: 0 not altered, and the newest generation gives the same numbers; 1 altered (the rows do not have the
    hash written with them, or their own generation gives others); 3 not altered, but the newest generation gives other
    numbers; 65 not an export of Buyerview, or what says so is lost; 66 nothing is published here.
    """
    from dataclasses import asdict

    from dashboard.exports.fact_table import sha256
    from dashboard.exports.read import read_for_verification, recorded_table
    from metrics.provenance.verify import verify as check
    from metrics.warehouse import locate

    if (said := recorded_table(file)) is not None:
        altered = sha256(file) != said["file_sha256"]
        words = "✗ ALTERED: the file does not have" if altered else "✓ the file has"
        out.print(
            f"{file}: table {said['table']}, {said['rows']:,} rows, generation {said['generation']}\n{words} the hash written with it",
            markup=False,
        )
        sys.exit(int(altered))
    written = read_for_verification(file)
    found = check(locate(), written.columns, written.rows, written.provenance)
    if as_json:
        print(json.dumps(asdict(found), ensure_ascii=False, indent=2))
    else:
        _verified(file, found)
    sys.exit(1 if not found.is_genuine else 3 if found.now else 0)


def report(
    target: Annotated[Path, typer.Option("--out", help="PDF file to write.")],
    period: Annotated[
        str, typer.Option("--period", help="As in the dashboard: 4W, 13W, 26W, 52W, Quarter, Year or All.")
    ] = "13W",
    start: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day, inclusive, instead of a period.")
    ] = None,
    end: To = None,
    where: Where = None,
) -> None:
    """Write one page of the scorecard as a PDF: tiles, trend, segments, and what they rest on."""
    not_a_terminal()
    from dashboard.frame.period import CHOICES, DATES
    from dashboard.reports.pdf import write

    offered = [choice for choice in CHOICES if choice != DATES]
    if period not in offered:
        raise typer.BadParameter(f"{period!r}: write one of {', '.join(offered)}", param_hint="--period")
    if end is not None and start is None:
        raise typer.BadParameter("give --from too", param_hint="--to")
    write(target, choice=period, start=day_of(start), end=day_of(end), where=filters_of(where or []))


SHOWN_ROWS, SHOWN_ORDERS = 20, 10
"""Differences printed, and orders of each; --json has all."""


def _verified(file: Path, found: Any) -> None:
    def say(text: str) -> None:
        out.print(text, markup=False, soft_wrap=True)

    say(f"{file}: {found.rows:,} rows, generation {found.generation}")
    say(
        "✗ ALTERED: the rows do not have the hash written with them"
        if found.altered
        else "✓ the rows have the hash written with them"
    )
    if found.own is None:
        say(f"– its own generation cannot be asked: {found.why_not_own}")
    else:
        say(
            f"✗ generation {found.generation} gives other numbers:"
            if found.own
            else f"✓ generation {found.generation} gives the same numbers"
        )
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
        say(
            f"  changed besides, of no order: {len(changes):,} of {feed}, for example {_key(changes[0])} {_what_changed(changes[0])}"
        )


def _differences(differences: Any, say: Any) -> None:
    for one in differences[:SHOWN_ROWS]:
        row = ", ".join(
            value if name == "measure" else f"{name} {'(empty)' if value is None else value}"
            for name, value in one.row.items()
        )
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
    return f"{change.how}: " + ", ".join(
        f"{name} {before.get(name)} → {after.get(name)}" for name in dict.fromkeys((*before, *after))
    )
