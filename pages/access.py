"""Access: who may see and do what."""

from dashboard.frame import page
from dashboard.sections import access

page.subtitle("Who may see and do what")
access.people_with_access()
