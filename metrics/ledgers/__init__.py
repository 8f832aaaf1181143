"""Ledgers: fact tables beside orders and lines, one file each. They stand on the judged facts and are rebuilt after them (rebuild.py)."""

from itertools import chain

from metrics.ledgers import (
    anchors,
    availability,
    books,
    cases,
    contracts,
    cycles,
    groups,
    messages,
    money,
    payments,
    quotes,
    recoveries,
    returns,
    shipments,
    steps,
    stockouts,
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
            contracts,
            shipments,
            messages,
            cases,
            returns,
            payments,
            steps,
            quotes,
            money,
            stockouts,
            recoveries,
            books,
        )
    )
)
"""Every ledger, those that others read first."""
