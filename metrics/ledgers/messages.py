"""One row: one thing told, or to be told, to a buyer."""

from metrics.ledgers.ledger import Ledger

LEDGERS: tuple[Ledger, ...] = ()
