"""Read models in PostgreSQL: their tables, their rows, and what may be asked of them."""
