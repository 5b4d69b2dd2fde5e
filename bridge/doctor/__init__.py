"""Looks for what usually goes wrong, and says what to do. It may not change anything, or send a request that counts."""
