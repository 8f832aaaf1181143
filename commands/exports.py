"""Commands that write and check files: export, verify, report."""

import json
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.imports import without_pandas
from commands.options import (
    As,
    DateBy,
    Format,
    From,
    Grain,
    To,
    Where,
    access_of_person,
    day_of,
    filters_of,
    scope_of_person,
    words_of,
)
from commands.output import out, screen, silence_streamlit

if TYPE_CHECKING:
    from metrics.access import Scope
    from metrics.model.question import Question
    from metrics.provenance.changed_records import RecordChange
    from metrics.provenance.verify import Difference, Verified
    from metrics.store.audit import Chain


def export(
    fmt: Annotated[Format, typer.Option("--format", help="File format.")],
    target: Annotated[Path, typer.Option("--out", help="File to write, or - for standard output.")],
    measures: Annotated[
        str, typer.Option("--measures", help="Measures, separated by commas: otif,on_time (see `buyerview measures`).")
    ] = "",
    table: Annotated[
        str,
        typer.Option(
            "--table", help="Fact table to write instead of measures, for example order_facts or order_line_facts."
        ),
    ] = "",
    by: Annotated[str, typer.Option("--by", help="Dimensions, separated by commas: region,segment.")] = "",
    grain: Annotated[Grain | None, typer.Option("--grain", help="Period for a breakdown over time.")] = None,
    start: From = None,
    end: To = None,
    where: Where = None,
    date_by: DateBy = None,
    person: As = "",
) -> None:
    """Write measures or a whole fact table to a file.

    Measures can be broken down by dimensions and period. Rates are fractions in full precision. Every export states
    its definitions, filters, policy, data version, failed checks and a hash of its rows. Excel has them on the
    second sheet and Parquet in its metadata. CSV and JSON have them in FILE.provenance.json. A FILE that ends in
    .zip contains both files.
    """
    from metrics.model.question import Question
    from metrics.queries.scope import reading
    from metrics.warehouse import locate

    narrowed = by or grain or start or end or where or date_by or str(target) == "-"
    if bool(measures) == bool(table) or (table and narrowed):
        raise typer.BadParameter(
            "give --measures with dimensions and filters, or --table with --out FILE and nothing else",
            param_hint="--table",
        )
    if table:
        from dashboard.exports.fact_table import write as write_table

        with reading(locate(), scope_of_person(person)) as connection:
            screen.print(f"{write_table(connection, table, fmt.value, target):,} rows")
        return
    question = Question(
        measures=words_of(measures),
        by=words_of(by),
        grain=grain.value if grain else None,
        start=day_of(start),
        end=day_of(end),
        where=filters_of(where or []),
        date=date_by.value if date_by else None,
    )
    _write_answers(question, fmt.value, target, scope_of_person(person))


def _write_answers(question: "Question", fmt: str, target: Path, scope: "Scope") -> None:
    """Write the answers to a file, or to standard output if the target is -."""
    from dashboard.exports import write as files
    from metrics.provenance.provenance import provenance
    from metrics.queries.answer_table import answer_table
    from metrics.queries.scope import reading
    from metrics.warehouse import locate

    with without_pandas(), reading(locate(), scope) as connection:
        answers = answer_table(connection, question)
        recorded = provenance(connection, question)
    for declared in recorded["stand_ins"]:
        screen.print(f"note: {declared}", markup=False, soft_wrap=True)
    if str(target) == "-":
        sys.stdout.buffer.write(files.as_bytes(answers, fmt, recorded))
        sys.stdout.buffer.flush()
    else:
        files.write(answers, fmt, target, recorded)


def verify(
    file: Annotated[
        Path | None,
        typer.Argument(help="File written by `buyerview export` or the dashboard: CSV, Excel, Parquet, JSON or .zip."),
    ] = None,
    audit: Annotated[
        bool, typer.Option("--audit", help="Check the audit trail and the run ledger instead of a file.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all differences as JSON.")] = False,
) -> None:
    """Check an export: is it unaltered, and are its numbers current?

    If the newest data gives other numbers, the command lists the records that changed. Exit status 0: the file is
    not altered, and the newest data gives the same numbers. 1: the file is altered. Its rows do not match their
    hash, or its own data version gives other numbers. 3: the file is not altered, but the newest data gives other
    numbers. 65: the file is not an export of Buyerview, or its provenance is missing. 66: there is no published
    data. With --audit, 1 means that an entry of the
    audit trail, or a run, was changed, added or deleted by hand.
    """
    if audit == (file is not None):
        raise typer.BadParameter("give a file or --audit", param_hint="FILE")
    if file is None:
        sys.exit(_verify_audit_trail())
    from dataclasses import asdict

    from dashboard.exports.read import read_for_verification, recorded_table
    from metrics.provenance.verify import verify as check
    from metrics.warehouse import locate
    from metrics.warehouse.pointer import sha256

    if (table := recorded_table(file)) is not None:
        altered = sha256(file) != table["file_sha256"]
        verdict = "✗ ALTERED: the file does not match" if altered else "✓ The file matches"
        out.print(
            f"{file}: table {table['table']}, {table['rows']:,} rows, data version {table['generation']}\n"
            f"{verdict} its recorded hash",
            markup=False,
        )
        sys.exit(int(altered))
    written = read_for_verification(file)
    result = check(locate(), written.columns, written.rows, written.provenance)
    if as_json:
        print(json.dumps(asdict(result), ensure_ascii=False, indent=2))
    else:
        _print_verified(file, result)
    sys.exit(1 if not result.is_genuine else 3 if result.now else 0)


