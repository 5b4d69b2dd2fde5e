"""The account of a storm: what was attempted and acknowledged, what the database holds, what has arrived.

The verdict is pure arithmetic over these three; it may not ask anybody.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from tests.storms.listeners import Arrival, Key

#: What a sender may be told where processes are killed: taken before, taken, later, or nothing at all.
FAIR_ANSWERS = frozenset(
    {"200", "202", "503", "refused", "ConnectionResetError", "ConnectionError", "BrokenPipeError", "TimeoutError"}
)
#: Where they are restarted one after the other: at most that there is nobody behind this door right now; or a RST, for
#: whom the kernel let in at the very moment in which the door was closed. A request that was begun is answered (else it
#: would be a "ConnectionError").
ROLLING_ANSWERS = frozenset({"200", "202", "refused", "ConnectionResetError"})
#: Where not even that may happen, because the sockets stay open.
FLAWLESS_ANSWERS = frozenset({"200", "202"})


class Account:
    """What the senders did and heard. Safe for threads."""

    def __init__(self) -> None:
        self.attempted: set[Key] = set()
        self.acknowledged: set[Key] = set()
        #: Every answer by its status, every failure by its name.
        self.answers: Counter[str] = Counter()
        #: Set to stop senders that are still not answered at the end.
        self.given_up = threading.Event()
        self._lock = threading.Lock()

    def attempt(self, key: Key) -> None:
        with self._lock:
            self.attempted.add(key)

    def acknowledge(self, key: Key) -> None:
        with self._lock:
            self.acknowledged.add(key)

    def note_answer(self, answer: str) -> None:
        with self._lock:
            self.answers[answer] += 1


@dataclass(frozen=True)
class Entry:
    """One delivery as the database has it."""

    key: Key
    destination: str
    webhook_id: str
    state: str
    is_replay: bool = False


@dataclass(frozen=True)
class Books:
    """What the database says: how often each key is recorded, and every delivery."""

    recorded: Counter[Key]
    entries: Sequence[Entry]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Counts; those below `lost` have to be 0."""

    attempted: int
    acknowledged: int
    recorded: int
    delivered: int
    superseded: int
    #: Dead by an answer that says so (410), and then replayed.
    dead: int
    #: Arrived again although the receiver had answered 2xx: what at-least-once allows.
    doubled: int
    lost: int
    #: Not acknowledged by the end of the liveness phase, although the sender never ceased to try.
    unanswered: int
    undelivered: int
    recorded_twice: int
    out_of_order: int
    id_changed: int
    #: Answers to senders that nobody should get (500, 4xx).
    unfair_answers: int
    #: A key of each kind, for whoever looks into it.
    examples: Mapping[str, object] = field(default_factory=dict)

    @property
    def faults(self) -> dict[str, int]:
        """What must not be, by name."""
        names = ("lost", "unanswered", "undelivered", "recorded_twice", "out_of_order", "id_changed", "unfair_answers")
        return {name: count for name in names if (count := getattr(self, name))}

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def judge(
    account: Account,
    books: Books,
    arrivals: Mapping[str, Sequence[Arrival]],
    *,
    fair: frozenset[str] = FAIR_ANSWERS,
) -> Verdict:
    """`arrivals` by destination, each in the order in which they came; `fair`: what senders may be told."""
    accepted = {(name, one.key) for name, came in arrivals.items() for one in came if one.accepted}
    lost = sorted(_lost(account, books, accepted))
    unanswered = sorted(account.attempted - account.acknowledged)
    undelivered = sorted(one.key for one in books.entries if one.state == "pending")
    twice = sorted(key for key, times in books.recorded.items() if times > 1)
    late = {one.webhook_id for one in books.entries if one.is_replay or one.state == "dead"}
    overtaken = [key for came in arrivals.values() for key in _overtaken(came, late)]
    changed = [key for came in arrivals.values() for key in _ids_changed(came)]
    states = Counter(one.state for one in books.entries)
    unfair = {answer: times for answer, times in account.answers.items() if answer not in fair}
    return Verdict(
        attempted=len(account.attempted),
        acknowledged=len(account.acknowledged),
        recorded=len(books.recorded),
        delivered=len(accepted),
        superseded=states["superseded"],
        dead=states["dead"],
        doubled=sum(_doubled(came) for came in arrivals.values()),
        lost=len(lost),
        unanswered=len(unanswered),
        undelivered=len(undelivered),
        recorded_twice=len(twice),
        out_of_order=len(overtaken),
        id_changed=len(changed),
        unfair_answers=sum(unfair.values()),
        examples={
            "lost": lost[:5],
            "unanswered": unanswered[:5],
            "undelivered": undelivered[:5],
            "recorded_twice": twice[:5],
            "out_of_order": overtaken[:5],
            "id_changed": changed[:5],
            "unfair_answers": unfair,
        },
    )


def _lost(account: Account, books: Books, accepted: set[tuple[str, Key]]) -> set[Key]:
    """Acknowledged and not in the books, or in the books as delivered and not with the receiver."""
    lost = account.acknowledged - books.recorded.keys()
    owed = {one.key for one in books.entries}
    lost |= books.recorded.keys() - owed  # recorded, and nobody was to hear of it
    newest: dict[tuple[str, str], int] = {}
    for destination, (subject, version) in accepted:
        newest[destination, subject] = max(version, newest.get((destination, subject), 0))
    for one in books.entries:
        subject, version = one.key
        if one.state == "delivered" and (one.destination, one.key) not in accepted:
            lost.add(one.key)
        elif one.state == "superseded" and newest.get((one.destination, subject), 0) <= version:
            lost.add(one.key)  # set aside for a newer one that never came
    replayed = {(one.destination, one.key) for one in books.entries if one.is_replay}
    dead = {(one.destination, one.key) for one in books.entries if one.state == "dead"}
    return lost | {key for _, key in dead - replayed}


def _overtaken(came: Iterable[Arrival], late: set[str]) -> list[Key]:
    """What arrived after a newer version of the same subject. What was dead is replayed behind newer ones: `late`."""
    newest: dict[str, int] = {}
    overtaken = []
    for one in came:
        subject, version = one.key
        if one.webhook_id in late:
            continue
        if version < newest.get(subject, 0):
            overtaken.append(one.key)
        newest[subject] = max(version, newest.get(subject, 0))
    return overtaken


def _doubled(came: Iterable[Arrival]) -> int:
    accepted: set[Key] = set()
    doubled = 0
    for one in came:
        doubled += one.key in accepted
        if one.accepted:
            accepted.add(one.key)
    return doubled


def _ids_changed(came: Iterable[Arrival]) -> list[Key]:
    ids: dict[Key, set[str]] = defaultdict(set)
    for one in came:
        ids[one.key].add(one.webhook_id)
    return sorted(key for key, seen in ids.items() if len(seen) > 1)
