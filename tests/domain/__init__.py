"""What is true: tables and properties of pure functions, no database."""
