"""The main driver of a measure's change since the period before: for the scorecard, its report and What changed."""

from dashboard import queries
from dashboard.components import changes, formatting, sentences
from dashboard.components.sentences import Sentence
from dashboard.frame import links
from dashboard.frame.filters import Filters
from dashboard.frame.period import BEFORE
from metrics.measures.catalog import MEASURES
from metrics.model.question import Question
from metrics.queries.main_driver import Driver, main_driver


def driver_in_view(generation: int, filters: Filters, measure: str) -> Driver | None:
    """Return the main driver of a measure's change since the period before; None if there is none."""
    before = filters.period.compared(BEFORE)
    if before is None:
        return None
    after = (filters.start, filters.period.elapsed)
    return queries.cached(main_driver, generation, measure, before=before, after=after, where=filters.where)


def driver_sentence(generation: int, filters: Filters, measure: str) -> Sentence:
    """Return a sentence about the main driver, with a link to its explanation; empty without one."""
    driver = driver_in_view(generation, filters, measure)
    if driver is None:
        return ()
    unit, grain = MEASURES[measure].unit, MEASURES[measure].grain
    then, now = (formatting.number(answer.value, unit) for answer in (driver.before, driver.after))
    url = links.explain_url(measure, by=driver.dimension)
    if not _is_changed(generation, filters, measure):
        return sentences.offset_sentence(driver.dimension, driver.value, then, now, url=url, grain=grain)
    return sentences.driver_sentence(
        driver.dimension, driver.value, then, now, is_rise=driver.excess > 0, url=url, grain=grain
    )


def _is_changed(generation: int, filters: Filters, measure: str) -> bool:
    """Return True if the measure itself changed by more than chance since the period before, as its tile says."""
    days = filters.period.compared(BEFORE) or (filters.start, filters.end)
    now, before = (
        queries.answers(generation, Question((measure,), start=start, end=end, where=filters.where))[0]
        for start, end in ((filters.start, filters.end), days)
    )
    return changes.is_significant(now, before, MEASURES[measure])
