"""The five tests an order must pass and the perfect order: which fails most, together with which, and for whom."""

from dashboard.frame import page
from dashboard.sections import buyers_view

buyers_view.page_of(page.current_filters())
