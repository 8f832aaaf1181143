"""Exceptions as text for people, and log lines without secrets."""

import contextlib
import logging
import traceback
from typing import Any

from metrics.errors import BuyerviewError, driver_text, storage_text
from metrics.redaction import redacted

DEFECT = 70
UNREADABLE = 74


def explain(error: Exception) -> tuple[str, int]:
    """Return the message and the exit status of an exception that ends a command."""
    if isinstance(error, BuyerviewError):
        return str(error), error.exit_code
    if isinstance(error, (OSError, MemoryError)):
        return f"{storage_text(error)}. Correct it, then start the command again.", UNREADABLE
    what = f"{type(error).__name__}: {driver_text(error).rstrip('.')}"
    return (
        f"unexpected error: {what}. This is a defect of Buyerview; please report it. BUYERVIEW_LOG=DEBUG shows where "
        "it happened. The published data are complete: a run publishes everything or nothing.",
        DEFECT,
    )


def hide_secrets() -> None:
    """Remove secrets from every log line of this process, tracebacks included."""
    logging.setLogRecordFactory(_secret_free_record)


# Any: the arguments of LogRecord, which differ between versions of Python
def _secret_free_record(*args: Any, **named: Any) -> logging.LogRecord:
    record = logging.LogRecord(*args, **named)
    with contextlib.suppress(TypeError, ValueError):  # arguments that do not fit the message: logging reports them
        record.msg, record.args = redacted(record.getMessage()), ()
    if record.exc_info and record.exc_info[0] is not None:
        record.exc_text = redacted("".join(traceback.format_exception(*record.exc_info)).rstrip())
    return record
