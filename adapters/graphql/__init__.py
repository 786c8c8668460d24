"""GraphQL, derived at start-up from the commands and the rows that modules declare."""
