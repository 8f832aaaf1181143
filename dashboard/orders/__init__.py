"""One order, and lists of orders to work on."""
