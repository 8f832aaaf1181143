"""Which customers protect, build, need cost engineering or are a danger, and what ordering behaviour costs."""

from dashboard import family

family.show("profitability")
