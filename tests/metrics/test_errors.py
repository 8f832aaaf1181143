"""Errors name the nearest known name, carry their facts as fields, and have their own exit status."""

import inspect

import pytest

from metrics import errors
from metrics.errors import BuyerviewError, UnknownName, WarehouseBusy


def test_unknown_name_error_suggests_the_nearest_known_name() -> None:
    error = UnknownName("measure", "on_tiem", ["otif", "on_time", "complete"])
    assert (error.kind, error.name, error.nearest) == ("measure", "on_tiem", "on_time")
    assert str(error) == "There is no measure named 'on_tiem'. Did you mean on_time?"


def test_unknown_name_error_lists_all_names_if_none_is_similar() -> None:
    error = UnknownName("grain", "zzz", ["week", "day"])
    assert error.nearest is None
    assert str(error) == "There is no grain named 'zzz'. Known: day, week."


def test_every_error_has_a_nonzero_exit_status() -> None:
    kinds = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, BuyerviewError)]
    assert len(kinds) > 5
    assert all(1 <= kind.exit_code <= 125 for kind in kinds)
    assert WarehouseBusy.exit_code == 75


def test_docstring_tree_contains_every_error_class() -> None:
    drawn = inspect.getdoc(errors) or ""
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        if kind.__module__ == errors.__name__:
            assert name in drawn, f"{name} is missing in the tree of metrics/errors.py"


@pytest.mark.parametrize("kind", ["WarehouseBusy", "NothingPublished"])
def test_warehouse_error_names_its_location(kind: str) -> None:
    error = getattr(errors, kind)("/srv/buyerview")
    assert error.where == "/srv/buyerview"
    assert "/srv/buyerview" in str(error)


def test_error_for_an_unknown_name_lists_the_most_similar_of_many() -> None:
    text = str(UnknownName("measure", "q", [f"name_{number}" for number in range(100)]))
    assert "The most similar of 100 names are name_" in text
    assert text.count("name_") == 6
