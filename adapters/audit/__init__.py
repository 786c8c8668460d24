"""The proof that a log is what was appended, and a log as a file that carries the proof along."""
