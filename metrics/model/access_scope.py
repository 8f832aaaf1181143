"""The dimensions that a scope may name."""

from metrics.access import Scope
from metrics.errors import SettingRefused, UnknownName
from metrics.model.dimensions import SHARED_DIMENSIONS


def check_scope(scope: Scope) -> None:
    """Raise UnknownName for a dimension that not every fact table has, SettingRefused for one without a value."""
    for name, values in scope:
        if name not in SHARED_DIMENSIONS:
            raise UnknownName("dimension for a scope", name, SHARED_DIMENSIONS)
        if not values or not all(value.strip() for value in values):
            raise SettingRefused(name, f"a scope needs a value of {name}, for example {name}=A")
