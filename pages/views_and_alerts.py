"""Views and alerts: saved views, alert rules and their log."""

from dashboard.components import theme
from dashboard.frame import page
from dashboard.measure_page import notes
from dashboard.sections import alerts, saved_views

page.subtitle("Saved views, alerts and digests")
with theme.card("views"):
    saved_views.list_views()
alerts.alert_rules()
with theme.card("notes"):
    notes.all_notes()
