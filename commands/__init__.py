"""The commands of the command line, by what they are about. Heavy imports are inside: `buyerview --help` needs none of
them.
"""
