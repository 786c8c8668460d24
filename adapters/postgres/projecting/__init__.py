"""What keeps read models true to the log: live, anew beside the old rows, and as of a day."""
