"""The five tests an order must pass and the perfect order: which fails most, together with which, and for whom."""

from dashboard import five_tests, page

five_tests.page_of(page.chosen())
