"""Columns of a table that a feed's columns may be: the name must fit, and the values must fit the type."""

import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from sqlalchemy import Boolean, Date, DateTime, Integer, Numeric

from ingest.inference import names
from ingest.inference.evidence import Profile, truth_values
from ingest.inference.tables import Found
from metrics.schema import FEEDS

LEAST = 0.5
"""Scores below are no candidates."""
LONGEST_LINE_NO = 8
LINE_NUMBERS = ("line_no", "shipment_line_no", "invoice_line_no", "return_line_no")
MOST_RATES = 8
"""Different values up to which a column looks like tax rates, and not like amounts."""
WORDS = ("name", "city", "region", "category", "account_manager", "carrier", "payment_terms")
"""Columns of words. A number there is the key of another table."""
TRUTH = {"ja": "true", "nein": "false", "oui": "true", "non": "false", "x": "true", "j": "true", "o": "true",
         "si": "true", "sí": "true"}  # fmt: skip
MONEY_SIGNS = "€$£%"


@dataclass(frozen=True)
class Candidate:
    """A source column for a column of a feed: its score, the mapping's further keys, and the evidence."""

    column: str
    score: float
    settings: dict[str, object] = field(default_factory=dict)
    evidence: str = ""
    doubt: str = ""
    """What the values do not decide, for example day and month."""
    other: dict[str, object] | None = None
    """The mapping's further keys, if the doubt is decided otherwise."""


@dataclass(frozen=True)
class Fit:
    """How values fit a type."""

    fits: bool
    evidence: str = ""
    settings: dict[str, object] = field(default_factory=dict)
    doubt: str = ""
    other: dict[str, object] | None = None


Candidates = dict[str, list[Candidate]]


def candidates(table: Found, feed: str, *, alone: bool) -> tuple[Candidates, dict[str, str]]:
    """Return the candidates of every column of a feed, the best first, and why columns with a fitting name are none.

    alone: the table is of this feed only.
    """
    prefix = names.shared_prefix(list(table.columns))
    result: Candidates = {}
    refused: dict[str, str] = {}
    discounted = _has_discount(table)
    for column, profile in table.columns.items():
        for target, score in names.column_scores(column, feed, prefix=prefix, alone=alone).items():
            if score < LEAST:
                continue
            fit = fits(feed, target, profile)
            if discounted and target == "unit_price_amount" and "net" not in names.words_of(column, prefix):
                fit = Fit(False, "the table has discounts, and the agreed price is net of them; write sql = …")
            if target.endswith("_id") and "participle" in names.words_of(column, prefix) and profile.is_number:
                fit = Fit(False, _example("it looks like a quantity", profile))
            if not fit.fits:
                if score >= 0.9:
                    refused[column] = f"named like {feed}.{target}, but {fit.evidence}"
                continue
            adjusted = score - _line_penalty(target, names.words_of(column, prefix), profile)
            if adjusted >= LEAST:
                result.setdefault(target, []).append(
                    Candidate(column, adjusted, fit.settings, fit.evidence, fit.doubt, fit.other)
                )
    for listed in result.values():
        listed.sort(key=lambda one: -one.score)
    return result, refused


def _has_discount(table: Found) -> bool:
    """Return True if a column has discounts other than zero."""
    return any(
        "discount" in names.words_of(column) and profile.is_number and profile.distinct > 1
        for column, profile in table.columns.items()
    )


def _line_penalty(target: str, words: names.Words, profile: Profile) -> float:
    """Return what a line number loses that does not look like a number of lines, and a product that does."""
    looks = profile.is_line_number
    if target in LINE_NUMBERS:
        return 0.0 if looks else 0.3 if profile.longest <= LONGEST_LINE_NO else 1.0
    repeated = looks and profile.distinct < 0.2 * profile.filled
    return 0.3 if target == "product_id" and "product" not in words and repeated else 0.0


def fits(feed: str, target: str, profile: Profile) -> Fit:
    """Return whether a column's values fit a column of a feed, and with which keys of the mapping."""
    kind = FEEDS[feed].table.c[target].type
    if not profile.filled:
        return Fit(False, "it is empty in all records")
    if isinstance(kind, DateTime | Date):
        return _as_moment(profile, whole_days=isinstance(kind, Date))
    if isinstance(kind, Numeric | Integer):
        return _as_number(target, profile)
    if isinstance(kind, Boolean):
        return _as_truth(profile)
    return _as_text(feed, target, profile)


def _as_moment(profile: Profile, *, whole_days: bool) -> Fit:
    if not profile.is_moment:
        return Fit(False, _example("its values are no dates", profile))
    if whole_days and profile.with_time:
        return Fit(False, _example("it has times of day, and a day is needed", profile))
    best, *others = profile.moments
    evidence = f"{_share(profile, best.parsed)} dates"
    if best.form is None:
        return Fit(True, evidence)
    other: dict[str, object] | None = {"format": others[0].form} if others else None
    doubt = f"{best.form} and {others[0].form} read the same number of dates." if others else ""
    return Fit(True, evidence, {"format": best.form}, doubt, other)


