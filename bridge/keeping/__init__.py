"""What is kept for how long, and how it is forgotten: whole events, refused requests, the oldest of the audit.

An event goes with all its deliveries and their attempts, once none of them is still owed, still the head of its lane,
or younger than its time: an event without some of its deliveries would look like one that was never owed to them.

| what | is forgotten |
| --- | --- |
| event, all deliveries delivered, superseded or cancelled | `delivered_days` after the last of them ended |
| event with a dead delivery | `dead_days` after that one died |
| event that nobody was owed | `delivered_days` after it came in |
| unreadable event: somebody has to look, as at a dead one | `dead_days` after it came in |
| command of a purge | never: it is the purge |
| rejection | `rejections_days` after it was refused |
| sealed audit entries, exported first | `audit_days` after they were sealed, but none while there is a legal hold |
| key of a subject | with the last event that it sealed; a source's key never |
| lane | with its last delivery, unless it knows a version: that is what tells stale from new |
| replay order, purge, token, destination | never: they are as few as the people who make them |

Erasing somebody (`erasure`) and replacing the secret that wraps the keys (`rotation`) live here too: both are about
what is kept.

What a legal hold covers stays, and so does a rejection whose kept body it covers. What is forgotten frees its keys:
sent again, it is a new event.
"""
