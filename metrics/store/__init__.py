"""The store: a small transactional database of user edits. Tables, migrations and the audit trail."""
