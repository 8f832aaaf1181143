"""Alert rules: conditions on measures that send notifications."""
