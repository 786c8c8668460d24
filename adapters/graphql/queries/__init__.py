"""Queries: lists and rows of every public read model, and what no read model answers."""
