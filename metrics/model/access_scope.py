"""The dimensions that a scope may name."""

from metrics.access import Scope
from metrics.errors import SettingRefused, UnknownName
from metrics.model.dimensions import DIMENSIONS

ACCOUNT_MANAGER = "account_manager"
SCOPE_COLUMNS = {
    **{name: by for name, by in DIMENSIONS.items() if name not in ("product_category", "carrier")},
    ACCOUNT_MANAGER: "customer_id",
}
"""The dimensions that a scope may name, and the column of a fact that each limits.

An order can have several product categories and carriers, so they limit no orders. The account manager is that of the
latest record of the customer: a new account manager sees the customer's earlier orders too.
"""
OF_CUSTOMER = {
    "segment": "service_segment",
    "region": "region",
    "customer": "customer_id",
    ACCOUNT_MANAGER: "account_manager",
}
"""The dimensions of a customer without orders, and their columns in the feed."""


def check_scope(scope: Scope) -> None:
    """Raise UnknownName for a dimension that cannot limit rows, SettingRefused for one without a value."""
    for name, values in scope:
        if name not in SCOPE_COLUMNS:
            raise UnknownName("dimension for a scope", name, tuple(SCOPE_COLUMNS))
        if not values or not all(value.strip() for value in values):
            raise SettingRefused(name, f"a scope needs a value of {name}, for example {name}=A")
