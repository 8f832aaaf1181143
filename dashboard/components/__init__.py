"""Markup and charts made from values. No queries and no session state."""
