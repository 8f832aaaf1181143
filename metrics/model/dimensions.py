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
"""Every dimension that every fact table has, and the column that holds it."""
SHARED_DIMENSIONS = tuple(DIMENSIONS)

OWN_DIMENSIONS: dict[str, str] = {
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
"""Dimensions that only some fact tables (or studies) have, by the column that holds them."""

ABOUT: dict[str, tuple[str, ...]] = {
    "policy": ("on_time_contract", "otif_contract", "perfect_order_contract"),
    "outcome": ("stockout_events",),
    "basis": ("promise_kept",),
    "step": (
        "stage_hours", "stage_hours_p90", "stage_wait_hours", "stage_wait_hours_p90", "work_in_progress", "work_age_hours", "promises_died",
        "promise_died",
    ),
    "activity": ("cost_to_serve", "recovery_cost"),
    "zone": ("zone", "zone_sales", "zone_cost", "zone_sensitivity", "zone_sensitivity_sales", "loss_making_customers", "package_fit",
             "package_fit_sales", "package_fit_cost"),
    "bin": ("behaviour_how", "behaviour_how_much", "behaviour_what", "behaviour_when"),
    "package_row": ("package_attainment",),
    "message_kind": ("info_timely", "info_accurate"),
    "return_reason": ("returned_units", "return_share"),
    "recovery": ("reorder_30", "reorder_60", "reorder_90", "retained_margin"),
    "lead_time_class": ("options_accepted", "lead_option_mix"),
    "cause": ("books_dispute", "failed_value_disputed", "fine_disputed"),
    "fulfilment_model": ("fulfilment_mix",),
    "currency": ("documents_without_rate", "amount_without_rate"),
}  # fmt: skip
"""What a measure is about, where that says more than the segment: its break-down begins with this dimension. That a
fact table happens to have a dimension of its own is no reason: net sales have no activity.
"""

GRAINS = ("day", "week", "month", "quarter")
"""Periods a number can be broken down by; a week starts on Monday."""
