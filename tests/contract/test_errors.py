"""Errors keep their kind, their advice and their built-in family."""

from __future__ import annotations

import pickle

import pytest

from rasd_fusion.rasd_qgis.contract import errors

KINDS = [
    (errors.InputError, "input", ValueError),
    (errors.ModelFileError, "model_file", ValueError),
    (errors.OutputError, "output", OSError),
    (errors.RequestError, "request", ValueError),
    (errors.DeviceError, "device", RuntimeError),
    (errors.EngineMissingError, "engine_missing", RuntimeError),
    (errors.EngineBrokenError, "engine_broken", RuntimeError),
    (errors.EngineCrashedError, "engine_crashed", RuntimeError),
    (errors.Cancelled, "cancelled", errors.RasdError),
]


@pytest.mark.parametrize(("error", "kind", "family"), KINDS)
def test_an_error_crosses_the_border_as_itself(error, kind, family):
    rebuilt = errors.from_kind(kind, "It is wet.", "Dry it.")
    assert type(rebuilt) is error
    assert isinstance(rebuilt, (errors.RasdError, family))
    assert isinstance(rebuilt, family)
    assert (rebuilt.message, rebuilt.advice) == ("It is wet.", "Dry it.")
    assert str(rebuilt) == "It is wet. Dry it."


@pytest.mark.parametrize("error", [error for error, _, _ in KINDS])
def test_an_error_survives_pickling(error):
    copy = pickle.loads(pickle.dumps(error("It is wet.", "Dry it.")))
    assert type(copy) is error
    assert (copy.message, copy.advice, str(copy)) == ("It is wet.", "Dry it.", "It is wet. Dry it.")


def test_the_crash_keeps_its_tail_when_pickled():
    copy = pickle.loads(pickle.dumps(errors.EngineCrashedError("a", "b", "last words")))
    assert copy.stderr_tail == "last words"


def test_an_unknown_kind_is_still_one_of_ours():
    error = errors.from_kind("from_the_future", "It is new.")
    assert type(error) is errors.RasdError
    assert str(error) == "It is new."
