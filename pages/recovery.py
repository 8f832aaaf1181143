"""What failed, was it put right, and did the buyer come back? Cases, parts and returns."""

from dashboard import family

family.show("recovery")
