"""Storms: real processes under load, harmed in every way that we know, and an account of what became of each event.

    python -m tests.storms --list
    python -m tests.storms kills-postgresql --seconds 120 --seed 7

A storm has two phases. In the first ("safety") the nemeses strike; in the second ("liveness") they have ended, and
everything that is owed has to be delivered unaided within a bound. Then the account is made up (`account.py`). The
seed decides what the nemeses choose; what the scheduler makes of it is different every time.
"""
