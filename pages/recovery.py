"""What failed, was it put right, and did the buyer come back? Cases, parts and returns."""

from dashboard import came_back, family, look, page

with look.card("came_back"):
    came_back.show(page.chosen())
family.show("recovery")
