"""The command `levers`: what would raise the share of perfect orders most."""

from typing import Annotated

import typer

from commands.options import AsJson, From, To, Where, day_of, filters_of
from commands.output import number, screen, show


def levers(
    by: Annotated[
        str, typer.Option("--by", help="Dimension: carrier, product_category, place, customer, segment, or all.")
    ] = "",
    start: From = None,
    end: To = None,
    where: Where = None,
    as_json: AsJson = False,
) -> None:
    """List what would raise the share of perfect orders most.

    A lever is a failure reason at one value of a dimension. Its orders failed only because of it. Without it they are
    judged again: they become perfect, or unknown if another test is unknown. `perfect_order` is the share then.
    """
    from metrics.model.question import Question
    from metrics.queries.levers import ALL, DIMENSIONS
    from metrics.queries.levers import levers as rank_levers
    from metrics.queries.scope import reading
    from metrics.warehouse import locate

    if by and by not in (ALL, *DIMENSIONS):
        raise typer.BadParameter(f"{by!r}: write one of {', '.join((*DIMENSIONS, ALL))}", param_hint="--by")
    question = Question((), start=day_of(start), end=day_of(end), where=filters_of(where or []))
    with reading(locate()) as connection:
        found = rank_levers(connection, question)
    rows = [
        {
            "reason": lever.reason,
            "dimension": lever.dimension,
            "of": lever.of,
            "orders": lever.orders,
            "perfect": lever.perfect,
            "perfect_order": number(lever.without.value),
            "value": number(lever.value),
            "cost": number(lever.cost),
            "lost_margin": number(lever.lost_margin),
        }
        for lever in (found.of_dimension(by) if by else found.levers)
    ]
    show(rows, tuple(rows[0]) if rows else ("reason",), as_json=as_json)
    whole = found.whole.no_data if found.whole.value is None else f"{float(found.whole.value):.4f}"
    money = f"; amounts in {found.currency}" if found.currency else ""
    screen.print(
        f"perfect_order: {whole}; {found.failed:,} failed orders, {found.several:,} of them for several reasons{money}"
    )
