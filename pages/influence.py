"""Inquiries, the options offered on price and lead time, what buyers chose, and how orders are fulfilled."""

from dashboard import family

family.show("influence")
