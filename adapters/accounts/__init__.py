"""People's accounts: by which passwords, factors and letters they are known."""
