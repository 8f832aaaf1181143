"""Alert rules on real facts: back-tests, one check per data version, muted rules and retries."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection

from dashboard.notifications.messages import alert_notice, as_text
from metrics.alerts import evaluate, storage
from metrics.alerts.rules import BELOW, FIRED, OFF_TARGET, OVER, SIGNAL, Rule
from metrics.errors import ChangedMeanwhile
from metrics.store.connection import open_store
from metrics.warehouse import Location
from tests.support.ask_measures import built, sale, together
from tests.support.builders import customer, target

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 3, 2)
LATE = "2026-04-01"
DUE = ("2026-03-02", "2026-03-09", "2026-03-16", "2026-03-23")
ORDERS = together(
    *[
        sale(
            f"{due} {number}",
            ordered_at="2026-02-20",
            promised_by=due,
            requested_by=due,
            received="2026-04-01" if due == DUE[2] and number < 4 else due,
        )
        for due in DUE
        for number in range(10)
    ],
    {
        "customers": [customer()],
        "targets": [target(measure="on_time", target_value="0.95", tolerance="0.02", valid_from="2026-01-01")],
    },
)
SMALL = Rule("Late", "on_time", BELOW, limit=0.9, min_n=10, channels=("mailto:ops@example.org", "webhook:OPS"))


@pytest.fixture(scope="module")
def warehouse() -> Iterator[Connection]:
    with built(**ORDERS) as connection:
        yield connection


def test_back_test_lists_past_firings_with_numerator_and_denominator(warehouse: Connection) -> None:
    seen = evaluate.back_test(warehouse, SMALL, date(2026, 3, 29), periods=4)
    assert [(one.reading.numerator, one.reading.denominator, one.event) for one in seen] == [
        (10, 10, None), (10, 10, None), (6, 10, FIRED), (10, 10, OVER),
    ]  # fmt: skip
    off_target = replace(SMALL, condition=OFF_TARGET)
    checks = evaluate.back_test(warehouse, off_target, date(2026, 3, 29), periods=4)
    assert [check.event for check in checks] == [None, None, FIRED, OVER]


def test_alert_fires_on_a_signal_and_names_the_main_driver(tmp_path: Path) -> None:
    """Eleven weeks of 20 orders in time. In the twelfth, the ten orders of one carrier are late: 10 of 20.

    All 240 orders have a mean of 230 / 240. Three standard errors of 20 orders are 0.134: the value is 0.458 below the
    mean. The moving range of one jump of 0.5 in eleven does not widen them.
    """
    parts = []
    for week in range(12):
        due = MONDAY + timedelta(weeks=week)
        for number in range(20):
            is_late = week == 11 and number < 10
            order = sale(f"{week} {number}", promised_by=str(due), received=str(due + timedelta(days=9 * is_late)))
            order["shipments"][0]["carrier"] = "rail" if number < 10 else "road"
            parts.append(order)
    rule = Rule("Signal", "on_time", SIGNAL, min_n=10, channels=("mailto:ops@example.org",))
    place, as_of = Location(folder=tmp_path), datetime.combine(MONDAY + timedelta(weeks=12), time())
    with built(as_of=as_of + timedelta(days=20), **together(*parts)) as connection:
        checks = evaluate.back_test(connection, rule, as_of.date(), periods=3)
        assert [check.event for check in checks] == [None, None, FIRED]
        assert checks[0].decided == "clear"
        assert evaluate.back_test(connection, rule, as_of.date() - timedelta(weeks=3), periods=1)[0].decided.startswith(
            "inconclusive: fewer than 10"
        )
        with open_store(place) as store:
            storage.save(store, "ada", rule, at=as_of)
            (fired,) = evaluate.check_all(
                connection,
                store,
                generation=1,
                as_of=as_of,
                now=as_of,
                zone=BERLIN,
                base="https://service.example.org/",
            )
            (message,) = storage.due_messages(store, as_of)
    assert fired.event == FIRED
    assert "Main driver of the fall: carrier rail, 100.0% → 0.0%." in as_text(alert_notice("", message["body"]))


def test_every_generation_is_checked_once_and_its_messages_are_written_once(
    warehouse: Connection, tmp_path: Path
) -> None:
    place, at = Location(folder=tmp_path), datetime(2026, 3, 23, 12)

    def watch(generation: int, as_of: datetime) -> list[str | None]:
        with open_store(place) as store:
            seen = evaluate.check_all(
                warehouse,
                store,
                generation=generation,
                as_of=as_of,
                now=at,
                zone=BERLIN,
                base="https://service.example.org/",
            )
        return [one.event for one in seen]

    with open_store(place) as store:
        number = storage.save(store, "Ada", SMALL, at=at)
    assert [watch(7, at), watch(7, at), watch(8, at), watch(9, datetime(2026, 3, 30))] == [[FIRED], [], [None], [OVER]]
    with open_store(place) as store:
        (rule,) = storage.rules(store)
        messages = {one["message_id"]: one for one in storage.due_messages(store, at)}
        assert set(messages) == {
            f"rule {number} generation {g} {e} {c}" for g, e in ((7, FIRED), (9, OVER)) for c in SMALL.channels
        }
        body = messages[f"rule {number} generation 7 {FIRED} webhook:OPS"]["body"]
        assert (body["value"], body["numerator"], body["denominator"], body["generation"]) == (0.6, 6, 10, 7)
        assert body["link"].startswith(
            "https://service.example.org/behind?measure=on_time&period=Dates&dates=2026-03-16"
        )
        assert body["link"].endswith("v=7")
        assert [one["event"] for one in storage.reading_log(store)] == [OVER, FIRED]

        storage.save(store, "Ada", replace(rule, limit=0.5), at=at)
        with pytest.raises(ChangedMeanwhile):
            storage.save(store, "Bob", replace(rule, limit=0.7), at=at)


def test_muted_alert_that_clears_before_sending_is_sent_as_one_message(warehouse: Connection, tmp_path: Path) -> None:
    """The alert fires while muted, so its message waits. It clears before the mute ends: one message reports both."""
    place, at, mute = Location(folder=tmp_path), datetime(2026, 3, 23, 12), datetime(2026, 4, 2)
    with open_store(place) as store:
        number = storage.save(store, "Ada", replace(SMALL, muted_until=mute), at=at)
        storage.save(store, "Ada", replace(SMALL, name="Its neighbour", muted_until=mute), at=at)
        evaluate.check_all(warehouse, store, generation=7, as_of=at, now=at, zone=BERLIN)
        assert len(storage.messages(store)) == 4
        evaluate.check_all(
            warehouse, store, generation=8, as_of=datetime(2026, 3, 30), now=datetime(2026, 3, 30), zone=BERLIN
        )
        assert storage.due_messages(store, datetime(2026, 4, 1)) == []
        messages = {one["message_id"]: one for one in storage.due_messages(store, mute)}
    assert set(messages) == {
        f"rule {one} generation 8 {OVER} {channel}" for one in (number, number + 1) for channel in SMALL.channels
    }
    message = messages[f"rule {number} generation 8 {OVER} mailto:ops@example.org"]
    assert (message["subject"], message["body"]["value"], message["body"]["fired"]["value"]) == (
        "Fired and cleared: Late",
        1.0,
        0.6,
    )
    assert "The alert fired at 60.0%, 2026-03-16 to 2026-03-22. It cleared before that message was sent" in as_text(
        alert_notice("", message["body"])
    ).replace("\u202f", "")


def test_alert_rule_with_a_removed_measure_is_reported_and_other_rules_are_checked(
    warehouse: Connection, tmp_path: Path
) -> None:
    place, at = Location(folder=tmp_path), datetime(2026, 3, 23, 12)
    with open_store(place) as store:
        storage.save(store, "Ada", replace(SMALL, measure="gone"), at=at)
        storage.save(store, "Ada", SMALL, at=at)
        gone, good = evaluate.check_all(warehouse, store, generation=1, as_of=at, now=at, zone=BERLIN)
    assert "gone" in gone.decided
    assert good.event == FIRED


def test_failed_message_is_retried_with_growing_delays_and_finally_given_up(tmp_path: Path) -> None:
    place, at = Location(folder=tmp_path), datetime(2026, 3, 23, 12)
    with open_store(place) as store:
        storage.write_message(store, "one", "mailto:a@example.org", "s", {}, due_at=at)
        storage.write_message(store, "one", "mailto:a@example.org", "s", {}, due_at=at)
        pauses = []
        for _ in range(len(storage.PAUSES) + 1):
            (message,) = storage.due_messages(store, datetime(2027, 1, 1))
            storage.mark_failed(store, message, "no answer", at=at)
            (kept_one,) = storage.messages(store)
            pauses.append(kept_one["due_at"] - at)
        assert pauses == [*storage.PAUSES, storage.PAUSES[-1]]
        assert storage.due_messages(store, datetime(2027, 1, 1)) == []


def test_consecutive_count_increases_once_per_period_and_not_per_publish(warehouse: Connection, tmp_path: Path) -> None:
    place, at = Location(folder=tmp_path), datetime(2026, 3, 23, 12)
    never_below = replace(SMALL, limit=1.5, clear_at=None, in_a_row=2)
    with open_store(place) as store:
        storage.save(store, "Ada", never_below, at=at)

    def event(generation: int, as_of: datetime) -> str | None:
        with open_store(place) as store:
            (one,) = evaluate.check_all(warehouse, store, generation=generation, as_of=as_of, now=at, zone=BERLIN)
        return one.event

    assert [event(1, at), event(2, at), event(3, at), event(4, datetime(2026, 3, 30))] == [None, None, None, FIRED]
