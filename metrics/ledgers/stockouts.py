"""One row: one stockout event and its outcome (R38)."""

from metrics.ledgers.ledger import Ledger

LEDGERS: tuple[Ledger, ...] = ()
