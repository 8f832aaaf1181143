"""Alert rules: definition, storage, evaluation."""
