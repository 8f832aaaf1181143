"""I17: docs/catalogue.md is up to date. It has every measure, dimension, step, policy key and fact table."""

from dataclasses import fields

import pytest

from commands import catalogue
from metrics.facts.arrow_batches import TABLES
from metrics.facts.process_steps import STEPS
from metrics.measures.catalog import ALIASES, MEASURES
from metrics.model.dimensions import DIMENSIONS, OWN_DIMENSIONS
from metrics.policy import LIMITS, Policy
from metrics.queries.answer_table import COLUMNS


def test_the_page_is_up_to_date() -> None:
    assert catalogue.PAGE.read_text(encoding="utf-8") == catalogue.page(), "run: python -m commands.catalogue"


def test_catalogue_page_lists_every_measure_dimension_table_and_policy_key() -> None:
    page = catalogue.page()
    names = (*MEASURES, *ALIASES, *DIMENSIONS, *OWN_DIMENSIONS, *TABLES, *COLUMNS)
    assert [name for name in (*names, *[field.name for field in fields(Policy)]) if f"`{name}`" not in page] == []
    assert [name for number, name in STEPS.items() if f"| {number} | {name} |" not in page] == []
    assert len(STEPS) == 13


@pytest.mark.parametrize("key", LIMITS)
def test_a_policy_refuses_numbers_outside_the_documented_limits(key: str) -> None:
    kind = type(getattr(Policy(), key))
    for value in (-1, LIMITS[key] + 1):
        with pytest.raises(ValueError, match=f"policy key {key}: {value}; write a .* from 0 to {LIMITS[key]}"):
            Policy(**{key: kind(value)})
    Policy(**{key: kind(LIMITS[key])})
