"""How long orders take, how dependable that is, and how promises are made and kept."""

from dashboard import clocks, page

clocks.page_of(page.chosen())
