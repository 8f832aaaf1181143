"""Commands that answer questions about the numbers: measures, targets, ladder, diff, explain, fill-rate."""

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from commands.options import AsJson, DateBy, From, To, Where, day_of, filters_of, period_of, policy_of
from commands.output import number, out, screen, show, verdict_word

if TYPE_CHECKING:
    from metrics.queries.policy_diff import Diff


def list_measures(
    name: Annotated[str, typer.Argument(help="Name of a measure, to show all about it.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole catalogue as JSON.")] = False,
) -> None:
    """List every measure by business question, or show one measure with its definition."""
    from metrics.measures.catalog import ALIASES, BY_MODULE, MEASURES, PRODUCT_ROWS, dimensions_of, find

    texts = (
        "name",
        "title",
        "unit",
        "direction",
        "grain",
        "date",
        "definition",
        "numerator",
        "denominator",
        "exclusions",
        "source",
    )
    if as_json:
        rows = [
            {name: str(getattr(measure, name)) for name in texts}
            | {
                "feeds": list(measure.feeds),
                "product_rows": list(measure.product_rows),
                "dimensions": list(dimensions_of(measure)),
                "aliases": [alias for alias, meant in ALIASES.items() if meant == measure.name],
            }
            for measure in ([find(name)] if name else MEASURES.values())
        ]
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    if name:
        measure = find(name)
        serves = "; ".join(f"{row} {PRODUCT_ROWS[row]}" for row in measure.product_rows)
        about = {text: str(getattr(measure, text)) for text in texts}
        about |= {"feeds": ", ".join(measure.feeds), "dimensions": ", ".join(dimensions_of(measure)), "serves": serves}
        for label, about_text in about.items():
            out.print(f"{label:<12} {about_text}", markup=False)
        return
    table = Table("measure", "unit", "title", box=None, pad_edge=False)
    for question, measures in BY_MODULE.items():
        table.add_row(f"[bold]{question.replace('_', ' ').capitalize()}[/]")
        for measure in measures:
            table.add_row(f"  {measure.name}", measure.unit, measure.title)
    table.add_row("[bold]Other names[/]")
    for alias, meant in ALIASES.items():
        table.add_row(f"  {alias}", MEASURES[meant].unit, f"is {meant}")
    out.print(table)
    screen.print("`buyerview measures NAME` shows the definition of a measure, and --json shows the whole catalogue.")


def targets(start: From = None, end: To = None, where: Where = None, as_json: AsJson = False) -> None:
    """Show every target and its status."""
    from metrics.lists.data_quality import freshness
    from metrics.measures.catalog import MEASURES
    from metrics.model.point import provisional_note
    from metrics.model.question import Question
    from metrics.queries.answer import answer
    from metrics.queries.scope import reading
    from metrics.targets.in_view import targets_in_view
    from metrics.targets.targets import state_of, target_for
    from metrics.warehouse import locate

    rows = []
    with reading(locate()) as connection:
        until = day_of(end) or freshness(connection)["data_as_of"].date()
        chosen = filters_of(where or [])
        listed = targets_in_view(connection, start=day_of(start), end=until, where=chosen)
        for row in sorted(
            listed,
            key=lambda row: (list(MEASURES).index(row["measure"]) if row["measure"] in MEASURES else 999, row["scope"]),
        ):
            dimension, _, value = row["scope"].partition(":")
            scope = ((dimension, (value,)),) if value else ()
            if row["measure"] not in MEASURES:
                rows.append({**row, "value": None, "state": "no such measure"})
                continue
            question = Question((row["measure"],), start=day_of(start), end=day_of(end), where=(*chosen, *scope))
            (result,) = answer(connection, question)
            target = target_for([row], row["measure"], scope or chosen)
            state = state_of(result, MEASURES[row["measure"]], target)
            note = "; ".join(text for text in (result.no_data, provisional_note(result)) if text) or None
            figures = {"value": result.value, "worst": result.worst, "best": result.best}
            rows.append({**row, **figures, "state": str(state), "note": note})
    columns = ("measure", "scope", "target_value", "tolerance", "value", "worst", "best", "state", "note")
    show(rows, columns, as_json=as_json)


