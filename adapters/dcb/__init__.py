"""The ``eventsourcing`` library on our store: its DCB applications run on a tenant's log as is."""
