"""What surrounds every page: menu, filter bar, period, links, live refresh."""