def ladder(start: From = None, end: To = None, where: Where = None, as_json: AsJson = False) -> None:
    """Judge the same orders under ten definitions, each stricter than the last."""
    from metrics.queries.definition_ladder import definition_ladder
    from metrics.queries.scope import reading
    from metrics.queries.what_if import View
    from metrics.warehouse import locate

    with reading(locate()) as connection:
        result = definition_ladder(connection, view=View(day_of(start), day_of(end), filters_of(where or [])))
    rows = [
        {
            "rung": step.rung.name,
            "adds": step.rung.adds,
            "out of": step.rung.base,
            "numerator": None if step.skipped else step.numerator,
            "denominator": None if step.skipped else step.denominator,
            "unknown": None if step.skipped else step.unknown,
            "value": step.value,
            "worst": step.answer.worst,
            "best": step.answer.best,
            "skipped": step.skipped,
        }
        for step in result.steps
    ]
    figures = ("numerator", "denominator", "unknown", "value", "worst", "best")
    show(rows, ("rung", "adds", "out of", *figures, "skipped"), as_json=as_json)
    screen.print(
        f"{result.orders:,} orders in view; orders that a rung cannot judge are unknown, not in its denominator"
    )


DIFF_COLUMNS = ("order", "before", "after", "rule", "reason before", "reason after")


def diff(
    changes: Annotated[
        list[str], typer.Argument(help="Policy keys to change, for example late_tolerance_days=1 timing=WINDOW.")
    ],
    verdict: Annotated[
        str,
        typer.Option(
            help="Verdict to compare: on_time, complete, otif, damage_free, filled_accurately, "
            "billed_accurately or perfect_order."
        ),
    ] = "otif",
    start: From = None,
    end: To = None,
    where: Where = None,
    as_json: AsJson = False,
) -> None:
    """List orders whose verdict another policy changes.

    Each order is listed with the policy key that changes its verdict.
    """
    from metrics.queries.policy_diff import policy_diff
    from metrics.queries.scope import reading
    from metrics.queries.what_if import View
    from metrics.warehouse import locate

    try:
        policy = policy_of(changes)
        with reading(locate()) as connection:
            result = policy_diff(
                connection, policy, verdict=verdict, view=View(day_of(start), day_of(end), filters_of(where or []))
            )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if result.no_data:
        show([], DIFF_COLUMNS, as_json=as_json)
        screen.print(f"{verdict}: {result.no_data}")
        return
    rows = [
        {
            "order": flip.order_id,
            "before": verdict_word(flip.before),
            "after": verdict_word(flip.after),
            "rule": flip.rule,
            "reason before": flip.reason_before,
            "reason after": flip.reason_after,
        }
        for flip in result.flips
    ]
    if as_json:
        print(json.dumps({**_totals(result), "flips": rows}, ensure_ascii=False, indent=2, default=str))
        return
    show(rows, DIFF_COLUMNS, as_json=False)
    _print_totals(verdict, result)


def _print_totals(verdict: str, result: "Diff") -> None:
    """Print the totals of a comparison of policies."""
    (before, after), (of_before, of_after) = result.numerators, result.denominators
    screen.print(
        f"{verdict}: {before:,} of {of_before:,} → {after:,} of {of_after:,}; "
        f"{len(result.flips):,} of {result.judged:,} orders judged under both policies change"
    )
    if any(result.unknown):
        screen.print(
            f"Unknown: {result.unknown[0]:,} → {result.unknown[1]:,}; "
            f"{result.became_unknown:,} became unknown and are not listed"
        )
    if result.only_first or result.only_other:
        screen.print(
            f"Not compared, because only one policy judges them: {result.only_first:,} and {result.only_other:,}"
        )


def _totals(result: "Diff") -> dict[str, object]:
    """Return the totals of a comparison of policies, for JSON."""
    before, after = (
        {"numerator": numerator, "denominator": denominator, "unknown": result.judged - denominator}
        for numerator, denominator in zip(result.numerators, result.denominators, strict=True)
    )
    return {
        "verdict": result.verdict,
        "before": before,
        "after": after,
        "judged": result.judged,
        "changed": len(result.flips),
        "only_before": result.only_first,
        "only_after": result.only_other,
    }


