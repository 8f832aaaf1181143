"""Did I get what I wanted, when I wanted it, in the quantity I wanted? And what was missing?"""

from dashboard.frame import page
from dashboard.sections import availability

availability.page_of(page.current_filters())
