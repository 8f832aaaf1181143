"""Commitments of a service package in words."""

from dashboard.components import formatting
from metrics.measures.package_terms import Package


def commitment(package: Package, row: str) -> str:
    """Return the commitment of a package in a row."""
    limit = package.defect_share_max
    texts = {
        "Product quality": None
        if limit is None
        else f"{'less than' if package.defect_below else 'at most'} {formatting.percent(float(limit))} defects",
        "Order fill": None if package.order_fill_min is None else formatting.percent(float(package.order_fill_min), 0),
        "Lead time": None
        if package.lead_time_days_max is None
        else formatting.count(package.lead_time_days_max, "day"),
        "Delivery time": {
            "hour": "within 1 hour of request",
            "day": "on the day requested",
            "week": "in the week requested",
        }.get(package.delivery_window or ""),
        "Payment terms": package.payment_terms,
        "Customer service support": {
            "dedicated_rep": "dedicated rep",
            "next_available_rep": "next available rep",
            "web": "through the web site",
        }.get(package.support_level or ""),
    }
    return texts[row] or "no commitment"
