"""Lists of rows that explain a number or are shown next to it, one module per list. A list of rows behind a measure
adds up to that measure.
"""
