"""One row: one service case."""

from metrics.ledgers.ledger import Ledger

LEDGERS: tuple[Ledger, ...] = ()
