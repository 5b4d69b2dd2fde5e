"""The account tells every fault from what at-least-once allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from tests.storms.account import ROLLING_ANSWERS, Account, Books, Entry, Verdict, judge
from tests.storms.listeners import Arrival, Key

FIRST, SECOND = ("c-1", 1), ("c-1", 2)


@dataclass
class Tale:
    """Two versions of one subject that were sent, recorded and delivered; a test changes a line of it."""

    acknowledged: list[Key] = field(default_factory=lambda: [FIRST, SECOND])
    answers: Counter[str] = field(default_factory=Counter)
    recorded: list[Key] = field(default_factory=lambda: [FIRST, SECOND])
    entries: list[Entry] = field(default_factory=lambda: [_entry(FIRST), _entry(SECOND)])
    arrivals: list[Arrival] = field(default_factory=lambda: [_arrival(FIRST), _arrival(SECOND)])

    def verdict(self, **more: frozenset[str]) -> Verdict:
        account = Account()
        account.attempted |= {FIRST, SECOND}
        account.acknowledged |= set(self.acknowledged)
        account.answers = self.answers
        return judge(account, Books(Counter(self.recorded), self.entries), {"crm": self.arrivals}, **more)


def _entry(key: Key, state: str = "delivered", *, is_replay: bool = False) -> Entry:
    return Entry(key=key, destination="crm", webhook_id=f"w-{key[1]}", state=state, is_replay=is_replay)


def _arrival(key: Key, *, accepted: bool = True, webhook_id: str = "") -> Arrival:
    return Arrival(key, webhook_id or f"w-{key[1]}", accepted)


def test_what_went_well_has_no_fault() -> None:
    verdict = Tale().verdict()
    assert verdict.faults == {}
    assert (verdict.attempted, verdict.recorded, verdict.delivered, verdict.doubled) == (2, 2, 2, 0)


def test_a_repeat_after_a_success_is_doubled_and_no_fault() -> None:
    verdict = Tale(arrivals=[_arrival(FIRST), _arrival(FIRST), _arrival(SECOND)]).verdict()
    assert (verdict.doubled, verdict.faults) == (1, {})


def test_a_repeat_after_a_failure_is_not_even_doubled() -> None:
    verdict = Tale(arrivals=[_arrival(FIRST, accepted=False), _arrival(FIRST), _arrival(SECOND)]).verdict()
    assert (verdict.doubled, verdict.faults) == (0, {})


@pytest.mark.parametrize(
    ("tale", "fault"),
    [
        (Tale(recorded=[FIRST], entries=[_entry(FIRST)], arrivals=[_arrival(FIRST)]), "lost"),
        (Tale(entries=[_entry(FIRST)], arrivals=[_arrival(FIRST)]), "lost"),
        (Tale(arrivals=[_arrival(FIRST), _arrival(SECOND, accepted=False)]), "lost"),
        (Tale(entries=[_entry(FIRST), _entry(SECOND, "superseded")], arrivals=[_arrival(FIRST)]), "lost"),
        (Tale(entries=[_entry(FIRST), _entry(SECOND, "dead")], arrivals=[_arrival(FIRST)]), "lost"),
        (Tale(acknowledged=[FIRST]), "unanswered"),
        (Tale(entries=[_entry(FIRST), _entry(SECOND, "pending")], arrivals=[_arrival(FIRST)]), "undelivered"),
        (Tale(recorded=[FIRST, SECOND, SECOND]), "recorded_twice"),
        (Tale(arrivals=[_arrival(SECOND), _arrival(FIRST)]), "out_of_order"),
        (Tale(arrivals=[_arrival(FIRST), _arrival(SECOND), _arrival(FIRST)]), "out_of_order"),
        (Tale(arrivals=[_arrival(FIRST), _arrival(FIRST, webhook_id="w-9"), _arrival(SECOND)]), "id_changed"),
        (Tale(answers=Counter({"202": 2, "500": 1})), "unfair_answers"),
    ],
    ids=[
        "acknowledged and not recorded",
        "recorded and owed to nobody",
        "settled and not accepted",
        "superseded by nothing",
        "dead and not replayed",
        "never acknowledged",
        "still owed",
        "recorded twice",
        "overtaken",
        "an old repeat",
        "another webhook-id",
        "a 500",
    ],
)
def test_a_fault_is_named(tale: Tale, fault: str) -> None:
    assert tale.verdict().faults == {fault: 1}


def test_a_version_set_aside_for_a_newer_one_is_no_fault() -> None:
    tale = Tale(entries=[_entry(FIRST, "superseded"), _entry(SECOND)], arrivals=[_arrival(SECOND)])
    assert tale.verdict().faults == {}


def test_what_was_dead_may_be_replayed_behind_newer_ones() -> None:
    entries: Sequence[Entry] = [_entry(FIRST, "dead"), _entry(SECOND), _entry(FIRST, is_replay=True)]
    tale = Tale(entries=list(entries), arrivals=[_arrival(FIRST, accepted=False), _arrival(SECOND), _arrival(FIRST)])
    assert tale.verdict().faults == {}


def test_a_rolling_restart_may_refuse_but_not_break_off() -> None:
    answers = Counter({"202": 2, "refused": 5})
    assert Tale(answers=answers).verdict(fair=ROLLING_ANSWERS).faults == {}
    answers["ConnectionError"] = 1
    assert Tale(answers=answers).verdict(fair=ROLLING_ANSWERS).faults == {"unfair_answers": 1}
