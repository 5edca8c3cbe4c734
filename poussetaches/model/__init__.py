"""What a task is and what may befall it: no I/O, no clock, no library but croniter."""
