"""Letters, taken to a mail server or laid into a folder."""
