"""A webhook receiver and sync bridge between Genesys Cloud and the systems around it."""

__version__ = "0.1.0"
