"""Events: what the engine says while it works, one JSON object a line on its standard output.

Progress, Log and Warn may come any number of times; Result or Failure comes once, as the last
line of a run. Anything else on that stream is garbled and is never taken for an event.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Union


@dataclass(frozen=True)
class Progress:
    """How far the whole run is: `fraction` in 0…1, `phase` one word, `text` for the reader."""

    phase: str
    fraction: float
    text: str = ""


@dataclass(frozen=True)
class Log:
    """A line for the log of the run."""

    text: str


@dataclass(frozen=True)
class Warn:
    """Something the analyst should know though the run goes on."""

    text: str


@dataclass(frozen=True)
class Result:
    """The run is complete; its outputs stand under their final names."""

    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """The run failed: `kind` of `errors.from_kind`, sentence, advice; `detail` is a traceback."""

    kind: str
    message: str
    advice: str = ""
    detail: str = ""


MOST_TEXT = 20_000

Event = Union[Progress, Log, Warn, Result, Failure]

_NAMES = {
    "progress": Progress,
    "log": Log,
    "warn": Warn,
    "result": Result,
    "failure": Failure,
}
_WORDS = {event: name for name, event in _NAMES.items()}
_TYPES: dict[str, Any] = {"fraction": (int, float), "values": dict}


class GarbledEvent(ValueError):
    """A line that is not an event."""


def encode(event: Event) -> str:
    """One line of ASCII JSON without its line end; ValueError where a value is not finite.

    Texts are cut at MOST_TEXT characters, so that no line is longer than its reader takes whole.
    """
    body = {
        name: value[:MOST_TEXT] if isinstance(value, str) else value
        for name, value in asdict(event).items()
    }
    return json.dumps({"event": _WORDS[type(event)], **body}, allow_nan=False)


def decode(line: str | bytes) -> Event:
    """Read one line; GarbledEvent where it is anything but an event."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise GarbledEvent(f"Not a line of JSON: {_shown(line)}") from error
    if not isinstance(data, dict) or not isinstance(data.get("event"), str):
        raise GarbledEvent(f"Not an event: {_shown(line)}")
    event = _NAMES.get(data.pop("event"))
    if event is None:
        raise GarbledEvent(f"Not an event known here: {_shown(line)}")
    _check_fields(event, data, line)
    return event(**data)


def _check_fields(event: type, data: dict[str, Any], line: str | bytes) -> None:
    """Raise GarbledEvent unless `data` holds exactly what `event` is made of."""
    names = {item.name for item in fields(event)}
    needed = {"phase", "fraction", "text", "values", "kind", "message"} & names
    if event is Progress:
        needed.discard("text")
    if not needed <= set(data) <= names:
        raise GarbledEvent(f"An event with the wrong fields: {_shown(line)}")
    for name, value in data.items():
        if not isinstance(value, _TYPES.get(name, str)) or isinstance(value, bool):
            raise GarbledEvent(f"An event with a {name} of the wrong type: {_shown(line)}")
    if event is Progress and not (math.isfinite(data["fraction"]) and 0 <= data["fraction"] <= 1):
        raise GarbledEvent(f"Progress outside 0 to 1: {_shown(line)}")


def _shown(line: str | bytes) -> str:
    """At most 200 characters of the line, safe to print."""
    return ascii(line[:200])
