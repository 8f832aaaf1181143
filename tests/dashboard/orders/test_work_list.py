"""The work list opens on the orders to do, and an order leads to its neighbours and back to the list."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from shutil import copytree
from urllib.parse import parse_qs

import pytest
from streamlit.testing.v1 import AppTest

from metrics.lists.failed_orders import failed_orders, order_counts
from metrics.store import work_items
from metrics.store.connection import open_store
from metrics.store.work_items import Item
from metrics.warehouse import Location, reading
from tests.dashboard.conftest import Open, markup
from tests.dashboard.small_warehouse import LAST_DUE

AT = datetime(2026, 6, 20, 9)
REASON = "short"
"""A reason of several orders."""


@pytest.fixture
def desk(small_home: Path, tmp_path: Path, at_home: Callable[[Path], None]) -> Location:
    """A copy of the small warehouse, with HAND-SHORT resolved by Ada."""
    home = tmp_path / "desk"
    copytree(small_home, home)
    at_home(home)
    place = Location(folder=home)
    with open_store(place) as store:
        work_items.resolve(
            store,
            "Ada",
            Item("HAND-SHORT"),
            remedy="credited",
            note=None,
            detected_at=AT,
            acknowledged_at=None,
            resolved_at=AT,
        )
    return place


def orders(place: Location, **narrow: object) -> list[str]:
    with reading(place) as connection:
        found = failed_orders(connection, sort="deadline", size=500, **narrow)  # type: ignore[arg-type]
    return [row["order_id"] for row in found.rows]


def links(at: AppTest) -> dict[str, dict[str, list[str]]]:
    """Return the query parameters of the page's links by label."""
    return {link.proto.label: parse_qs(link.proto.query_string) for link in at.get("page_link")}


def test_list_opens_on_the_orders_to_do_with_the_soonest_deadline_first(desk: Location, open_page: Open) -> None:
    at = open_page("failed_orders", period="All")
    whole, to_do = orders(desk), orders(desk, resolved=False, done=("HAND-SHORT",))
    assert len(whole) == len(to_do) + 1
    assert f"<b>{len(to_do)}</b><span class='bv-muted'>to do of {len(whole)} failed orders</span>" in markup(at)
    labels = [query["order"][0] for query in links(at).values() if "order" in query]
    assert labels == to_do[:25]
    assert "show" not in at.query_params
    at.segmented_control(key="work_show").set_value("all").run()
    assert f"<b>{len(whole)}</b><span class='bv-muted'>failed orders</span>" in markup(at)
    assert "all" in at.query_params["show"]


def test_a_reason_in_the_address_lists_all_its_orders_with_remedy_and_owner(desk: Location, open_page: Open) -> None:
    at = open_page("failed_orders", period="All", reason=REASON)
    whole = orders(desk, reasons=(REASON,))
    assert f"<b>{len(whole)}</b><span class='bv-muted'>failed orders</span>" in markup(at)
    assert "Credited</span><small>Ada</small>" in markup(at)


def test_an_unknown_reason_in_the_address_is_reported_and_ignored(desk: Location, open_page: Open) -> None:
    at = open_page("failed_orders", period="All", show="all", reason="tired")
    assert "there is no reason tired" in markup(at)
    assert f"<b>{len(orders(desk))}</b><span class='bv-muted'>failed orders</span>" in markup(at)


def test_a_reason_chosen_on_the_page_keeps_the_orders_to_do(desk: Location, open_page: Open) -> None:
    at = open_page("failed_orders", period="All")
    at.multiselect(key="reasons").set_value([REASON]).run()
    to_do = len(orders(desk, reasons=(REASON,), resolved=False, done=("HAND-SHORT",)))
    expected = f"<b>{to_do}</b><span class='bv-muted'>to do of {to_do + 1} failed orders</span>"
    assert expected in markup(at)
    assert "open" in at.query_params["show"]
    assert expected in markup(open_page("failed_orders", period="All", reason=REASON, show="open"))


def test_removing_the_product_of_a_link_keeps_all_orders(desk: Location, open_page: Open) -> None:
    at = open_page("failed_orders", period="All", product="P1")
    at.button(key="chip_product").click().run()
    assert f"<b>{len(orders(desk))}</b><span class='bv-muted'>failed orders</span>" in markup(at)


def test_day_without_a_failed_order_is_not_called_resolved(desk: Location, open_page: Open) -> None:
    days = [LAST_DUE - timedelta(number) for number in range(200)]
    with reading(desk) as connection:
        day = next(
            day
            for day in days
            if order_counts(connection, start=day, end=day)["judged"]
            and not failed_orders(connection, start=day, end=day).total
        )
    at = open_page("failed_orders", period="Dates", dates=[day.isoformat()] * 2)
    assert "judged in this period; none is known to have failed." in markup(at)


def test_order_leads_to_its_neighbours_in_the_list_and_back(desk: Location, open_page: Open) -> None:
    to_do = orders(desk, resolved=False, done=("HAND-SHORT",))
    at = open_page("order_story", period="All", order=to_do[0], list="failed-orders")
    assert at.button(key="Previous order").disabled
    for order_id in to_do[1:3]:
        at.button(key="Next order").click().run()
        assert f'data-order="{order_id}"' in markup(at)
    at.button(key="Previous order").click().run()
    assert f'data-order="{to_do[1]}"' in markup(at)
    assert "page_no" not in links(at)["Back to the list"]
    last = open_page("order_story", period="All", order=to_do[-1], list="failed-orders", show="open")
    assert last.button(key="Next order").disabled
    assert links(last)["Back to the list"] == {"show": ["open"], "page_no": [str(-(-len(to_do) // 25))]}
    assert "Back to the list" not in links(open_page("order_story", order=to_do[0]))


def test_fields_of_one_order_are_not_offered_for_the_next(desk: Location, open_page: Open) -> None:
    first, second = orders(desk, resolved=False, done=("HAND-SHORT",))[:2]
    at = open_page("order_story", period="All", order=first, list="failed-orders")
    at.radio(key=f"work_remedy_{first}").set_value("replaced")
    at.button(key="Next order").click().run()
    assert at.radio(key=f"work_remedy_{second}").value is None


def test_list_opens_on_the_page_of_the_address(desk: Location, open_page: Open) -> None:
    expected = orders(desk, resolved=False, done=("HAND-SHORT",))
    at = open_page("failed_orders", period="All", page_no="2")
    assert [query["order"][0] for query in links(at).values() if "order" in query] == expected[25:50]
    assert not open_page("failed_orders", period="All", page_no="9" * 30).exception
