"""Dimensions, grains, and the default breakdown of a measure."""

DIMENSIONS: dict[str, str] = {
    "segment": "segment",
    "region": "region",
    "channel": "channel",
    "fulfilment_model": "fulfilment_model",
    "customer": "customer_id",
    "product_category": "product_category",
    "carrier": "carrier",
    "currency": "currency",
}
"""The dimensions that every fact table has, and the column of each."""
SHARED_DIMENSIONS = tuple(DIMENSIONS)

OWN_DIMENSIONS: dict[str, str] = {
    "base_unit": "base_unit",
    "step": "step",
    "outcome": "outcome",
    "activity": "activity",
    "case_kind": "case_kind",
    "message_kind": "message_kind",
    "phase": "phase",
    "return_reason": "return_reason",
    "lead_time_class": "lead_time_class",
    "cause": "cause",
    "recovery": "recovery",
    "policy": "policy_id",
    "basis": "basis",
    "ordered_ahead": "ordered_ahead",
    "standing": "standing",
    "stockout_source": "stockout_source",
    "zone": "zone",
    "bin": "bin",
    "package_row": "package_row",
}
"""The dimensions that only some fact tables (or studies) have, and the column of each."""

ABOUT: dict[str, tuple[str, ...]] = {
    "policy": ("on_time_contract", "otif_contract", "perfect_order_contract"),
    "outcome": ("stockout_events",),
    "basis": ("on_time_basis",),
    "step": (
        "stage_hours",
        "stage_hours_p90",
        "stage_wait_hours",
        "stage_wait_hours_p90",
        "stage_hours_mean",
        "stage_wait_hours_mean",
        "work_in_progress",
        "work_age_hours",
        "promises_missed",
        "missed_at_step",
    ),
    "activity": ("cost_to_serve", "recovery_cost"),
    "zone": (
        "zone",
        "zone_sales",
        "zone_cost",
        "zone_sensitivity",
        "zone_sensitivity_sales",
        "loss_making_customers",
        "package_fit",
        "package_fit_sales",
        "package_fit_cost",
    ),
    "bin": ("behaviour_how", "behaviour_how_much", "behaviour_what", "behaviour_when"),
    "package_row": ("package_attainment",),
    "message_kind": ("info_timely", "info_accurate"),
    "return_reason": ("returned_units", "return_share"),
    "recovery": ("reorder_30", "reorder_60", "reorder_90", "retained_margin"),
    "lead_time_class": ("options_accepted", "lead_option_mix"),
    "cause": ("books_dispute", "failed_value_disputed", "fine_disputed"),
    "fulfilment_model": ("fulfilment_mix",),
    "currency": ("documents_without_rate", "amount_without_rate"),
}
"""The default breakdown of measures whose subject is more specific than the segment. A dimension of the fact table is
not enough: net sales have no activity.
"""

GRAINS = ("day", "week", "month", "quarter")
"""The periods that a number can be broken down by. A week starts on Monday."""

DATES: dict[str, tuple[str, ...]] = {
    "due": ("due_day",),
    "ordered": ("ordered_day",),
    "arrived": ("arrived_day", "settled_day"),
    "shipped": ("shipped_day",),
}
"""The days that a question can date rows by, and the fact columns of each. The first column that a table has counts."""
