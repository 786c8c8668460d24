"""Who is asking: API keys, access tokens and sessions become a verified context."""
