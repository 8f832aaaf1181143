"""Tests of the sources brought in the browser."""
