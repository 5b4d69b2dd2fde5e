"""The life of a delivery: states, retry arithmetic, the ledger (all its SQL), the dispatcher, replay.

It may not know how a destination sends, nor how an event came in.
"""
