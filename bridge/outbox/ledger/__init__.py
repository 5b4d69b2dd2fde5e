"""All SQL of the outbox, one module per move: append, claim, settle, cancel, and what frees a blocked lane.

A delivery's state changes only here, each legal move by one guarded statement. Functions take a session; whoever
opened it commits it.
"""
