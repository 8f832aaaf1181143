"""Provenance of exports: description, fingerprint, hash and verification."""
