"""The sections of each page, one module per page, named as the page."""
