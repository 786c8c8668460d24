"""Limits, so that no question costs more than its asker may reasonably ask.

What a document is like is measured once, when it comes for the first time; what its variables
make of it, and what its asker has left, each time.
"""
