"""Give every column of a feed one source column. Where two are equally likely, ask instead."""

import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ingest.inference.matching import Candidate, Candidates

ACCEPTED = 0.75
"""Score from which a column is mapped without a question."""
MARGIN = 0.1
"""Distance of the next likely column that needs no question."""
NOTHING = "none of them"
WORTH_ASKING = (
    "requested_by", "promised_by", "ordered_at", "shipped_at", "received_at", "line_amount", "shipped_qty",
    "received_qty",
)  # fmt: skip
"""Columns, besides the needed ones, whose weak candidates are worth a question. The first is preferred."""

Answers = Mapping[str, str]


@dataclass(frozen=True)
class Question:
    """Something that the data do not decide. `best` is one of the choices."""

    key: str
    text: str
    choices: tuple[str, ...]
    best: str
    zone: bool = False
    """True: the name of any time zone is an answer as well."""
    samples: tuple[str, ...] = ()
    """Values of the choices that are columns, in the order of the choices."""

    def accepts(self, text: str) -> bool:
        """Return True if a text that is none of the choices is an answer."""
        return self.zone and text in zoneinfo.available_timezones()


@dataclass(frozen=True)
class Assignment:
    """The source column of each column of a feed, the alternatives, and the open questions."""

    chosen: dict[str, Candidate]
    alternatives: dict[str, list[str]]
    questions: tuple[Question, ...]


def assign(
    feed: str, table: str, options: Candidates, answers: Answers, *, needed: Sequence[str], samples: Mapping[str, str]
) -> Assignment:
    """Assign columns one to one, the most likely first. samples: a few values of each source column, for questions."""
    chosen: dict[str, Candidate] = {}
    questions: list[Question] = []
    open_options = {target: list(listed) for target, listed in options.items()}
    while pair := _best(open_options):
        target, candidate = pair
        columns = [open_option for open_option in open_options[target] if open_option.score > candidate.score - MARGIN]
        targets = [
            other
            for other, listed in open_options.items()
            if any(entry.column == candidate.column and entry.score > candidate.score - MARGIN for entry in listed)
        ]
        weak = candidate.score < ACCEPTED
        if weak and not any(one in needed or _plain(one) in WORTH_ASKING for one in targets):
            _close(open_options, target, candidate.column)
            continue
        if len(targets) > 1:
            question = _about_column(feed, table, candidate.column, targets, samples)
            answer = _answer(question, answers, questions)
            winner = next((one for one in open_options.get(answer, ()) if one.column == candidate.column), None)
            if winner is not None:
                chosen[answer] = _decided(feed, answer, winner, answers, questions, samples)
            for other in [answer] if winner else []:
                open_options.pop(other, None)
            _close(open_options, "", candidate.column)
        else:
            if len(columns) > 1 or weak:
                question = _about_target(feed, table, target, columns, samples)
                answer = _answer(question, answers, questions)
                picked = next((column for column in columns if column.column == answer), None)
            else:
                picked = candidate
            if picked is not None:
                chosen[target] = _decided(feed, target, picked, answers, questions, samples)
                _close(open_options, target, picked.column)
            open_options.pop(target, None)
    alternatives = {
        target: [entry.column for entry in listed if entry.score >= ACCEPTED and entry.column != chosen[target].column]
        for target, listed in options.items()
        if target in chosen
    }
    return Assignment({t: c for t, c in chosen.items() if c.column}, alternatives, tuple(questions))


def _best(options: Candidates) -> tuple[str, Candidate] | None:
    pairs = [(target, listed[0]) for target, listed in options.items() if listed]
    return max(pairs, key=lambda pair: (pair[1].score, _plain(pair[0]) in WORTH_ASKING), default=None)


def _plain(target: str) -> str:
    """Return a column without its feed."""
    return target.rpartition(".")[2]


def _close(options: Candidates, target: str, column: str) -> None:
    """Take a column, and a target if one is named, out of the remaining choice."""
    for other, listed in list(options.items()):
        options[other] = [entry for entry in listed if entry.column != column]
    options.pop(target, None)


def _answer(question: Question, answers: Answers, questions: list[Question]) -> str:
    if question.key not in answers:
        questions.append(question)
    return answers.get(question.key, NOTHING)


def _about_column(feed: str, table: str, column: str, targets: Sequence[str], samples: Mapping[str, str]) -> Question:
    ranked = sorted(targets, key=lambda one: WORTH_ASKING.index(_plain(one)) if _plain(one) in WORTH_ASKING else 99)
    text = f"{table}: what is the column {column!r} ({samples.get(column, '')}) for {feed}?"
    return Question(f"{feed}: {column}", text, (*ranked, NOTHING), ranked[0])


def _about_target(
    feed: str, table: str, target: str, columns: Sequence[Candidate], samples: Mapping[str, str]
) -> Question:
    listed = ", ".join(f"{column.column!r} ({samples.get(column.column, '')})" for column in columns)
    text = f"{table}: which column is {feed}.{target}: {listed}?"
    names = tuple(column.column for column in columns)
    values = tuple(samples.get(name, "") for name in names)
    return Question(f"{feed}.{target}", text, (*names, NOTHING), names[0], samples=values)


def _decided(
    feed: str,
    target: str,
    candidate: Candidate,
    answers: Answers,
    questions: list[Question],
    samples: Mapping[str, str],
) -> Candidate:
    """Return the candidate without its doubt. Without an answer the column is left out."""
    if not candidate.doubt:
        return candidate
    yes = _settings_text(candidate.settings)
    no = _settings_text(candidate.other) if candidate.other is not None else NOTHING
    text = f"{feed}.{target} is {candidate.column!r} ({samples.get(candidate.column, '')}): {candidate.doubt}"
    question = Question(f"{feed}.{target}: form", text, (yes, no), yes)
    answer = _answer(question, answers, questions)
    if answer == yes:
        return replace(candidate, doubt="")
    if answer == no and candidate.other is not None:
        return replace(candidate, settings=candidate.other, doubt="")
    return replace(candidate, column="")


def _settings_text(settings: Mapping[str, object]) -> str:
    texts = [
        ", ".join(f"{code} is {meaning}" for code, meaning in value.items())
        if isinstance(value, dict)
        else f"{key} = {value}"
        for key, value in settings.items()
    ]
    return ", ".join(texts) or "the usual form"
