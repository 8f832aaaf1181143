"""Due dates of an order line: the anchor date, the deadline and the delivery window (R1, anchor date; R4, windows)."""

from datetime import date, datetime, timedelta

from tests.reference.dates import Promise, day_ends, day_starts, event, hours, local_day, shifted
from tests.reference.inputs import STRICT, Inputs, Policy, Row
from tests.reference.order_lines import OrderLine


class DueDates(OrderLine):
    """An order line with its promises, its deadline and the start of its window."""

    def __init__(self, inputs: Inputs, order: Row, line: Row) -> None:
        super().__init__(inputs, order, line)
        self.rebased = self.first_promise_after(self.policy)
        self.deadline, self.window_from = self.deadline_and_window()

    def line_or_order(self, name: str) -> Row | None:
        """Return the row with the date: the line if it has its own, else the order, else None."""
        if self.line[name] is not None:
            return self.line
        return self.order if self.order[name] is not None else None

    def written(self, name: str) -> Promise | None:
        """Return the original date: the line's own, else the order's."""
        carrier = self.line_or_order(name)
        return (
            Promise(carrier[name], carrier[f"{name}_is_date"], carrier is self.order) if carrier is not None else None
        )

    def deadline_of(self, promise: Promise, policy: Policy) -> datetime:
        """Return the deadline of a promise under a policy (R4, windows and tolerances)."""
        late_days, late_hours = policy["late_tolerance_days"], hours(policy["late_tolerance_hours"])
        if promise.is_date:
            return day_ends(promise.value.date() + timedelta(days=late_days), self.zone) + late_hours
        return shifted(promise.value, late_days, self.zone) + late_hours

    def revisions(self) -> list[tuple[datetime, Row]]:
        """Return the promise changes of this line by `as_of`, each with its time."""
        changes = [(event(row, "changed_at", self.zone), row) for row in self.inputs.rows("promises", *self.keys)]
        return [(at, row) for at, row in changes if at is not None and at <= self.as_of]

    def first_promise_after(self, policy: Policy) -> Promise | None:
        """Return the first promise, moved by each buyer change before its deadline (R1, anchor date).

        A later date moves it by itself. An earlier date moves it only if the seller then confirms it.
        """
        promise = self.written("promised_by")
        if promise is None or policy["rebase"] != "buyer":
            return promise
        changes = sorted(self.revisions(), key=lambda change: (change[0], change[1]["revision_no"]))
        for place, (at, row) in enumerate(changes, start=1):
            if row["changed_by"] != "buyer":
                continue
            in_force = self.deadline_of(promise, policy)
            if at > in_force:
                break
            wanted = Promise(row["promised_by"], row["promised_by_is_date"], order_own=False)
            sooner = self.deadline_of(wanted, policy) < in_force
            if not sooner or self.confirmed(wanted, [later for _, later in changes[place:]]):
                promise = wanted
        return promise

    def confirmed(self, wanted: Promise, later: list[Row]) -> bool:
        """Return whether a later change by the seller promises the wanted day or an earlier day."""
        promised = [
            Promise(row["promised_by"], row["promised_by_is_date"], order_own=False)
            for row in later
            if row["changed_by"] != "buyer"
        ]
        day = local_day(wanted.ends(self.zone), self.zone)
        return any(local_day(promise.ends(self.zone), self.zone) <= day for promise in promised)

    def anchor(self) -> Promise | None:
        """Return the date from which the policy derives the deadline."""
        if self.policy["anchor"] == "requested":
            return self.written("requested_by")
        revisions = [row for _, row in self.revisions()]
        if self.policy["anchor"] == "current_promise" and revisions:
            latest = max(revisions, key=lambda row: row["revision_no"])
            return Promise(latest["promised_by"], latest["promised_by_is_date"], order_own=False)
        return self.first_promise_after(self.policy)

    def deadline_and_window(self) -> tuple[datetime | None, datetime | None]:
        """Return the deadline and the start of the window, both inclusive (R4, windows and tolerances).

        The start is None if the policy has no window.
        """
        anchor = self.anchor()
        if anchor is None:
            return None, None
        deadline = self.deadline_of(anchor, self.policy)
        if self.policy["timing"] != "WINDOW":
            return deadline, None
        kind = "requested" if self.policy["anchor"] == "requested" else "promised"
        early_days, early_hours = self.policy["early_tolerance_days"], hours(self.policy["early_tolerance_hours"])
        window, window_is_date = self.order[f"{kind}_from"], self.order[f"{kind}_from_is_date"]
        if anchor.order_own and window is not None and not window_is_date:
            return deadline, shifted(window, -early_days, self.zone) - early_hours
        if anchor.order_own and window is not None:
            opens = window.date()
        else:
            opens = anchor.value.date() if anchor.is_date else local_day(anchor.value, self.zone)
        return deadline, day_starts(opens - timedelta(days=early_days), self.zone) - early_hours

    @property
    def first_promise(self) -> datetime | None:
        """The end of the first promise, re-based by the policy, without tolerance."""
        return self.rebased.ends(self.zone) if self.rebased else None

    @property
    def promise_as_made(self) -> datetime | None:
        """The end of the seller's promise as first made. No change moves it."""
        promise = self.written("promised_by")
        return promise.ends(self.zone) if promise else None

    @property
    def request(self) -> datetime | None:
        request = self.written("requested_by")
        return request.ends(self.zone) if request else None

    @property
    def promise_or_request(self) -> datetime | None:
        return self.first_promise or self.request

    def due_day(self) -> date:
        """Return the day by which the line is grouped. No tolerance and no what-if policy moves it."""
        promise = self.first_promise_after(STRICT)
        due = promise.ends(self.zone) if promise else self.request
        return local_day(due, self.zone) if due else self.ordered_day
