"""Subscriptions: what happens is told from a cursor on, over WebSockets and as sent events."""
