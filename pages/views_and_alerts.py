"""Views somebody keeps, and rules that speak up when a measure is worse than somebody wants to know of at once."""

from dashboard.components import theme
from dashboard.frame import page
from dashboard.sections import alerts, saved_views

page.subtitle("What you look at again, and what should reach you by itself")
with theme.card("views"):
    saved_views.list_views()
alerts.alert_rules()
