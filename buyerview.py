"""Entry point of the command `buyerview`, and the list of its commands.

Only this module and commands/ import ingest, metrics and dashboard together. Every exception becomes a message on
standard error and an exit status. An exception that is no BuyerviewError is a defect; BUYERVIEW_LOG=DEBUG shows its
traceback.
"""

import atexit
import gc
import io
import logging
import os
import sys
from collections.abc import Callable

import typer

from commands import access, analysis, exports, init, levers, notifications, run, trial
from commands.output import screen

NEW_OBJECTS = 50_000
"""Number of new objects that starts a garbage collection. Imports create hundreds of thousands and free none."""

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

app = typer.Typer(
    help="Service levels as the buyer sees them.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)

command: Callable[..., None]
for command in (run.demo, run.sample, init.init, trial.trial, run.ingest):
    app.command()(command)
app.command("apply")(run.apply)
app.command()(run.build)
for command in (notifications.alerts, notifications.digest, run.serve, exports.export, exports.verify, exports.report):
    app.command()(command)
app.command("measures")(analysis.list_measures)
for command in (analysis.targets, analysis.ladder, analysis.diff, analysis.explain, levers.levers):
    app.command()(command)
app.command("fill-rate")(analysis.fill_rate)
app.add_typer(access.app, name="access")


def main() -> None:
    """Run the command; turn a BuyerviewError into a message and an exit status."""
    from commands.failures import explain, hide_secrets
    from metrics.warehouse.folder import PRIVATE_UMASK

    os.umask(PRIVATE_UMASK)
    gc.set_threshold(NEW_OBJECTS)
    # The interpreter collects garbage several times when it ends, and visits millions of objects of the libraries.
    atexit.register(gc.freeze)
    level = os.environ.get("BUYERVIEW_LOG", "WARNING").upper()
    if level not in LOG_LEVELS:
        level = "WARNING"
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
    for handler in logging.getLogger().handlers:
        handler.setLevel(level)  # Great Expectations sets its own loggers to INFO
    hide_secrets()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files and columns can be invalid Unicode
    try:
        app(args=_repeat_where(sys.argv[1:]))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        logging.getLogger(__name__).debug("this error ended the command", exc_info=True)
        text, status = explain(error)
        screen.print(f"buyerview: {text}", markup=False, style="red", soft_wrap=True)
        sys.exit(status)


def _repeat_where(words: list[str]) -> list[str]:
    """Rewrite `--where a=1 b=2` as `--where a=1 --where b=2`, because an option of typer takes one value."""
    rewritten: list[str] = []
    after_where = False
    for word in words:
        if word == "--where":
            after_where = True
        elif after_where and "=" in word and not word.startswith("-"):
            rewritten += ["--where", word]
        else:
            after_where = False
            rewritten.append(word)
    return rewritten


if __name__ == "__main__":
    main()
