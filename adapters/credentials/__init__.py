"""The secrets of outside systems: kept sealed, opened for a use that the log names."""
