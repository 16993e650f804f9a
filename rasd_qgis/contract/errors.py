"""Errors: what went wrong, in a sentence the analyst can act on.

Every error has a kind, a word that survives the trip between the two processes, a message (what
arrived and what is wrong with it) and an advice (what to do next). One small tree holds them all,
and each also inherits the built-in it resembles.
"""

from __future__ import annotations


class RasdError(Exception):
    """Base of all errors of this plugin.

    `message` says what arrived and what is wrong, `advice` what to do; `str(error)` is both.
    """

    kind = "error"

    def __init__(self, message: str, advice: str = "") -> None:
        self.message = message
        self.advice = advice
        super().__init__(f"{message} {advice}".strip())

    def __reduce__(self) -> tuple:
        """Pickle by message and advice, as the joined sentence alone would lose the split."""
        return type(self), (self.message, self.advice)


class InputError(RasdError, ValueError):
    """The rasters or settings of a run cannot be used as they are."""

    kind = "input"


class ModelFileError(RasdError, ValueError):
    """A model file is no model of ours, or does not fit this pair of rasters."""

    kind = "model_file"


class OutputError(RasdError, OSError):
    """An output cannot be written where, or as, the analyst asked."""

    kind = "output"

    def __str__(self) -> str:
        """The sentence, without OSError's errno form."""
        return f"{self.message} {self.advice}".strip()


class RequestError(RasdError, ValueError):
    """A request is malformed: the two processes do not speak the same version."""

    kind = "request"


class DeviceError(RasdError, RuntimeError):
    """The computing device asked for is absent, or ran out of memory."""

    kind = "device"


class ClusterError(RasdError, RuntimeError):
    """The Dask cluster asked for cannot be had, or cannot do this run."""

    kind = "cluster"


class EngineMissingError(RasdError, RuntimeError):
    """The engine is not set up on this computer."""

    kind = "engine_missing"


class EngineBrokenError(RasdError, RuntimeError):
    """The engine is set up, but does not start or does not answer as it should."""

    kind = "engine_broken"


class EngineCrashedError(RasdError, RuntimeError):
    """The engine's process ended without a result; `stderr_tail` holds its last words."""

    kind = "engine_crashed"

    def __init__(self, message: str, advice: str = "", stderr_tail: str = "") -> None:
        super().__init__(message, advice)
        self.stderr_tail = stderr_tail

    def __reduce__(self) -> tuple:
        """Pickle with the tail."""
        return type(self), (self.message, self.advice, self.stderr_tail)


class Cancelled(RasdError):
    """The analyst cancelled the run; nothing was written."""

    kind = "cancelled"

    def __init__(self, message: str = "The run was cancelled.", advice: str = "") -> None:
        super().__init__(message, advice)


_BY_KIND = {
    error.kind: error
    for error in (
        InputError,
        ModelFileError,
        OutputError,
        RequestError,
        DeviceError,
        ClusterError,
        EngineMissingError,
        EngineBrokenError,
        EngineCrashedError,
        Cancelled,
    )
}

# Kinds that are the analyst's to mend: the engine that reported one is as good as before.
FORGIVEN = (InputError.kind, ModelFileError.kind, OutputError.kind, ClusterError.kind)


def from_kind(kind: str, message: str, advice: str = "") -> RasdError:
    """Rebuild an error that crossed the process border; an unknown kind gives a RasdError."""
    return _BY_KIND.get(kind, RasdError)(message, advice)
