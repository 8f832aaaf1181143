"""Orders under way whose promise can no longer, or hardly, be kept: what can still be saved first."""

from dashboard.components import formatting
from dashboard.frame import page
from dashboard.sections import at_risk

filters = page.current_filters()
page.subtitle(f"Open orders as things stood {formatting.moment(page.as_of())}, whatever the period · {filters.label}")
at_risk.orders_at_risk(filters)
