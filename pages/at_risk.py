"""At risk now: open orders that may miss their promise."""

from dashboard.components import formatting
from dashboard.frame import page
from dashboard.sections import at_risk

filters = page.current_filters()
page.subtitle(f"Open orders as of {formatting.moment(page.as_of())}, in all periods · {filters.label}")
at_risk.orders_at_risk(filters)
