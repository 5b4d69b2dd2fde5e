"""The OpenAPI document in the order of a page: sections, operations, fields. It may not render."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_METHODS = ("get", "post", "put", "patch", "delete")
#: Of fields within fields.
_DEEPEST = 3


@dataclass(frozen=True, kw_only=True)
class Field:
    """One line of a table of fields; the name has dots, and `[]` where there are several."""

    name: str
    type: str
    required: bool
    meaning: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: str
    meaning: str
    fields: Sequence[Field]
    #: As it is sent, "" without a body.
    example: str


@dataclass(frozen=True, kw_only=True)
class Operation:
    id: str
    method: str
    path: str
    summary: str
    description: str
    #: Which may; "" where no token is needed.
    roles: str
    #: Of path, query and headers.
    parameters: Sequence[Field]
    body: Sequence[Field]
    curl: str
    answers: Sequence[Answer]
    #: Status and meaning.
    refusals: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Section:
    name: str
    description: str
    operations: Sequence[Operation]


@dataclass(frozen=True, kw_only=True)
class Page:
    title: str
    version: str
    description: str
    sections: Sequence[Section]


def read_document(document: Mapping[str, Any]) -> Page:
    """The whole page."""
    reader = _Reader(document)
    operations = list(reader.operations())
    return Page(
        title=document["info"]["title"],
        version=document["info"]["version"],
        description=document["info"]["description"],
        sections=[
            Section(
                name=tag["name"],
                description=tag["description"],
                operations=[operation for name, operation in operations if name == tag["name"]],
            )
            for tag in document["tags"]
        ],
    )


@dataclass(frozen=True)
class _Reader:
    document: Mapping[str, Any]

    def operations(self) -> Iterator[tuple[str, Operation]]:
        """With the tag of each."""
        for path, item in self.document["paths"].items():
            for method in _METHODS:
                if method in item:
                    told = item[method]
                    parameters = [*item.get("parameters", ()), *told.get("parameters", ())]
                    yield told["tags"][0], self._operation(path, method.upper(), told, parameters)

    def _operation(
        self, path: str, method: str, told: Mapping[str, Any], parameters: Sequence[Mapping[str, Any]]
    ) -> Operation:
        content: Mapping[str, Any] = next(iter(told.get("requestBody", {}).get("content", {}).values()), {})
        responses = {str(status): self._resolved(one) for status, one in told["responses"].items()}
        return Operation(
            id=told["operationId"],
            method=method,
            path=path,
            summary=told["summary"],
            description=told.get("description", ""),
            roles=told.get("x-roles", ""),
            parameters=[self._parameter(one) for one in parameters],
            body=list(self._fields(content.get("schema", {}))),
            curl=_curl(path, method, parameters, content, needs_token="x-roles" in told),
            answers=[self._answer(status, one) for status, one in sorted(responses.items()) if status < "4"],
            refusals=[(status, one["description"]) for status, one in sorted(responses.items()) if status >= "4"],
        )

    def _answer(self, status: str, told: Mapping[str, Any]) -> Answer:
        content: Mapping[str, Any] = next(iter(told.get("content", {}).values()), {})
        return Answer(
            status=status,
            meaning=told["description"],
            fields=list(self._fields(content.get("schema", {}))),
            example=_written(content["example"]) if "example" in content else "",
        )

    def _parameter(self, told: Mapping[str, Any]) -> Field:
        kind = self._type(told["schema"])
        where = "" if told["in"] == "query" else f"{told['in']}, "
        return Field(
            name=told["name"],
            type=f"{where}{kind}",
            required=told.get("required", False),
            meaning=told.get("description", ""),
        )

    def _fields(self, schema: Mapping[str, Any], prefix: str = "", deep: int = 0) -> Iterator[Field]:
        schema = self._without_null(schema)
        if schema.get("type") == "array":
            yield from self._fields(schema.get("items", {}), f"{prefix.removesuffix('.')}[].", deep)
            return
        for name, told in schema.get("properties", {}).items():
            yield Field(
                name=prefix + name,
                type=self._type(told),
                required=name in schema.get("required", ()),
                meaning=told.get("description", ""),
            )
            if deep < _DEEPEST:
                yield from self._fields(told, f"{prefix}{name}.", deep + 1)

    def _type(self, schema: Mapping[str, Any]) -> str:
        if "enum" in schema:
            return " | ".join("null" if word is None else str(word) for word in schema["enum"])
        whole = self._without_null(schema)
        named = whole.get("type", "any")
        words = [named] if isinstance(named, str) else [word for word in named if word != "null"]
        if words == ["array"]:
            words = [f"{self._type(whole.get('items', {}))}[]"]
        words = [whole.get("format", word) if word == "string" else word for word in words]
        optional = whole is not self._resolved(schema) or "null" in (named if isinstance(named, list) else ())
        bounds = [f"{label} {schema[key]}" for key, label in _BOUNDS.items() if key in schema]
        return ", ".join([" | ".join([*words, *(["null"] if optional else [])]), *bounds])

    def _without_null(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        whole = self._resolved(schema)
        for choice in whole.get("anyOf", ()):
            if choice.get("type") != "null":
                return self._resolved(choice)
        return whole

    def _resolved(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in node:
            found: Any = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node


_BOUNDS = {"minimum": "from", "exclusiveMinimum": "more than", "maximum": "to", "maxLength": "at most"}


def _curl(
    path: str, method: str, parameters: Sequence[Mapping[str, Any]], content: Mapping[str, Any], *, needs_token: bool
) -> str:
    for one in parameters:
        if one["in"] == "path":
            path = path.replace("{" + one["name"] + "}", str(one["example"]))
    lines = [f'curl "$BRIDGE{path}"' if method == "GET" else f'curl -X {method} "$BRIDGE{path}"']
    if needs_token:
        lines.append('  -H "Authorization: Bearer $TOKEN"')
    if "example" in content:
        lines.append("  -H 'Content-Type: application/json'")
        lines.append(f"  -d {shlex.quote(json.dumps(content['example'], ensure_ascii=False))}")
    return " \\\n".join(lines)


def _written(example: object) -> str:
    return json.dumps(example, indent=2, ensure_ascii=False)