def _as_number(target: str, profile: Profile) -> Fit:
    if not profile.is_number:
        sign = next((sign for sign in MONEY_SIGNS if any(sign in value for value, _ in profile.values)), None)
        if sign:
            return Fit(False, f"its numbers have the sign {sign}; remove it with sql = …")
        return Fit(False, _example("its values are no numbers", profile))
    (signs, count), *others = profile.numbers
    if target == "tax_rate" and not profile.mostly(lambda value: _number(value, signs) <= 1):
        return Fit(False, _example("its values are above 1; a rate of 20 % is 0.2. Divide it with sql = …", profile))
    if target == "tax_amount" and profile.distinct <= MOST_RATES and profile.filled > 5 * MOST_RATES:
        return Fit(False, f"its values look like rates: {profile.distinct} different in {profile.filled:,} records")
    evidence = f"{_share(profile, count)} numbers"
    settings = _signs(signs)
    if not others or (not settings and not _signs(others[0][0])):
        return Fit(True, evidence, settings)
    doubt = f"the decimal sign can be {signs[0]!r} or {others[0][0][0]!r}."
    return Fit(True, evidence, settings, doubt, _signs(others[0][0]))


def _signs(signs: tuple[str, str]) -> dict[str, object]:
    decimal, thousands = signs
    settings: dict[str, object] = {} if decimal == "." else {"decimal": decimal}
    return {**settings, "thousands": thousands} if thousands else settings


def _number(text: str, signs: tuple[str, str]) -> float:
    try:
        return float(text.replace(signs[1] or " ", "").replace(signs[0], "."))
    except ValueError:
        return 0.0


def _as_truth(profile: Profile) -> Fit:
    values = [value for value, _ in profile.values]
    if profile.mostly(lambda value: truth_values([value])):
        return Fit(True, f"{_share(profile, profile.filled)} true or false")
    codes = {value: TRUTH[value.casefold()] for value in values if value.casefold() in TRUTH}
    if len(codes) == len(values) > 1:
        return Fit(True, f"{_share(profile, profile.filled)} true or false", {"codes": codes})
    return Fit(False, _example("its values are not true or false", profile))


def _as_text(feed: str, target: str, profile: Profile) -> Fit:
    filled = _share(profile, profile.filled)
    codes = names.vocabulary().codes.get(target)
    if codes is not None and not (target == "reason" and feed != "returns"):
        return _as_code(target, profile, codes)
    if target == "currency" and not profile.mostly(lambda value: len(value) == 3 and value.isalpha()):
        return Fit(False, _example("its values are no currency codes of three letters", profile))
    if target == "ship_to_time_zone" and not profile.mostly(_zones().__contains__):
        return Fit(False, _example("its values are no IANA time zones", profile))
    if profile.is_moment and not profile.fits(profile.whole):
        return Fit(False, _example("its values are dates", profile))
    if not any(value.isdecimal() for value, _ in profile.values) and _as_truth(profile).fits:
        return Fit(False, _example("its values are yes or no", profile))
    if target in WORDS and profile.is_number:
        return Fit(False, _example("its values are numbers", profile))
    fraction = profile.is_number and not profile.fits(profile.whole)
    if target.endswith(("_id", "_no")) and fraction:
        return Fit(False, _example("its values have decimals", profile))
    return Fit(True, f"{filled} filled, {profile.distinct:,} different")


def _as_code(target: str, profile: Profile, known: Mapping[str, str]) -> Fit:
    meanings = {value: known[value.casefold()] for value, _ in profile.values if value.casefold() in known}
    unknown = [value for value, _ in profile.values if value not in meanings]
    if unknown and target == "channel":
        return Fit(True, f"{profile.distinct:,} different values, as written")
    if not profile.mostly(meanings.__contains__):
        listed = ", ".join(repr(one) for one in unknown[:5])
        return Fit(False, f"the meaning of its codes is unknown: {listed}. Write codes = {{ … }}")
    evidence = f"{len(meanings)} codes"
    rejected = f"{', '.join(unknown[:5])} has no known meaning, and such records go to quarantine" if unknown else ""
    evidence += f"; {rejected}" if unknown else ""
    if all(value == meaning for value, meaning in meanings.items()):
        return Fit(True, evidence)
    if rejected and profile.looked_at - profile.fitting(meanings.__contains__) > max(2, 0.02 * profile.looked_at):
        return Fit(True, evidence, {"codes": meanings}, f"{rejected}. Read it all the same?")
    short = [code for code in meanings if len(code) == 1]
    doubt = f"is {' and '.join(f'{code} {meanings[code]}' for code in short)}?" if short else ""
    return Fit(True, evidence, {"codes": meanings}, doubt)


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _share(profile: Profile, count: int) -> str:
    return f"{count:,} of {profile.filled:,}"


def _example(text: str, profile: Profile) -> str:
    return f"{text} (for example {profile.values[0][0][:40]!r})" if profile.values else text
