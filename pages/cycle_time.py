"""How long orders take, how dependable that is, and how promises are made and kept."""

from dashboard.frame import page
from dashboard.sections import cycle_time

cycle_time.page_of(page.current_filters())
