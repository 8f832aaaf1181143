"""Sentences as data: phrases with an optional link. A page renders them as markup, a report as plain text."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.components import formatting
from dashboard.components.reasons import reason
from metrics.queries.failure_reasons import REASON


@dataclass(frozen=True)
class Phrase:
    """A part of a sentence; the text is not escaped."""

    text: str
    is_strong: bool = False
    url: str = ""


Sentence = tuple[Phrase | str, ...]
"""Phrases in their order; a string is a phrase without emphasis. A sentence without phrases is left out."""


def as_markup(sentences: Sequence[Sentence]) -> str:
    """Return sentences as markup."""
    return " ".join("".join(_phrase_markup(phrase) for phrase in sentence) for sentence in sentences if sentence)


def as_text(sentences: Sequence[Sentence]) -> str:
    """Return sentences as plain text."""
    return " ".join(
        "".join(phrase if isinstance(phrase, str) else phrase.text for phrase in sentence)
        for sentence in sentences
        if sentence
    )


def driver_sentence(
    dimension: str, value: str, then: str, now: str, *, is_rise: bool, url: str = "", grain: str = "order"
) -> Sentence:
    """Return the sentence about the main driver of a change: its dimension, value, and earlier and current number.

    grain: what the measure counts. The numbers of a reason are shares of it.
    """
    lead = f"Main driver of the {'rise' if is_rise else 'fall'}: "
    return (lead, *_driver_name(dimension, value, url), f", {then} → {now}{_driver_unit(dimension, grain)}.")


def offset_sentence(
    dimension: str, value: str, then: str, now: str, *, url: str = "", grain: str = "order"
) -> Sentence:
    """Return the sentence about a part that changed while the whole did not."""
    lead = "No significant change overall, but in "
    return (lead, *_driver_name(dimension, value, url), f": {then} → {now}{_driver_unit(dimension, grain)}.")


def _driver_name(dimension: str, value: str, url: str) -> Sentence:
    if dimension == REASON:
        return "failures with the reason ", Phrase(reason(value), is_strong=True, url=url)
    return f"{formatting.in_words(dimension).lower()} ", Phrase(value, is_strong=True, url=url)


def _driver_unit(dimension: str, grain: str) -> str:
    return f" of {grain}s" if dimension == REASON else ""


def _phrase_markup(phrase: Phrase | str) -> str:
    if isinstance(phrase, str):
        return formatting.html(phrase)
    text = formatting.html(phrase.text)
    if phrase.is_strong:
        text = f"<strong>{text}</strong>"
    return f'<a href="{formatting.html(phrase.url)}" target="_self">{text}</a>' if phrase.url else text
