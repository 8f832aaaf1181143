"""Commands for alert rules and the weekly digest: alerts, digest."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from commands.options import As, Filters, Where, filters_of, scope_of_person, scope_of_recipient
from commands.output import out, screen, silence_streamlit

if TYPE_CHECKING:
    from metrics.access import Access


def alerts(
    as_json: Annotated[bool, typer.Option("--json", help="Print every rule and its last reading as JSON.")] = False,
    test: Annotated[
        str,
        typer.Option(
            "--test",
            help="Only send a test message to this channel: mailto:ADDRESS, webhook:NAME, slack:NAME or teams:NAME.",
        ),
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
    to: Annotated[
        str, typer.Option("--to", help="E-mail address of the recipient, or slack:NAME, teams:NAME or webhook:NAME.")
    ] = "",
    target: Annotated[
        Path | None, typer.Option("--out", help="File to write the e-mail to (.eml), with or without --to.")
    ] = None,
    where: Where = None,
    view: Annotated[
        str,
        typer.Option(
            "--view", help="A shared view, or the recipient's own: use its filters, and with --pdf attach its page."
        ),
    ] = "",
    with_pdf: Annotated[
        bool, typer.Option("--pdf", help="Attach the one-page scorecard, or the page of the view, as PDF.")
    ] = False,
    person: As = "",
) -> None:
    """Send the scorecard of the last full week by e-mail, or to Slack, Teams or a webhook.

    The e-mail has the numbers, the declines and the affected segments, a picture of the trend and links. The other
    channels get the numbers, the declines and a link. Schedule this command with a timer or cron. A recipient with
    access gets the rows of that access, unless --as names another person.
    """
    silence_streamlit()
    from dashboard import queries
    from metrics.access import Access, Role
    from metrics.alerts.rules import WEBHOOKS

    is_channel = to.partition(":")[0] in WEBHOOKS
    if not to and target is None:
        raise typer.BadParameter("give --to, --out or both", param_hint="--to")
    if to and "@" not in to and not is_channel:
        raise typer.BadParameter(f"{to!r} is no e-mail address and no channel", param_hint="--to")
    if view and where:
        raise typer.BadParameter("give --view or --where", param_hint="--view")
    if with_pdf and is_channel and target is None:
        raise typer.BadParameter("only an e-mail can have a PDF attached", param_hint="--pdf")
    scope = scope_of_person(person) if person else scope_of_recipient(to)
    with queries.reading_as(scope):
        _write_digest(
            to,
            target,
            filters_of(where or []),
            view,
            person=person,
            reader=Access(person or to, Role.VIEWER, scope) if scope else None,
            with_pdf=with_pdf,
            is_channel=is_channel,
        )
    if to:
        screen.print(f"Sent to {to}.", markup=False, soft_wrap=True)


def _write_digest(
    to: str,
    target: Path | None,
    filters: Filters,
    view: str,
    *,
    person: str,
    reader: "Access | None",
    with_pdf: bool,
    is_channel: bool,
) -> None:
    """Write the digest to the file, and send it."""
    from dashboard.reports import digest as weekly
    from dashboard.reports import digest_extras

    saved = digest_extras.saved_view(view, person or to) if view else None
    filters = saved.where if saved else filters
    if target is not None or not is_channel:
        message = weekly.made(filters, to="" if is_channel else to)
        if with_pdf:
            if saved:
                digest_extras.attach_page(message, saved, reader)
            else:
                digest_extras.attach_report(message, filters)
        if target is not None:
            weekly.write(target, message)
            screen.print(f"Written to {target}.", markup=False, soft_wrap=True)
        if to and not is_channel:
            weekly.send(message)
    if is_channel:
        digest_extras.send_to_channel(to, filters)


def check_rules() -> None:
    """Check the alert rules and send messages. Print errors instead of raising them, so that the run succeeds."""
    from metrics.alerts import storage
    from metrics.errors import BuyerviewError
    from metrics.store.connection import open_store
    from metrics.warehouse import locate

    place = locate()
    try:
        with open_store(place, write=False) as store:
            if not storage.rules(store) and not storage.due_messages(store, datetime.now(UTC).replace(tzinfo=None)):
                return
        from dashboard.notifications import alert_round  # imports Streamlit, which takes half a second

        result = alert_round.run_alerts(place)
    except BuyerviewError as error:
        result = f"The alert rules were not checked: {error}"
    if result:
        screen.print(f"{result}.", markup=False, soft_wrap=True)
