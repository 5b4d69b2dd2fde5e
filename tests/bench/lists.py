"""Lists and the overview at a million rows, over HTTP from a real web process. It may not fill the database."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import requests

from bridge.clock import new_id, rfc3339
from tests.bench.year import EVERY
from tests.journeys.site import site
from tests.processes import Running

GOAL_MS = 50.0
_CONFIG = """
[sources.genesys]
format = "genesys"
verify = { scheme = "hub-sha256", secrets = ["env:WEBHOOK_SECRET"] }
[destinations.erp]
kind = "erp"
url = "http://127.0.0.1:9/hook"
allow_local = true
[destinations.crm]
kind = "crm"
url = "http://127.0.0.1:9/hook"
allow_local = true
[destinations.genesys]
kind = "genesys"
"""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """How long one question took, in milliseconds."""

    database: str
    question: str
    #: Of the newest answer.
    items: int
    p50: float
    p95: float
    #: CPU time of the web process, per answer; on SQLite that is all of it.
    cpu: float

    @property
    def is_met(self) -> bool:
        return self.p95 <= GOAL_MS


def questions(now: datetime, events: int) -> dict[str, dict[str, str]]:
    """Name → query: what administrators ask, and filters that match nothing, which are the worst of their kind."""
    begin = now - EVERY * (events // 2)
    span = {"since": rfc3339(begin), "until": rfc3339(begin + timedelta(hours=1))}
    record, chat = "custom_object.record.updated", "engage.chat_ended"
    subject = "record:InventoryItem/item-4711"
    asked: dict[str, Sequence[dict[str, str]]] = {
        "overview": [{}],
        "destinations": [{}],
        "events": [
            *(
                {},
                {"limit": "500"},
                {"source": "genesys"},
                {"source": "bridge"},
                {"source": "nobody"},
                {"type": record},
            ),
            *({"type": chat}, {"type": "none.such"}, {"subject": subject}, {"subject": "none:such"}),
            *({"state": "unreadable"}, {"state": "recorded"}, {"text": "item-4711"}, {"text": "conv-"}, span),
            *({"text": "nowhere"}, {"source": "engage", "type": record}, {"state": "unreadable", "type": chat}),
            *({"source": "engage", "type": record, **span}, {"until": rfc3339(begin)}, {"text": "nowhere", **span}),
        ],
        "deliveries": [
            *({}, {"limit": "500"}, {"destination": "erp"}, {"destination": "nobody"}, {"state": "dead"}, span),
            *({"state": "pending"}, {"state": "sending"}, {"state": "cancelled"}, {"status": "503"}, {"status": "200"}),
            *({"destination": "erp", "state": "dead"}, {"destination": "crm", "state": "delivered"}, {"type": chat}),
            *({"subject": subject}, {"subject": "none:such"}, {"event_id": new_id()}, {"type": record}),
            *({"status": "599"}, {"status": "299"}, {"error_class": "timeout"}, {"error_class": "none"}),
            *({"destination": "crm", "status": "599"}, {"destination": "genesys", "type": record}),
            *({"destination": "erp", "error_class": "timeout"}, {"state": "dead", "type": record}),
            *({"state": "dead", "status": "503", **span}, {"state": "delivered", "status": "503"}),
            *({"destination": "erp", "type": chat, "state": "pending"}, {"state": "pending", "type": chat}),
        ],
        "audit": [
            *({}, {"action": "delivery.dead"}, {"action": "none.such"}, {"actor": "cli:eva"}, {"actor": "nobody"}),
            *({"actor": "worker"}, {"subject": subject}, span, {"until": rfc3339(begin)}),
            *({"actor": "nobody", "action": "delivery.delivered"}, {"actor": "nobody", **span}),
        ],
        "commands": [
            *({}, {"state": "failed"}, {"state": "running"}, {"operation": "interaction.merge"}, span),
            *({"subject": "conversation:conv-1"}, {"until": rfc3339(begin)}),
        ],
        "rejections": [
            *({}, {"source": "engage"}, {"cause": "none"}, {"source": "nobody"}, {"until": rfc3339(begin)}),
            {"source": "engage", "cause": "none"},
        ],
        "replays": [{}],
        "purges": [{}],
        "lanes": [{}],
        "tokens": [{}],
    }
    return {_name(path, query): {"path": path, **query} for path, queries in asked.items() for query in queries}


def measure(
    database: str, url: str, asked: dict[str, dict[str, str]], *, rounds: int, folder: Path
) -> Iterator[Figure]:
    """Ask each question `rounds` times after one that does not count."""
    with _served(url, folder) as web:
        for name, query in asked.items():
            web.ask(query)
            before = web.cpu_ms()
            taken = [web.ask(query) for _ in range(rounds)]
            spent = sorted(ms for ms, _ in taken)
            yield Figure(
                database=database,
                question=name,
                items=taken[-1][1],
                p50=spent[len(spent) // 2],
                p95=spent[-(-len(spent) * 95 // 100) - 1],
                cpu=(web.cpu_ms() - before) / rounds,
            )


@dataclass(frozen=True)
class _Web:
    """A web process to ask."""

    address: str
    session: requests.Session
    process: Running

    def ask(self, query: dict[str, str]) -> tuple[float, int]:
        """Milliseconds, and how many items came."""
        rest = {name: value for name, value in query.items() if name != "path"}
        began = time.perf_counter()
        answer = self.session.get(f"{self.address}/api/v1/{query['path']}", params=rest, timeout=60)
        spent = (time.perf_counter() - began) * 1000
        assert answer.status_code == 200, answer.text
        return spent, len(answer.json().get("items", ()))

    def cpu_ms(self) -> float:
        """What it and its children have spent so far."""
        fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.process.tree()]
        return sum(int(one[11]) + int(one[12]) for one in fields) * 1000 / os.sysconf("SC_CLK_TCK")


@contextmanager
def _served(url: str, folder: Path) -> Iterator[_Web]:
    with site(folder, url, _CONFIG) as bridge, requests.Session() as session:
        bridge.environment |= {
            "GENESYS_CLIENT_ID": "nobody",
            "GENESYS_CLIENT_SECRET": "nothing",
            "GENESYS_REGION": "mypurecloud.de",
        }
        made = bridge.run("token", "create", "--name", "bench", "--role", "admin")
        assert made.code == 0, made.stderr
        session.headers["Authorization"] = f"Bearer {_token(made.stdout)}"
        process = bridge.start("web")
        bridge.wait_ready()
        yield _Web(bridge.url, session, process)


def _token(told: str) -> str:
    return next(word for word in told.replace('"', " ").split() if word.startswith("gbr_"))


def _name(path: str, query: dict[str, str]) -> str:
    shown = [value if name == "limit" else f"{name}={value}" for name, value in query.items() if name not in ("since",)]
    return " ".join([path, *shown])
