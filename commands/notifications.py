"""Alert rules and the weekly digest: alerts, digest."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from commands.options import Where, filters_of
from commands.output import not_a_terminal, out, screen


def alerts(
    as_json: Annotated[bool, typer.Option("--json", help="Print every rule with its last reading, as JSON.")] = False,
    test: Annotated[
        str, typer.Option("--test", help="Only send a word to this channel, mailto:ADDRESS or webhook:NAME.")
    ] = "",
) -> None:
    """List the alert rules with how they stand, and look at those that have not seen the newest generation.

    Rules are written on the page Views and alerts. They are looked at after every run by itself; this sends what could
    not leave then.
    """
    from dashboard.notifications.delivery import send_test
    from metrics.alerts import storage
    from metrics.store.connection import open_store
    from metrics.warehouse import locate

    if test:
        send_test(test)
        screen.print(f"Sent to {test}.", markup=False, soft_wrap=True)
        return
    check_rules()
    with open_store(locate(), write=False) as store:
        rules, states, last = storage.rules(store), storage.states(store), storage.last_readings(store)
    rows = [
        {
            "rule": one.name,
            "measure": one.measure,
            "stands": states[one.rule_id][0].status,
            "last": last.get(one.rule_id),
        }
        for one in rules
    ]
    if as_json:
        print(json.dumps(rows, default=str))
        return
    listed = Table("rule", "measure", "stands", "last reading", "decided", box=None, pad_edge=False)
    for row in rows:
        seen = row["last"] or {}
        period = f"{seen.get('number') or '–'} ({seen['starts_on']} to {seen['ends_on']})" if seen else "not yet"
        listed.add_row(row["rule"], row["measure"], row["stands"], period, seen.get("decided", ""))
    out.print(listed if rows else "No alert rule is written yet: the page Views and alerts has the form.")


def digest(
    to: Annotated[str, typer.Option("--to", help="E-mail address to send it to.")] = "",
    target: Annotated[
        Path | None, typer.Option("--out", help="Write the mail to this file (.eml) instead of, or beside, sending it.")
    ] = None,
    where: Where = None,
) -> None:
    """Send the last whole week's scorecard as an e-mail: its numbers, what got worse and for whom, the trend as a
    picture, links.
    """
    not_a_terminal()
    from dashboard.reports import digest as weekly

    if not to and target is None:
        raise typer.BadParameter("give --to, --out or both", param_hint="--to")
    if to and "@" not in to:
        raise typer.BadParameter(f"{to!r} is no e-mail address", param_hint="--to")
    message = weekly.made(filters_of(where or []), to=to)
    if target is not None:
        weekly.write(target, message)
        screen.print(f"Written to {target}.", markup=False, soft_wrap=True)
    if to:
        weekly.send(message)
        screen.print(f"Sent to {to}.", markup=False, soft_wrap=True)


def check_rules() -> None:
    """A round of the alert rules; whatever goes wrong in it is said, and spoils no run."""
    from dashboard.notifications import alert_round
    from metrics.errors import BuyerviewError
    from metrics.warehouse import locate

    try:
        told = alert_round.run_alerts(locate())
    except BuyerviewError as error:
        told = f"Alerts were not looked at: {error}"
    if told:
        screen.print(f"{told}.", markup=False, soft_wrap=True)
