"""Places in lists that are as long as the database is large. It may not know what is listed."""
