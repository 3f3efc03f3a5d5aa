"""Effects from counts: distances of distributions, shifts, rates; each with interval, p-value and noise.

Pure numbers; nothing here reads a file or a clock, or decides whether a number is good enough.
"""
