"""Views somebody keeps, and rules that speak up when a measure is worse than somebody wants to know of at once."""

from dashboard import alerting, look, page, views

page.subtitle("What you look at again, and what should reach you by itself")
with look.card("views"):
    views.show()
alerting.show()
