"""Read models made anew from their events, as fast as the machine can, while the old rows serve."""
