"""Figures for Prometheus: what processes count, and how far projections are behind."""
