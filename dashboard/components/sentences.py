"""Sentences as data: phrases with an optional link. A page renders them as markup, a report as plain text."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.components import formatting


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


def driver_sentence(dimension: str, value: str, then: str, now: str, *, is_rise: bool, url: str = "") -> Sentence:
    """Return the sentence about the main driver of a change: its dimension, value, and earlier and current number."""
    name = f"{formatting.in_words(dimension).lower()} "
    way = "rise" if is_rise else "fall"
    return f"Main driver of the {way}: ", name, Phrase(value, is_strong=True, url=url), f", {then} → {now}."


def offset_sentence(dimension: str, value: str, then: str, now: str, *, url: str = "") -> Sentence:
    """Return the sentence about a part that changed while the whole did not."""
    name = f"{formatting.in_words(dimension).lower()} "
    return "No significant change overall, but in ", name, Phrase(value, is_strong=True, url=url), f": {then} → {now}."


def _phrase_markup(phrase: Phrase | str) -> str:
    if isinstance(phrase, str):
        return formatting.html(phrase)
    text = formatting.html(phrase.text)
    if phrase.is_strong:
        text = f"<strong>{text}</strong>"
    return f'<a href="{formatting.html(phrase.url)}" target="_self">{text}</a>' if phrase.url else text
