"""Commands for alert rules and the weekly digest: alerts, digest."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from commands.options import Where, filters_of
from commands.output import out, screen, silence_streamlit


def alerts(
    as_json: Annotated[bool, typer.Option("--json", help="Print every rule and its last reading as JSON.")] = False,
    test: Annotated[
        str, typer.Option("--test", help="Only send a test message to this channel, mailto:ADDRESS or webhook:NAME.")
    ] = "",
) -> None:
    """List the alert rules and their status.

    First the command checks the rules that were not yet checked against the newest data. Create rules on the page
    Views and alerts. Buyerview checks all rules after every run. This command also sends messages that could not be
    sent before.
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
            "rule": rule.name,
            "measure": rule.measure,
            "stands": states[rule.rule_id][0].status,
            "last": last.get(rule.rule_id),
        }
        for rule in rules
    ]
    if as_json:
        print(json.dumps(rows, default=str))
        return
    listed = Table("rule", "measure", "status", "last reading", "result", box=None, pad_edge=False)
    for rule in rules:
        seen = last.get(rule.rule_id) or {}
        period = f"{seen.get('number') or '–'} ({seen['starts_on']} to {seen['ends_on']})" if seen else "not yet"
        listed.add_row(rule.name, rule.measure, states[rule.rule_id][0].status, period, seen.get("decided", ""))
    out.print(listed if rows else "There are no alert rules. Create one on the page Views and alerts.")


def digest(
    to: Annotated[str, typer.Option("--to", help="E-mail address of the recipient.")] = "",
    target: Annotated[
        Path | None, typer.Option("--out", help="File to write the e-mail to (.eml), with or without --to.")
    ] = None,
    where: Where = None,
) -> None:
    """Send the scorecard of the last full week by e-mail.

    The e-mail has the numbers, the declines and the affected segments, a picture of the trend and links.
    """
    silence_streamlit()
    from dashboard.reports import digest as weekly

    if not to and target is None:
        raise typer.BadParameter("give --to, --out or both", param_hint="--to")
    if to and "@" not in to:
        raise typer.BadParameter(f"{to!r} is not an e-mail address", param_hint="--to")
    message = weekly.made(filters_of(where or []), to=to)
    if target is not None:
        weekly.write(target, message)
        screen.print(f"Written to {target}.", markup=False, soft_wrap=True)
    if to:
        weekly.send(message)
        screen.print(f"Sent to {to}.", markup=False, soft_wrap=True)


def check_rules() -> None:
    """Check the alert rules and send messages. Print errors instead of raising them, so that the run succeeds."""
    from dashboard.notifications import alert_round
    from metrics.errors import BuyerviewError
    from metrics.warehouse import locate

    try:
        result = alert_round.run_alerts(locate())
    except BuyerviewError as error:
        result = f"The alert rules were not checked: {error}"
    if result:
        screen.print(f"{result}.", markup=False, soft_wrap=True)
