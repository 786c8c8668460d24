"""What is noted of those who come, and how often they may try."""
