"""What stands around the database in operation: a standby, a pooler."""
