"""Edit assumptions, packages and targets: form, preview, background apply."""
