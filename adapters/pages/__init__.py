"""GraphiQL, Swagger UI and ReDoc: pages of others, from our own assets, loading nothing else."""
