"""Numbers to parts of a screen."""
