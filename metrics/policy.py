"""What counts: how an order is judged. One frozen `Policy`; every default together is the strict policy. Source: rules,
section 5.
"""

from dataclasses import dataclass, fields
from decimal import Decimal
from enum import StrEnum


class Timing(StrEnum):
    """DEADLINE: the latest moment counts. WINDOW: too early fails as well."""

    DEADLINE = "DEADLINE"
    WINDOW = "WINDOW"


class Anchor(StrEnum):
    """Which date an order is held to (R1)."""

    REQUESTED = "requested"
    FIRST_PROMISE = "first_promise"
    CURRENT_PROMISE = "current_promise"


class Rebase(StrEnum):
    """Whose change of a promise, in time, moves the first promise: the buyer's, or nobody's (R1)."""

    BUYER = "buyer"
    NONE = "none"


class ReceiptEvent(StrEnum):
    """What counts as received: proof at the buyer, or leaving the dock where the buyer collects."""

    RECEIVED_AT = "received_at"
    SHIPPED_AT = "shipped_at"


class OpenBalance(StrEnum):
    """Whether an uncancelled overdue remainder fails `on_time` too."""

    BY_RECEIPT = "by_receipt"
    LATE = "late"


_ENUMS = {
    "timing": Timing,
    "anchor": Anchor,
    "rebase": Rebase,
    "receipt_event": ReceiptEvent,
    "open_balance": OpenBalance,
}

MOST_DAYS = {"early_tolerance_days": 30, "late_tolerance_days": 30, "claims_days": 3650, "invoice_days": 90}
"""The most days a policy may give; `local_days` reaches that far beyond every day in the data."""


@dataclass(frozen=True)
class Policy:
    """How orders are judged; tolerances in local calendar days, then elapsed hours; shares from 0 to 1."""

    timing: Timing = Timing.DEADLINE
    early_tolerance_days: int = 0
    early_tolerance_hours: Decimal = Decimal(0)
    late_tolerance_days: int = 0
    late_tolerance_hours: Decimal = Decimal(0)
    under_tolerance_share: Decimal = Decimal(0)
    over_tolerance_share: Decimal = Decimal(0)
    claims_days: int = 30
    invoice_days: int = 7
    anchor: Anchor = Anchor.FIRST_PROMISE
    rebase: Rebase = Rebase.BUYER
    allow_substitution: bool = True
    receipt_event: ReceiptEvent = ReceiptEvent.RECEIVED_AT
    open_balance: OpenBalance = OpenBalance.BY_RECEIPT
    fault_reasons: tuple[str, ...] = ("late", "out_of_stock")

    def __post_init__(self) -> None:
        """Accept the plain strings of a settings file for the enums.

        Raises ValueError naming the key and the values it may have.
        """
        for field in fields(self):
            kind = _ENUMS.get(field.name)
            if kind is None:
                continue
            try:
                object.__setattr__(self, field.name, kind(getattr(self, field.name)))
            except ValueError:
                raise ValueError(
                    f"policy key {field.name}: {getattr(self, field.name)!r}; write one of {', '.join(kind)}"
                ) from None
        for name, most in MOST_DAYS.items():
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"policy key {name}: {getattr(self, name)}; write a number of days from 0 to {most}")


STRICT = Policy()
"""The product's own defaults: what every headline number is judged by."""

MIN_N = 20
"""Below so many judged rows a rate is shown, but neither ranked nor alerted on (P8)."""
MIN_COVERAGE = 0.90
"""Below this coverage a rate has no red, amber or green: it is not proven (P7)."""

DAMAGE_REASONS = ("damage", "defect")
"""Credit and return reasons that prove damage (R21, R22)."""
WRONG_ITEM_REASONS, WRONG_PLACE_REASONS, WRONG_QUANTITY_REASONS = ("wrong_item",), ("wrong_place",), ("wrong_quantity",)
"""Return reasons that prove each part of `filled_accurately` wrong (R22)."""
COLLECTED_TERMS = ("EXW", "FCA")
"""Incoterms under which the buyer collects: leaving our dock is the receipt (R2)."""
BILLING_CREDIT_REASONS = ("billing", "short")
"""Credit reasons that prove a wrong bill (R23)."""
PIECES = ("piece", "pieces", "pc", "pcs", "ea", "each", "unit", "units")
"""Base units counted one by one: rounding step 1; all others 0.001 (R11)."""

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
"""Why a verdict is false, the first that fits."""
UNKNOWN_CODES = {
    50: "no_feed",
    51: "quarantined",
    52: "no_anchor",
    53: "no_evidence",
    54: "not_yet_due",
    55: "nothing_received",
}
"""Why a verdict is unknown."""
CODES = FALSE_CODES | UNKNOWN_CODES
"""Inside the SQL a verdict is a code: null is true, below FIRST_UNKNOWN is false, above is unknown. AND is then simply
the least code.
"""
CODE = {word: number for number, word in CODES.items()}
FIRST_UNKNOWN = 50
