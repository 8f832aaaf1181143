"""The commands of the command line, grouped by subject.

Modules import heavy libraries inside functions, so that `buyerview --help` starts fast.
"""
