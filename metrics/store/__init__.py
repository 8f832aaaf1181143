"""What people write: the small transactional database beside the warehouse, its tables, its migrations and its audit
trail.
"""
