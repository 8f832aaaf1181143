"""EVERY_CASE=1 adds to the long run what takes most of its time, for use before a release."""

import os

EVERY_CASE = "EVERY_CASE" in os.environ
