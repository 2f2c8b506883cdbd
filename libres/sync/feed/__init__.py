"""The feed of changes: numbered without gaps, read by position, kept for a while."""
