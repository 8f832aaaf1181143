"""Count how a proposal maps the columns of a fixture: right, asked, unmapped, wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ingest.inference.proposal import Proposal
from ingest.inference.propose import propose
from ingest.inference.tables import find_tables
from ingest.read.reader_process import ReaderProcess
from ingest.storage.scratch_database import scratch

Truth = Mapping[str, Mapping[str, str]]
"""Feed, then its column, then the source column that has it."""


@dataclass(frozen=True)
class Counted:
    right: int
    asked: list[str]
    unmapped: list[str]
    wrong: list[str]

    @property
    def share_right(self) -> float:
        return self.right / (self.right + len(self.asked) + len(self.unmapped) + len(self.wrong))


def proposed(folder: Path, *, yes: bool = False) -> Proposal:
    """Propose a mapping for a folder. yes: with the best answer to every question."""
    files = sorted(one for one in folder.rglob("*") if one.is_file())
    with scratch() as place, ReaderProcess(place.folder) as readers:
        connection = place.connect()
        search = find_tables(connection, folder, files, readers)
        answers: dict[str, str] = {}
        while True:
            proposal = propose(connection, search, answers, source="fixture", time_zone="Europe/Berlin")
            new = {question.key: question.best for question in proposal.questions if question.key not in answers}
            if not yes or not new:
                connection.close()
                return proposal
            answers |= new


def counted(proposal: Proposal, truth: Truth) -> Counted:
    """Compare a proposal without answers with the truth. A mapped column that the truth does not have is wrong."""
    right, asked, unmapped = 0, [], []
    mapped = {
        (feed, target): column.origin for feed, one in proposal.feeds.items() for target, column in one.columns.items()
    }
    questions = " ".join(f"{question.key} {question.text}" for question in proposal.questions)
    for feed, columns in truth.items():
        for target, source in columns.items():
            if mapped.get((feed, target)) == source:
                right += 1
            elif (feed, target) not in mapped:
                (asked if repr(source) in questions else unmapped).append(f"{feed}.{target} = {source}")
    wrong = [
        f"{feed}.{target} = {source}"
        for (feed, target), source in mapped.items()
        if truth.get(feed, {}).get(target) != source
    ]
    return Counted(right, asked, unmapped, wrong)
