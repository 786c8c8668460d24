"""Queries of read models, compiled: a document becomes SQL once, and rows become its answer.

A plan knows what is selected; a request fills in its arguments; one round trip brings the rows,
and they are put together a column at a time. What can't be compiled, and whatever fails, is
executed as usual, which gives the same answer and words every error.
"""