def _verify_audit_trail() -> int:
    """Check the hash chains of the audit trail and the run ledger, print the result, and return the exit status."""
    from metrics.errors import NothingPublished
    from metrics.provenance.run_chain import check_runs
    from metrics.store.audit import check_chain
    from metrics.store.connection import open_store
    from metrics.warehouse import locate, reading

    with open_store(locate(), write=False) as store:
        altered = _print_chain("Audit trail", check_chain(store))
    with suppress(NothingPublished), reading(locate()) as connection:
        altered |= _print_chain("Run ledger", check_runs(connection))
    return int(altered)


def _print_chain(name: str, chain: "Chain") -> bool:
    """Print the state of a hash chain. Return True if it is broken."""
    _print(f"{name}: {chain.entries:,} entries, {chain.without_hash:,} of an earlier version without a hash")
    if chain.broken:
        first = ", ".join(map(str, chain.broken[:SHOWN_ROWS]))
        _print(
            f"✗ ALTERED: {len(chain.broken):,} entries were changed, added or deleted by hand, or follow one: {first}"
        )
    else:
        _print(f"✓ The hashes match. The last one is {chain.last}")
    return bool(chain.broken)


def report(
    target: Annotated[Path, typer.Option("--out", help="PDF file to write.")],
    period: Annotated[
        str, typer.Option("--period", help="Period as in the dashboard: 4W, 13W, 26W, 52W, Quarter, Year or All.")
    ] = "13W",
    start: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="First day, inclusive, in place of --period."),
    ] = None,
    end: To = None,
    where: Where = None,
    page: Annotated[
        str, typer.Option("--page", help="Another page, with its address: 'availability?period=26W&segment=A'.")
    ] = "",
    person: As = "",
) -> None:
    """Write the scorecard as a one-page PDF, or any page.

    The one-page scorecard shows the tiles, the trend, the segments and notes on the data. `--page` writes a page as the
    browser shows it, without its controls. Its address then has the period and the filters.
    """
    silence_streamlit()
    if page:
        from dashboard.reports.page_pdf import page_pdf

        target.write_bytes(page_pdf(page, access_of_person(person)))
        return
    from dashboard import queries
    from dashboard.frame.period import CHOICES, DATES
    from dashboard.reports.pdf import write

    offered = [choice for choice in CHOICES if choice != DATES]
    if period not in offered:
        raise typer.BadParameter(f"{period!r}: write one of {', '.join(offered)}", param_hint="--period")
    if end is not None and start is None:
        raise typer.BadParameter("give --from too", param_hint="--to")
    with queries.reading_as(scope_of_person(person)):
        write(target, choice=period, start=day_of(start), end=day_of(end), where=filters_of(where or []))


SHOWN_ROWS, SHOWN_ORDERS = 20, 10
"""Printed differences, and printed orders per difference. `--json` prints all."""


def _print(text: str) -> None:
    out.print(text, markup=False, soft_wrap=True)


def _print_verified(file: Path, result: "Verified") -> None:
    _print(f"{file}: {result.rows:,} rows, data version {result.generation}")
    _print(
        "✗ ALTERED: the rows do not match their recorded hash"
        if result.altered
        else "✓ The rows match their recorded hash"
    )
    if result.own is None:
        _print(f"– Data version {result.generation} is not available: {result.why_not_own}")
    else:
        _print(
            f"✗ Data version {result.generation} gives other numbers:"
            if result.own
            else f"✓ Data version {result.generation} gives the same numbers"
        )
        _print_differences(result.own)
    for rule in result.rules:
        _print(f"– Changed since the export: {rule}")
    if not result.now:
        _print(f"✓ The newest data version, {result.newest}, gives the same numbers")
        return
    compared = "the file" if result.own is None else f"data version {result.generation}"
    _print(f"✗ The newest data version, {result.newest}, gives other numbers than {compared}:")
    if result.own is None:
        _print("  (The list names every order behind the number that has a changed record.)")
    _print_differences(result.now)
    for feed, changes in result.elsewhere.items():
        example = f"{_key(changes[0])} {_change_text(changes[0])}"
        _print(f"  Changed records that belong to no order: {len(changes):,} of {feed}, for example {example}")


def _print_differences(differences: "list[Difference]") -> None:
    for difference in differences[:SHOWN_ROWS]:
        row = ", ".join(
            str(value) if name == "measure" else f"{name} {'(empty)' if value is None else value}"
            for name, value in difference.row.items()
        )
        moved = ", ".join(
            f"{name} {before or '–'} → {after or '–'}" for name, (before, after) in difference.columns.items()
        )
        _print(f"  {row}: {moved}")
        for order, changes in list(difference.orders.items())[:SHOWN_ORDERS]:
            listed = "; ".join(f"{change.feed} {_key(change)} {_change_text(change)}" for change in changes)
            _print(f"    order {order}: {listed or 'no record changed; the order came due, or a window closed'}")
        if len(difference.orders) > SHOWN_ORDERS:
            _print(f"    … {SHOWN_ORDERS} of {len(difference.orders):,} orders; use --json for all")
    if len(differences) > SHOWN_ROWS:
        _print(f"  … {SHOWN_ROWS} of {len(differences):,} rows; use --json for all")


def _key(change: "RecordChange") -> str:
    return " / ".join(str(value) for value in json.loads(change.key or "{}").values())


def _change_text(change: "RecordChange") -> str:
    if change.before is None:
        return change.how + (f" ({change.after})" if change.after else "")
    before, after = json.loads(change.before), json.loads(change.after or "null")
    return f"{change.how}: " + ", ".join(
        f"{name} {before.get(name)} → {after.get(name)}" for name in dict.fromkeys((*before, *after))
    )
