"""Policies: the settings by which orders are judged, and the codes of verdicts.

All defaults of `Policy` together are the strict policy, by which every headline number is judged.

Source: docs/rules.md, Policies.
"""

from dataclasses import dataclass, fields
from decimal import Decimal
from enum import StrEnum


class Timing(StrEnum):
    """Timing test. DEADLINE: the order must arrive by its deadline. WINDOW: arriving too early fails too."""

    DEADLINE = "DEADLINE"
    WINDOW = "WINDOW"


class Anchor(StrEnum):
    """The date an order is judged by. Source: R1 (anchor date)."""

    REQUESTED = "requested"
    FIRST_PROMISE = "first_promise"
    CURRENT_PROMISE = "current_promise"


class Rebase(StrEnum):
    """Whose change of a promise, made in time, moves the first promise: the buyer's or nobody's. Source: R1 (anchor
    date).
    """

    BUYER = "buyer"
    NONE = "none"


class ReceiptEvent(StrEnum):
    """The event that counts as receipt: proof of delivery, or leaving the dock if the buyer collects."""

    RECEIVED_AT = "received_at"
    SHIPPED_AT = "shipped_at"


class OpenBalance(StrEnum):
    """Effect of an overdue remainder that is not cancelled: none on `on_time` (BY_RECEIPT), or `on_time` fails too
    (LATE).
    """

    BY_RECEIPT = "by_receipt"
    LATE = "late"


_ENUMS = {
    "timing": Timing,
    "anchor": Anchor,
    "rebase": Rebase,
    "receipt_event": ReceiptEvent,
    "open_balance": OpenBalance,
}

MOST_DAYS = {
    "early_tolerance_days": 30,
    "late_tolerance_days": 30,
    "claims_days": 3650,
    "invoice_days": 90,
    "undated_days": 90,
}
"""Maximum number of days per policy key. `local_days` covers this many days beyond every day in the data."""
LIMITS: dict[str, int] = MOST_DAYS | {
    "early_tolerance_hours": 720,
    "late_tolerance_hours": 720,
    "under_tolerance_share": 1,
    "over_tolerance_share": 1,
}
"""Maximum of every policy key that is a number. The minimum is 0."""


@dataclass(frozen=True)
class Policy:
    """The settings by which orders are judged. All defaults together are the strict policy.

        timing                 DEADLINE or WINDOW: see `Timing`
        early_tolerance_days   WINDOW only: local calendar days an order may be early
        early_tolerance_hours  WINDOW only: elapsed hours an order may be early, in addition to the days
        late_tolerance_days    local calendar days an order may be late
        late_tolerance_hours   elapsed hours an order may be late, in addition to the days
        under_tolerance_share  share of the owed quantity that may be missing, 0 to 1
        over_tolerance_share   share of the owed quantity that may be delivered in excess, 0 to 1
        claims_days            days after receipt in which the buyer may claim damage
        invoice_days           days after receipt in which the first invoice must come
        undated_days           local days after the order for which a line without any date stays pending, unless
                               everything owed is received
        anchor                 date an order is judged by: see `Anchor`
        rebase                 whose change moves the first promise: see `Rebase`
        allow_substitution     true: a substitute that the buyer agreed to counts as the ordered product
        receipt_event          event that counts as receipt: see `ReceiptEvent`
        open_balance           effect of an overdue remainder: see `OpenBalance`
        fault_reasons          reasons of a cancellation by the buyer that count as our failure

    Source: R4 (windows and tolerances), R10 (under-delivery tolerance), R13 (cancellations), R19 (substitutes), R21
    (damage), R23 (billing).
    """

    timing: Timing = Timing.DEADLINE
    early_tolerance_days: int = 0
    early_tolerance_hours: Decimal = Decimal(0)
    late_tolerance_days: int = 0
    late_tolerance_hours: Decimal = Decimal(0)
    under_tolerance_share: Decimal = Decimal(0)
    over_tolerance_share: Decimal = Decimal(0)
    claims_days: int = 30
    invoice_days: int = 7
    undated_days: int = 30
    anchor: Anchor = Anchor.FIRST_PROMISE
    rebase: Rebase = Rebase.BUYER
    allow_substitution: bool = True
    receipt_event: ReceiptEvent = ReceiptEvent.RECEIVED_AT
    open_balance: OpenBalance = OpenBalance.BY_RECEIPT
    fault_reasons: tuple[str, ...] = ("late", "out_of_stock")

    def __post_init__(self) -> None:
        """Convert the strings of a settings file to enums, and check the days.

        Raises ValueError that names the key and its allowed values.
        """
        for field in fields(self):
            enum = _ENUMS.get(field.name)
            if enum is None:
                continue
            try:
                object.__setattr__(self, field.name, enum(getattr(self, field.name)))
            except ValueError:
                raise ValueError(
                    f"policy key {field.name}: {getattr(self, field.name)!r}; write one of {', '.join(enum)}"
                ) from None
        for name, maximum in LIMITS.items():
            if not 0 <= getattr(self, name) <= maximum:
                noun = f"number of {name.rpartition('_')[2]}" if maximum > 1 else "share"
                raise ValueError(f"policy key {name}: {getattr(self, name)}; write a {noun} from 0 to {maximum}")


