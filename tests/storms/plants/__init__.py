"""Planted bugs: each module's `plant` breaks one promise in the process that calls it, and a storm has to notice.

They replace a function of the product before it starts; the product knows nothing of them.
"""
