"""Events come back as they went, and nothing else is taken for one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasd_fusion.rasd_qgis.contract import events

text = st.text(max_size=40)
values = st.dictionaries(
    text, st.one_of(text, st.integers(), st.floats(allow_nan=False, allow_infinity=False))
)
any_event = st.one_of(
    st.builds(events.Progress, text, st.floats(0, 1), text),
    st.builds(events.Log, text),
    st.builds(events.Warn, text),
    st.builds(events.Result, values),
    st.builds(events.Failure, text, text, text, text),
)


@given(any_event)
def test_round_trip_on_one_line_of_ascii(event):
    line = events.encode(event)
    assert line.isascii()
    assert "\n" not in line
    assert events.decode(line) == event
    assert events.decode(line.encode("ascii") + b"\r\n") == event


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200)))
def test_garbage_is_garbled_and_nothing_worse(line):
    with pytest.raises(events.GarbledEvent):
        events.decode(line)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), text),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(text, inner, max_size=3)),
    max_leaves=6,
)


@given(
    st.sampled_from(["progress", "log", "warn", "result", "failure", "x"]),
    st.dictionaries(
        st.sampled_from(["phase", "fraction", "text", "values", "kind", "message", "more"]),
        json_values,
    ),
)
def test_json_of_the_wrong_shape_is_an_event_of_right_types_or_garbled(name, fields):
    try:
        event = events.decode(json.dumps({"event": name, **fields}))
    except events.GarbledEvent:
        return
    assert events.decode(events.encode(event)) == event


@pytest.mark.parametrize("fraction", [-0.1, 1.1, True, "0.5", None, float("nan")])
def test_progress_outside_its_range_is_garbled(fraction):
    line = json.dumps({"event": "progress", "phase": "train", "fraction": fraction})
    with pytest.raises(events.GarbledEvent):
        events.decode(line)


def test_a_result_that_is_not_finite_cannot_be_said():
    with pytest.raises(ValueError, match="JSON compliant"):
        events.encode(events.Result({"CONSISTENCY_HS": float("nan")}))
