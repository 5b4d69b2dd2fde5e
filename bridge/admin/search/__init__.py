"""What administrators search: events, deliveries, rejections. All the reading SQL of the API, console and command line.

Nothing here writes, counts a whole table, or gives personal data unmasked.
"""
