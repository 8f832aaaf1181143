"""Search for orders, customers and products."""

from pathlib import Path

from metrics.lists.search import CUSTOMER, ORDER, PRODUCT, search
from metrics.warehouse import Location, reading
from tests.dashboard.small_warehouse import publish


def test_search_finds_numbers_and_names_by_their_beginning(tmp_path: Path) -> None:
    publish(tmp_path / "home", count=20)
    with reading(Location(folder=tmp_path / "home")) as connection:

        def found(text: str) -> list[tuple[str, str]]:
            return [(match.kind, match.key) for match in search(connection, text, limit=2)]

        assert found("hand-l") == [(ORDER, "HAND-LATE"), (ORDER, "HAND-LOST")]
        assert found(" HAND-LATE ") == [(ORDER, "HAND-LATE")]
        assert found("customer 2") == [(CUSTOMER, "C02"), (CUSTOMER, "C20")]
        assert found("c02") == [(CUSTOMER, "C02")]
        assert found("P1")[0] == (PRODUCT, "P1")
        assert found("LATE") == found("%") == found("") == []
