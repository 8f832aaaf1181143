"""What can go wrong while records are taken in, as one tree.

```
BuyerviewError (metrics.errors)
├── MappingRefused     the mapping file is wrong: every problem in it at once
├── SourceRefused      a source object cannot be trusted as a whole: nothing of it is counted, nothing is published
└── RunAborted         a check of our own failed: a rule raised, or the ledger does not add up
```

A row that breaks a rule is none of these: it goes to quarantine and the run goes on.
"""

# ruff: noqa: N818 - named by what happened, as in metrics.errors

from metrics.errors import BuyerviewError


class MappingRefused(BuyerviewError):
    """The mapping file cannot be used; `problems` names each key and what to write instead."""

    exit_code = 78

    def __init__(self, file: str, problems: list[str]) -> None:
        self.file = file
        self.problems = problems
        super().__init__(
            "\n".join([f"{file}: {len(problems)} thing(s) to put right", *(f"  - {one}" for one in problems)])
        )


class SourceRefused(BuyerviewError):
    """A source object is refused whole: `object_name`, `place` in it, `reason`, and what to `do`."""

    exit_code = 65

    def __init__(self, object_name: str, place: str, reason: str, do: str) -> None:
        self.object_name = object_name
        self.place = place
        self.reason = reason
        self.do = do
        where = f"{object_name}, {place}" if place else object_name
        super().__init__(f"{where}: {reason}. {do} Nothing of this run was published.")


class RunAborted(BuyerviewError):
    """A check of our own failed, so nothing was published; `reason` says which and where."""

    exit_code = 70

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{reason} Nothing of this run was published; the generation before it is still served.")
