"""Give every column of a feed one source column. Where two are equally likely, ask instead."""

import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

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

MEANINGS = {
    "order_id": "the number of the order",
    "line_no": "the line of the order",
    "customer_id": "the customer",
    "product_id": "the product",
    "ordered_at": "the date of the order",
    "requested_by": "the date that the buyer asked for",
    "promised_by": "the promised date",
    "ordered_qty": "the ordered quantity",
    "unit_price_amount": "the agreed price without tax",
    "shipment_id": "the number of the shipment",
    "shipped_at": "the date on which the goods left",
    "received_at": "the date on which the buyer received the goods",
    "shipped_qty": "the shipped quantity",
    "received_qty": "the received quantity",
    "invoice_id": "the number of the invoice",
    "invoiced_at": "the date of the invoice",
    "due_on": "the day on which the payment is due",
    "billed_qty": "the billed quantity",
    "line_amount": "the billed amount without tax",
}
"""What columns have, in the words of questions."""
DAY_FIRST, MONTH_FIRST = "the day comes first", "the month comes first"
COMMA, POINT = "decimal comma", "decimal point"

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
    """What explains the choices, in their order: values of a column, or what a column has."""

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
                chosen[answer] = decided(table, feed, answer, winner, answers, questions, samples)
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
                chosen[target] = decided(table, feed, target, picked, answers, questions, samples)
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
    if question.key not in answers and question.key not in {one.key for one in questions}:
        questions.append(question)
    return answers.get(question.key, NOTHING)


def meaning(target: str) -> str:
    """Return what a column of a feed has, in the words of a question."""
    return MEANINGS.get(_plain(target), target)


def _about_column(feed: str, table: str, column: str, targets: Sequence[str], samples: Mapping[str, str]) -> Question:
    ranked = sorted(targets, key=lambda one: WORTH_ASKING.index(_plain(one)) if _plain(one) in WORTH_ASKING else 99)
    text = f"{table}: what does the column {column!r} ({samples.get(column, '')}) have?"
    meanings = tuple(map(meaning, ranked))
    return Question(f"{feed}: {column}", text, (*ranked, NOTHING), ranked[0], samples=meanings)


def _about_target(
    feed: str, table: str, target: str, columns: Sequence[Candidate], samples: Mapping[str, str]
) -> Question:
    listed = ", ".join(f"{column.column!r} ({samples.get(column.column, '')})" for column in columns)
    text = f"{table}: which column has {meaning(target)}: {listed}?"
    names = tuple(column.column for column in columns)
    values = tuple(samples.get(name, "") for name in names)
    return Question(f"{feed}.{target}", text, (*names, NOTHING), names[0], samples=values)


def decided(
    table: str,
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
    question, no = _about_form(table, f"{feed}.{target}", candidate, samples.get(candidate.column, ""))
    answer = _answer(question, answers, questions)
    if answer == question.best:
        return replace(candidate, doubt="")
    if answer == no and candidate.other is not None:
        return replace(candidate, settings=candidate.other, doubt="")
    return replace(candidate, column="")


def _about_form(table: str, target: str, candidate: Candidate, sample: str) -> tuple[Question, str]:
    """Return the question how values are read, and the answer that is not the best. A table has one order of days."""
    named = f"{candidate.column!r} ({sample})"
    if candidate.other is None:
        yes = _settings_text(candidate.settings)
        text = f"{table}: {meaning(target)} is {named}: {candidate.doubt}"
        return Question(f"{target}: form", text, (yes, NOTHING), yes), NOTHING
    first = sample.split("; ")[0]
    both = (candidate.settings, candidate.other)
    if "format" in candidate.settings:
        forms = [str(one["format"]) for one in both]
        yes, no = (DAY_FIRST if one.find("%d") < one.find("%m") else MONTH_FIRST for one in forms)
        explained = tuple(_day_text(first, one) for one in forms)
        text = f"{table}: does the day or the month come first in its dates, for example in {named}?"
        return Question(f"{table}: day and month", text, (yes, no), yes, samples=explained), no
    yes, no = (COMMA if one.get("decimal") == "," else POINT for one in both)
    text = f"{table}: do its numbers have a decimal comma or a decimal point, for example in {named}?"
    return Question(f"{table}: decimal sign", text, (yes, no), yes), no


def _day_text(text: str, form: str) -> str:
    try:
        return f"{text} is {datetime.strptime(text, form):%B %d, %Y}"
    except ValueError:
        return ""


def _settings_text(settings: Mapping[str, object]) -> str:
    texts = [
        ", ".join(f"{code} is {meaning}" for code, meaning in value.items())
        if isinstance(value, dict)
        else f"{key} = {value}"
        for key, value in settings.items()
    ]
    return ", ".join(texts) or "the usual form"
