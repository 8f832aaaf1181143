"""Parts that every page of measures shares."""
