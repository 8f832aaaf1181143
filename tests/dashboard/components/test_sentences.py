"""Sentences as data: escaped as markup, unchanged as text."""

from dashboard.components.sentences import Phrase, as_markup, as_text

SENTENCES = [
    (Phrase("72.6%", is_strong=True, url="behind?a=1&b=2"), " of <orders>."),
    (),
    ("Largest gap: segment ", Phrase("A&B", is_strong=True), "."),
]


def test_markup_is_escaped_and_linked() -> None:
    assert as_markup(SENTENCES) == (
        '<a href="behind?a=1&amp;b=2" target="_self"><strong>72.6%</strong></a> of &lt;orders&gt;. '
        "Largest gap: segment <strong>A&amp;B</strong>."
    )


def test_text_has_no_markup() -> None:
    assert as_text(SENTENCES) == "72.6% of <orders>. Largest gap: segment A&B."
