"""Orders under way whose promise can no longer, or hardly, be kept: what can still be saved first."""

from dashboard import at_risk, page
from dashboard import format as fmt

filters = page.chosen()
page.subtitle(f"Open orders as things stood {fmt.moment(page.as_of())}, whatever the period · {filters.label}")
at_risk.show(filters)
