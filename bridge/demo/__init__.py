"""`bridge demo`: a real bridge between real receivers, told as a story, with every id accounted for.

It may not touch a configuration, a database or a process that it has not made itself.
"""
