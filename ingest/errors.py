"""Errors of an ingest run, as one tree.

```
BuyerviewError (metrics.errors)
├── MappingRefused     the mapping file is wrong; lists every problem
├── SourceRefused      a whole source object is unusable; nothing is published
├── ClockRefused       the machine's clock is before the last publish
├── HistoryNotWritten  the run succeeded, but the run history could not be written
└── RunAborted         one of our own checks failed: a rule raised, or the ledger does not add up
```

A row that breaks a rule raises no error. It goes to quarantine, and the run continues.
"""

# ruff: noqa: N818 - named after the event, as in metrics.errors

from datetime import datetime

from metrics.errors import BuyerviewError


class MappingRefused(BuyerviewError):
    """The mapping file cannot be used.

    `problems` names each wrong key and what to write instead.
    """

    exit_code = 78

    def __init__(self, file: str, problems: list[str]) -> None:
        self.file = file
        self.problems = problems
        super().__init__(
            "\n".join([f"{file}: {len(problems)} problem(s) to correct", *(f"  - {problem}" for problem in problems)])
        )


class SourceRefused(BuyerviewError):
    """A whole source object is refused.

    It has the `object_name`, the `place` in the object, the `reason`, and what to `do`.
    """

    exit_code = 65

    def __init__(self, object_name: str, place: str, reason: str, do: str) -> None:
        self.object_name = object_name
        self.place = place
        self.reason = reason
        self.do = do
        where = f"{object_name}, {place}" if place else object_name
        super().__init__(f"{where}: {reason}. {do} Nothing of this run was published.")


class ClockRefused(BuyerviewError):
    """The clock shows `now`, but the last publish was at `last` (both naive UTC). Nothing is published."""

    exit_code = 78

    def __init__(self, now: datetime, last: datetime) -> None:
        self.now = now
        self.last = last
        super().__init__(
            f"The clock of this machine shows {now:%Y-%m-%d %H:%M} UTC, but the data were last published on "
            f"{last:%Y-%m-%d %H:%M} UTC. Correct the clock, then start the run again. "
            "Nothing of this run was published."
        )


class HistoryNotWritten(BuyerviewError):
    """A run ended with `outcome` and `generation`, but the run history could not be written. `why` says why not."""

    exit_code = 74

    def __init__(self, outcome: str, generation: int | None, why: str) -> None:
        self.outcome = outcome
        self.generation = generation
        self.why = why
        done = f"Data version {generation} is published" if outcome == "published" else "The data are unchanged"
        super().__init__(f"{done}, but the run history does not record this run. {why} The next run needs no repair.")


class RunAborted(BuyerviewError):
    """One of our own checks failed, so nothing was published. `reason` names the check and the place."""

    exit_code = 70

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"{reason} Nothing of this run was published. Buyerview still serves the data version before it."
        )