STRICT = Policy()
"""The strict policy: every headline number is judged by it."""

MIN_N = 20
"""Minimum number of judged rows: a rate of fewer rows is shown, but not ranked and not alerted on.

Source: P8 (small numbers), R32 (few judged rows).
"""
MIN_COVERAGE = 0.90
"""Minimum coverage: a rate with less has no status, because it is not proven.

Source: P7 (point, coverage and range).
"""

DAMAGE_REASONS = ("damage", "defect")
"""Reasons of credits and returns that prove damage. Source: R21 (damage), R22 (returns)."""
WRONG_ITEM_REASONS, WRONG_PLACE_REASONS, WRONG_QUANTITY_REASONS = ("wrong_item",), ("wrong_place",), ("wrong_quantity",)
"""Reasons of returns that prove each part of `filled_accurately` wrong. Source: R22 (returns)."""
COLLECTED_TERMS = ("EXW", "FCA")
"""Incoterms under which the buyer collects, so that leaving our dock is the receipt. Source: R2 (date of receipt)."""
BILLING_CREDIT_REASONS = ("billing", "short")
"""Reasons of credits that prove a wrong bill. Source: R23 (billing)."""
PIECES = ("piece", "pieces", "pc", "pcs", "ea", "each", "unit", "units")
"""Base units counted in pieces: rounding step 1; all others 0.001. Source: R11 (equal quantities)."""

MINOR_UNITS_0 = (
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "ISK",
    "JPY",
    "KMF",
    "KRW",
    "PYG",
    "RWF",
    "UGX",
    "UYI",
    "VND",
    "VUV",
    "XAF",
    "XOF",
    "XPF",
)
"""ISO 4217 currencies without a minor unit."""
MINOR_UNITS_3 = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
"""ISO 4217 currencies with three decimals; all others have two."""

FALSE_CODES = {
    1: "late",
    2: "never_received",
    3: "too_early",
    4: "short",
    5: "damaged",
    6: "damage_credit",
    7: "returned_damaged",
    8: "wrong_item",
    9: "wrong_place",
    10: "over_shipped",
    11: "returned_wrong",
    12: "billed_quantity",
    13: "billed_price",
    14: "billed_amount",
    15: "billed_tax",
    16: "billed_terms",
    17: "billed_party",
    18: "billed_currency",
    19: "billed_late",
    20: "not_billed",
    21: "reversed",
    22: "billing_credit",
}
"""Reasons why a verdict is false. The first that applies is the reason."""
UNKNOWN_CODES = {
    50: "no_feed",
    51: "quarantined",
    52: "no_anchor",
    53: "no_evidence",
    54: "not_yet_due",
    55: "nothing_received",
}
"""Reasons why a verdict is unknown."""
CODES = FALSE_CODES | UNKNOWN_CODES
"""Codes of verdicts in SQL: null is true, a code below FIRST_UNKNOWN is false, any other is unknown.

The AND of verdicts is therefore the smallest code.
"""
CODE = {word: number for number, word in CODES.items()}
FIRST_UNKNOWN = 50
