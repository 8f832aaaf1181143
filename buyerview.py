"""The command `buyerview`: its entry, and the list of what it can do. The only place, with commands/, that wires
ingest, metrics and dashboard.

Errors of ours become a message on standard error and an exit status; anything else is a defect and shows its traceback.
"""

import logging
import os
import sys

import typer

from commands import analysis, exports, notifications, run
from commands.output import screen

app = typer.Typer(
    help="Service levels as the buyer sees them.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)

for command in (run.demo, run.sample, run.ingest):
    app.command()(command)
app.command("apply")(run.apply)
for command in (notifications.alerts, notifications.digest, run.serve, exports.export, exports.verify, exports.report):
    app.command()(command)
app.command("measures")(analysis.list_measures)
for command in (analysis.targets, analysis.ladder, analysis.diff, analysis.explain):
    app.command()(command)
app.command("fill-rate")(analysis.fill_rate)


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


if __name__ == "__main__":
    main()
