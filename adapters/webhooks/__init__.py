"""Webhooks as they are sent: from the log to addresses outside."""
