"""How fast, and against what: every figure is a ratio of two things measured in the same run. Source: design, speed
(S1, S3 to S6).
"""
