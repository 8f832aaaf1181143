"""Errors about names suggest titles on pages, and lead to Definitions."""

from dashboard.frame.error_text import error_text
from metrics.errors import SettingRefused, UnknownName
from metrics.measures.catalog import ALIASES, MEASURES
from tests.dashboard.conftest import Open, markup


def unknown(name: str) -> str:
    return error_text(UnknownName("measure", name, (*MEASURES, *ALIASES)))


def test_unknown_measure_suggests_titles_of_similar_measures_with_their_definitions() -> None:
    text = unknown("perfect_ordr")
    assert f">{MEASURES['perfect_order'].title}</a>" in text
    assert "measure=perfect_order" in text
    assert text.count("<a ") <= 4
    assert "lists all measures" in text


def test_suggestion_for_an_alias_is_its_measure_once() -> None:
    text = unknown("perfect_order_scor")
    assert text.count(f">{MEASURES['perfect_order'].title}</a>") == 1


def test_measure_like_no_other_only_leads_to_definitions() -> None:
    text = unknown("<zzzz qqqq>")
    assert text.startswith("There is no measure named “&lt;zzzz qqqq&gt;”. <a ")
    assert text.count("<a ") == 1


def test_other_errors_keep_their_text_and_an_unknown_dimension_names_the_title() -> None:
    assert "dimension of “Perfect orders” named" in error_text(
        UnknownName("dimension of perfect_order", "colour", ("segment",))
    )
    refused = SettingRefused("BUYERVIEW_X", "order_lines <b>")
    assert error_text(refused) == str(refused).replace("<b>", "&lt;b&gt;")


def test_page_of_an_unknown_measure_leads_to_definitions(page_of_small: Open) -> None:
    at = page_of_small("drill_down", measure="perfect_ordr")
    assert not at.exception
    assert "Did you mean" in markup(at)
    assert "definitions" in markup(at).split("Did you mean")[1]
