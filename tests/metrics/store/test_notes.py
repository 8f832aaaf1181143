"""Notes on numbers and trends: visible by row scope, changed by their author only, with an audit trail."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from metrics.errors import ChangedMeanwhile, NotYours
from metrics.store import audit, notes
from metrics.store.connection import open_store
from metrics.store.notes import Note
from metrics.warehouse import Location

NORTH = (("region", ("North",)),)
ABOUT_C = Note("C moved to a new carrier", "ada", "otif", "C", date(2026, 6, 1), date(2026, 6, 7))
OF_NORTH = Note("North only", "ben", "otif", scope=NORTH)
EVERY = Note("Strike", "ada", None, None, date(2026, 5, 4))


def test_a_person_sees_notes_about_rows_that_the_person_sees() -> None:
    both = (("region", ("North", "South")), ("segment", ("A",)))
    seen = {
        (): (ABOUT_C, OF_NORTH, EVERY),
        NORTH: (OF_NORTH,),
        (("region", ("North", "South")),): (OF_NORTH,),
        (("region", ("South",)),): (),
        (("segment", ("C",)),): (ABOUT_C,),
        both: (),
    }
    for scope, expected in seen.items():
        assert tuple(note for note in (ABOUT_C, OF_NORTH, EVERY) if notes.is_visible(note, scope)) == expected, scope


def test_notes_in_view_overlap_the_days_and_the_segments() -> None:
    found = [ABOUT_C, OF_NORTH, EVERY]
    june = date(2026, 6, 7), date(2026, 6, 30)
    assert notes.in_view(found, *june) == [ABOUT_C, OF_NORTH]
    assert notes.in_view(found, *june, segments=("A", "B")) == [OF_NORTH]
    assert notes.in_view(found, date(2026, 5, 4), date(2026, 5, 31), segments=("C",)) == [OF_NORTH, EVERY]
    assert notes.about(found, "otif") == found
    assert notes.about(found, "otif", every=False) == [ABOUT_C, OF_NORTH]
    assert notes.about(found, "on_time") == [EVERY]


@pytest.mark.parametrize(
    ("note", "words"),
    [
        (Note(" ", "ada"), "Enter the text"),
        (Note("x" * 1_001, "ada"), "Shorten it to 1,000"),
        (Note("x", "ada", starts_on=date(2026, 6, 2), ends_on=date(2026, 6, 1)), "before the first day"),
        (Note("x", "ada", ends_on=date(2026, 6, 1)), "before the first day"),
    ],
)
def test_a_problem_of_a_note_names_the_next_step(note: Note, words: str) -> None:
    assert words in notes.problem(note)


def test_only_the_author_changes_and_deletes_a_note_and_each_change_is_in_the_audit_trail(tmp_path: Path) -> None:
    with open_store(Location(folder=tmp_path)) as store:
        first = notes.save(store, "ada", ABOUT_C)
        second = notes.save(store, "ben", OF_NORTH)
        assert [note.note_id for note in notes.notes(store, ())] == [second.note_id, first.note_id], "undated first"
        assert notes.notes(store, NORTH) == [second]
        with pytest.raises(NotYours, match="ada wrote note 1"):
            notes.save(store, "ben", replace(first, text="Mine"))
        with pytest.raises(NotYours):
            notes.remove(store, "ben", first)
        changed = notes.save(store, "ada", replace(first, text="Carrier changed", ends_on=None))
        with pytest.raises(ChangedMeanwhile):
            notes.save(store, "ada", replace(first, text="From an old page"))
        notes.remove(store, "ada", changed)
        with pytest.raises(ChangedMeanwhile):
            notes.remove(store, "ada", changed)
        assert notes.notes(store, ()) == [second]
        entries = audit.entries_of(store, "note 1")
        assert [entry["what"] for entry in entries] == ["note deleted", "note changed", "note added"]
        assert entries[1]["before"]["text"] == "C moved to a new carrier"
        assert entries[1]["after"] == {
            "measure": "otif", "segment": "C", "starts_on": "2026-06-01", "text": "Carrier changed",
        }  # fmt: skip
        assert not audit.check_chain(store).broken
