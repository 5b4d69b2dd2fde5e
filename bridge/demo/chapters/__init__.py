"""The chapters, one module each: a title, and what happens. They may not count: the account does, at the end."""
