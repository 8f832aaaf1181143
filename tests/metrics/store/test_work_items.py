"""Work items: users comment on and assign orders, also two at once, and nothing is lost."""

import threading
from datetime import datetime
from typing import Any

import pytest

from metrics.errors import ChangedMeanwhile
from metrics.store import work_items
from metrics.store.connection import open_store
from metrics.store.work_items import Item
from metrics.warehouse import Location

MAY = datetime(2026, 5, 1, 9)
PUT_RIGHT: dict[str, Any] = {
    "remedy": "replaced",
    "note": "a new pump",
    "detected_at": MAY,
    "acknowledged_at": datetime(2026, 5, 1, 10),
    "resolved_at": datetime(2026, 5, 2),
}


def test_order_is_assigned_commented_resolved_and_reopened_with_a_change_history(location: Location) -> None:
    with open_store(location) as store:
        assert work_items.assign(store, "Ada", [Item("O1", customer="Acme"), Item("O2")], "Bo", at=MAY) == []
    with open_store(location) as store:
        one = work_items.item(store, "O1")
        assert (one.customer, one.owner, one.status, one.detected_at, one.version) == ("Acme", "Bo", "open", MAY, 1)
        work_items.comment(store, "Bo", one, " called them \n", at=MAY)
        done = work_items.resolve(store, "Bo", one, **PUT_RIGHT)
        assert (
            work_items.order_ids(store, status="resolved"),
            work_items.order_ids(store, owner="Bo"),
            work_items.owners(store),
        ) == (
            ["O1"],
            ["O1", "O2"],
            ["Bo"],
        )
        back = work_items.reopen(store, "Ada", done)
        assert (back.status, back.resolved_at, back.remedy, back.acknowledged_at) == (
            "open",
            None,
            None,
            PUT_RIGHT["acknowledged_at"],
        )
        assert [(entry["who"], entry["text"]) for entry in work_items.comments(store, "O1")] == [("Bo", "called them")]
        entries = work_items.history(store, "O1")
    assert [(one["who"], one["what"]) for one in entries] == [
        ("Ada", "work item reopened"),
        ("Bo", "work item resolved"),
        ("Ada", "work item assigned"),
    ]
    assert entries[0]["before"]["remedy_note"] == "a new pump"


def test_second_concurrent_save_is_rejected_and_names_the_first_user(location: Location) -> None:
    with open_store(location) as store:
        work_items.assign(store, "Ada", [Item("O1")], "Ada", at=MAY)
        read_by_both = work_items.item(store, "O1")
    with open_store(location) as store:
        work_items.resolve(store, "Ada", read_by_both, **PUT_RIGHT)
    with open_store(location) as store:
        with pytest.raises(ChangedMeanwhile, match="Ada changed order O1"):
            work_items.resolve(store, "Bo", read_by_both, **{**PUT_RIGHT, "remedy": "credited"})
        work_items.comment(store, "Bo", read_by_both, "I was about to credit them", at=MAY)
    with open_store(location) as store:
        assert work_items.item(store, "O1").remedy == "replaced"
        assert len(work_items.comments(store, "O1")) == 1


def test_new_order_cannot_be_assigned_to_two_users(location: Location) -> None:
    with open_store(location) as store:
        assert work_items.assign(store, "Ada", [Item("O1")], "Ada", at=MAY) == []
        (refused,) = work_items.assign(store, "Bo", [Item("O1"), Item("O2")], "Bo", at=MAY)
        assert (refused.who, refused.thing) == ("Ada", "order O1")
        assert (work_items.item(store, "O1").owner, work_items.item(store, "O2").owner) == ("Ada", "Bo")


@pytest.mark.parametrize(
    "wrong",
    [{"resolved_at": datetime(2026, 4, 1)}, {"acknowledged_at": datetime(2026, 6, 1)}, {"remedy": "shrugged"}],
    ids=["settled before it was noticed", "answered after it was settled", "no remedy"],
)
def test_invalid_resolution_is_refused(location: Location, wrong: dict[str, Any]) -> None:
    with open_store(location) as store, pytest.raises(ValueError, match=r"the times are out of order|unknown remedy"):
        work_items.resolve(store, "Ada", Item("O1"), **{**PUT_RIGHT, **wrong})


def many_at_once(place: Location) -> None:
    """Eight users assign and comment on the same new order at once: one gets it, and all comments are stored."""
    refused: list[ChangedMeanwhile] = []

    def act(number: int) -> None:
        with open_store(place) as store:
            refused.extend(work_items.assign(store, f"person {number}", [Item("O1")], f"person {number}", at=MAY))
        with open_store(place) as store:
            work_items.comment(store, f"person {number}", Item("O2"), "I saw it", at=MAY)

    people = [threading.Thread(target=act, args=(number,)) for number in range(8)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    with open_store(place) as store:
        assert len(refused) == 7
        assert {one.who for one in refused} == {work_items.item(store, "O1").owner}
        assert len(work_items.history(store, "O1")) == 1
        assert sorted(entry["who"] for entry in work_items.comments(store, "O2")) == [
            f"person {number}" for number in range(8)
        ]


def test_one_of_many_concurrent_users_gets_the_order_and_all_comments_are_stored(location: Location) -> None:
    many_at_once(location)


@pytest.mark.postgres
def test_concurrent_work_on_a_server_behaves_like_work_on_a_file(server_location: Location) -> None:
    many_at_once(server_location)
    test_second_concurrent_save_is_rejected_and_names_the_first_user(server_location)
