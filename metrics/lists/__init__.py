"""Lists: the rows behind the numbers and beside them, one module per list. Each adds up to the measure it stands
behind.
"""
