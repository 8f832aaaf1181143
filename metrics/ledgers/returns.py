"""One row: one returned line."""

from metrics.ledgers.ledger import Ledger

LEDGERS: tuple[Ledger, ...] = ()
