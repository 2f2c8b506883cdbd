"""Jobs, one by one, and run by others."""
