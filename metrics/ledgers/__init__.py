"""Ledgers: fact tables beside orders and lines, one file each. They stand on the judged facts and are rebuilt after them (rebuild.py)."""

from itertools import chain

from metrics.ledgers import (
    anchors,
    availability,
    books,
    cases,
    contracts,
    cycles,
    gaps,
    groups,
    messages,
    money,
    payments,
    quotes,
    recoveries,
    recovery_costs,
    returns,
    shipments,
    steps,
    stockouts,
    waits,
)
from metrics.ledgers.ledger import Ledger

LEDGERS: tuple[Ledger, ...] = tuple(
    chain.from_iterable(
        module.LEDGERS
        for module in (
            anchors,
            availability,
            groups,
            cycles,
            waits,
            contracts,
            shipments,
            messages,
            cases,
            returns,
            payments,
            steps,
            quotes,
            money,
            gaps,
            stockouts,
            recoveries,
            recovery_costs,
            books,
        )
    )
)
"""Every ledger, those that others read first."""