def explain(
    measure: Annotated[str, typer.Argument(help="Name of a measure (see `buyerview measures`).")],
    by: Annotated[
        str, typer.Option("--by", help="Dimension whose parts explain the change, or reason: the reasons of failure.")
    ],
    before: Annotated[str, typer.Option(help="Earlier period, FIRST..LAST, for example 2026-01-01..2026-03-31.")],
    after: Annotated[str, typer.Option(help="Later period, FIRST..LAST.")],
    where: Where = None,
    date_by: DateBy = None,
    as_json: AsJson = False,
) -> None:
    """Explain why a measure changed between two periods.

    The change is split into parts, one per value of a dimension. The parts add up to the change.
    """
    from metrics.queries.explain import explain as explain_change
    from metrics.queries.scope import reading
    from metrics.warehouse import locate

    with reading(locate()) as connection:
        result = explain_change(
            connection,
            measure,
            by=by,
            before=period_of(before),
            after=period_of(after),
            where=filters_of(where or []),
            date_by=date_by.value if date_by else None,
        )
    rows = [
        {
            by: part.value,
            "before": part.before.value if part.before else None,
            "after": part.after.value if part.after else None,
            "mix": number(part.mix),
            "rate": number(part.rate),
            "effect": number(part.effect),
            "shift": part.shift,
        }
        for part in result.parts
    ]
    used = [name for name in ("mix", "rate", "effect", "shift") if any(row[name] is not None for row in rows)]
    for period in result.provisional:
        screen.print(period)
    show(rows, (by, "before", "after", *used), as_json=as_json)
    if result.why_not:
        screen.print(f"{measure}: {result.why_not}")
    else:
        not_added = result.no_sum or "the parts do not add up to the change"
        words = "the effects add up to the change" if result.adds_up else not_added
        screen.print(
            f"{measure}: {result.before.value} → {result.after.value}, change {number(result.change)}; {words}"
        )


def fill_rate(
    orders: Annotated[float, typer.Option(help="Orders a year.")],
    low: Annotated[float, typer.Option("--from-fill", help="Order fill rate now, 0 to 1.")],
    high: Annotated[float, typer.Option("--to-fill", help="Order fill rate to reach, 0 to 1.")],
    back_ordered: Annotated[
        float,
        typer.Option(help="Share of incomplete orders with a further delivery, 0 to 1."),
    ],
    back_order_cost: Annotated[float, typer.Option(help="Cost of a back-order.")],
    profit: Annotated[float, typer.Option(help="Profit of an order.")],
    waited: Annotated[
        float,
        typer.Option(help="Share of incomplete orders that come later in one delivery, 0 to 1; the others are lost."),
    ] = 0,
    deduction: Annotated[float, typer.Option(help="Amount deducted from the invoice of a back-ordered order.")] = 0,
    investment: Annotated[float, typer.Option(help="Cost of reaching the higher fill rate.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Calculate the value of a higher fill rate."""
    from decimal import Decimal

    from metrics.measures.fill_scenarios import Scenario, compare

    def scenario(fill: float) -> Scenario:
        return Scenario(
            *(Decimal(str(value)) for value in (orders, fill, back_ordered, back_order_cost, profit, deduction, waited))
        )

    result = compare(scenario(low), scenario(high), investment=Decimal(str(investment)))
    rows = [
        {"": name, "now": float(getattr(result.low, key)), "then": float(getattr(result.high, key))}
        for name, key in (
            ("incomplete orders", "incomplete"),
            ("cost of back-ordered orders", "back_ordered"),
            ("cost of lost orders", "lost"),
            ("cash flow lost", "cash"),
        )
    ]
    show(rows, ("", "now", "then"), as_json=as_json)
    payback = "never" if result.payback_years is None else f"{result.payback_years:.4f} years"
    screen.print(
        f"gain {result.gain:,f}; net of the investment {result.net:,f}; payback {payback}; "
        f"highest investment repaid within a year {result.break_even:,f}"
    )
