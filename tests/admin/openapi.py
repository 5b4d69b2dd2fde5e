"""The OpenAPI document, read as a client's generator reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Operation:
    path: str
    method: str
    #: As it stands in the document.
    told: Mapping[str, Any]
    #: Of its path.
    parameters: list[dict[str, Any]]

    @property
    def id(self) -> str:
        return str(self.told["operationId"])


@dataclass(frozen=True)
class Document:
    whole: Mapping[str, Any]

    def operations(self) -> Iterator[Operation]:
        for path, item in self.whole["paths"].items():
            for method in METHODS:
                if method in item:
                    told = item[method]
                    yield Operation(
                        path, method.upper(), told, [*item.get("parameters", ()), *told.get("parameters", ())]
                    )

    def response(self, operation: Operation, status: int | str) -> Mapping[str, Any]:
        """What is told of that answer."""
        told: Mapping[str, Any] = operation.told["responses"][str(status)]
        resolved: Mapping[str, Any] = self.resolved(told)
        return resolved

    def resolved(self, node: Any) -> Any:
        """What `node` stands for, where it is a reference."""
        while "$ref" in node:
            found: Any = self.whole
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def faults(self, value: object, schema: Mapping[str, Any]) -> list[str]:
        """Where `value` is not what `schema` says; a member that it does not tell of is one."""
        whole = {**schema, "components": self.whole["components"]}
        validator = Draft202012Validator(whole, format_checker=FormatChecker())
        wrong = [f"{one.json_path}: {one.message}" for one in validator.iter_errors(value)]
        return wrong + list(self._untold(value, schema, "$"))

    def _untold(self, value: object, schema: Mapping[str, Any], path: str) -> Iterator[str]:
        schema = self.resolved(schema)
        for choice in schema.get("anyOf", ()):
            schema = self.resolved(choice) if self.resolved(choice).get("type") != "null" else schema
        if isinstance(value, dict) and "properties" in schema:
            for name, one in value.items():
                if name not in schema["properties"]:
                    yield f"{path}.{name}: the document does not tell of it"
                else:
                    yield from self._untold(one, schema["properties"][name], f"{path}.{name}")
        if isinstance(value, list) and "items" in schema:
            for number, one in enumerate(value):
                yield from self._untold(one, schema["items"], f"{path}[{number}]")
