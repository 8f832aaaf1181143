"""Did I get what I wanted, when I wanted it, in the quantity I wanted? And what was missing?"""

from dashboard import fills, page

fills.page_of(page.chosen())
