"""The event store: callers wait in a queue, lanes append batches, looks and reads stream back."""
