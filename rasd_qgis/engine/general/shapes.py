"""Shapes: what every tensor of a study must be, so that a stranger's file is refused at once."""

from __future__ import annotations

from .forms import KERNELS, NAMES
from .study import FACTS, GUIDE, Study


def check_study(study: Study, bands: int, guide: int) -> None:
    """Raise ValueError where a study is not of so many bands and guide bands, or not of a piece."""
    forms, posterior = study.forms, study.forms.posterior
    felt, wide = posterior.basis.shape[-1], study.basis.shape[-1]
    points = forms.points.shape[-1]
    wanted: list[tuple[object, dict[str, tuple[int, ...]]]] = [
        (
            study,
            {
                "mean": (bands,),
                "unit": (bands,),
                "basis": (bands, wide),
                "error": (wide,),
                "contrast": (wide,),
                "rest": (bands,),
                "floor": (bands,),
                "track": (wide, len(NAMES)),
                "facts": (wide, FACTS),
                "leading": (GUIDE, guide),
                "detail_spread": (GUIDE,),
                "brightness": (),
                "move": (2,),
                "trust": (),
            },
        ),
        (
            forms,
            {
                "whitening": (guide, guide),
                "linear": (guide, felt),
                "shading": (guide,),
                "brightness": (),
                "points": (guide, points),
                "weights": (len(KERNELS), points, felt),
            },
        ),
        (
            posterior,
            {
                "mean": (bands,),
                "basis": (bands, felt),
                "guide_mean": (guide,),
                "response": (guide, felt),
                "heard": (felt, guide),
                "kept": (felt, felt),
                "directions": (felt, felt),
                "weights": (felt,),
                "covariance": (felt, felt),
            },
        ),
    ]
    for part, shapes in wanted:
        for name, shape in shapes.items():
            found = tuple(getattr(part, name).shape)
            if found != shape:
                raise ValueError(f"{name} of the study is {found}, not {shape}")
    if not wide or not points:
        raise ValueError("the study is empty")
