"""The scorecard as PDF, and the weekly e-mail."""
