"""Reads `/metrics` as Prometheus does."""

from __future__ import annotations

import urllib.request

from prometheus_client.parser import text_string_to_metric_families

#: (name, its labels sorted) → value.
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape(url: str) -> Samples:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        return samples(answer.read().decode())


def value(found: Samples, name: str, **labels: str) -> float:
    """The sample; 0 where there is none, as `increase()` would take it."""
    return found.get((name, tuple(sorted(labels.items()))), 0.0)
