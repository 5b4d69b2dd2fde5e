"""Changes that we are asked to make in Genesys: checked, recorded, owed to `genesys`, and shown while they are done.

It may not carry a command out (the destination `genesys` does), nor know by which door it came.
"""
