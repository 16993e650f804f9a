"""The model of a run: the one that ships, one trained on the pair itself, or one from a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ...contract.errors import ModelFileError
from ...contract.request import FuseRequest
from ..general.doubts import doubts
from ..general.network import GeneralNetwork
from ..general.proof import fitted
from ..rasters.align import Alignment
from ..scene.agreement import estimated_sigma
from ..scene.network import SceneNetwork
from ..scene.normalise import Units, fit
from ..scene.reduce import gains, reduce
from ..scene.start import PAIR
from ..scene.survey import Block, survey
from ..scene.train import Budget, Notes, Trained, train
from ..service.device import versions
from ..service.report import Reporter
from .card import Card, Model, read_model
from .contest import is_worth, shipped_error

# The model that ships with the plugin.
BUNDLED = Path(__file__).resolve().parents[3] / "models" / "pretrained" / "bundled.safetensors"
# Fewer valid coarse pixels than this cannot teach a network anything.
LEAST_PIXELS = 64
# Spreads from the mean that no scene in the same units keeps on average, and the least contrast in
# spreads that one has. Units differ by factors like 10 000.
FAR = 10.0
LITTLE = 1e-3
# Side of the windows by which that is judged.
LOOK = 256


@dataclass(frozen=True)
class Fusion:
    """A model on its device, its card, the PSF to use it with, and the training that was done.

    steps: of the run's own training, also where its network was given up for the bundled model;
    where the run trains none, of its model's. seconds: that the run's own training took.
    """

    model: Model
    card: Card
    sigma: float
    steps: int
    seconds: float


def obtain(
    request: FuseRequest,
    pair: Alignment,
    device: torch.device,
    reporter: Reporter,
    notes: Notes | None = None,
) -> Fusion:
    """The model that a request names, for this pair; RasdError where there is none.

    notes: where training leaves its checkpoint, and takes it up.
    """
    if request.model == "bundled":
        return from_file(str(BUNDLED), request.psf_sigma, pair, device, reporter)
    if request.model == "file":
        return from_file(request.model_file or "", request.psf_sigma, pair, device, reporter)
    return _from_scene(request, pair, device, reporter, notes)


def from_file(
    path: str,
    psf_sigma: float | None,
    pair: Alignment,
    device: torch.device,
    reporter: Reporter,
) -> Fusion:
    """The model of a file, for this pair; ModelFileError where it is none, or made for another one.

    psf_sigma: of the PSF in coarse pixels. None: as the model was made for; for a network for any
    pair, as is estimated.
    """
    model, card = read_model(path)
    if isinstance(model, GeneralNetwork):
        surveying = reporter.phase("surveying", 0.05, 0.1)
        fusion = _for_any(model, card, psf_sigma, pair, device, reporter)
        surveying.progress(1.0)
        return fusion
    card.refuse_other(pair)
    _refuse_scale(model.units, pair)
    reporter.log(f"Model {Path(path).name}, trained for {card.steps} steps.")
    sigma = card.psf_sigma if psf_sigma is None else psf_sigma
    if card.start == PAIR:
        model = _fitted(model, pair, sigma)
    return Fusion(model.to(device), card, sigma, card.steps, 0.0)


def _for_any(
    model: GeneralNetwork,
    card: Card,
    psf_sigma: float | None,
    pair: Alignment,
    device: torch.device,
    reporter: Reporter,
) -> Fusion:
    """The network for any pair, with its study of this one."""
    sigma = _sigma(psf_sigma, pair, reporter)
    blocks = survey(pair, sigma, around=True)
    good = torch.from_numpy(pair.hs.good)
    model = fitted(model, blocks, pair.rows, pair.cols, sigma, good)
    study = model.fitted
    reporter.log(
        f"{float(study.trust):.0%} of the network's corrections are taken, as far as they held one "
        "scale down."
    )
    if bool(study.move.any()):
        down, right = study.move.tolist()
        reporter.log(
            f"The guide is moved by {-right:+.2f} columns and {-down:+.2f} rows of its own, to "
            "where the hyperspectral image lies."
        )
    for doubt in doubts(study, blocks, pair):
        reporter.warn(doubt)
    card = replace(
        card,
        hs_bands=pair.hs.count,
        guide_bands=pair.ms.count,
        wavelengths=list(pair.hs.spectral.wavelengths),
        ratio=[pair.rows.ratio, pair.cols.ratio],
        psf_sigma=sigma,
    )
    return Fusion(model.to(device), card, sigma, card.steps, 0.0)


def _sigma(told: float | None, pair: Alignment, reporter: Reporter) -> float:
    """The standard deviation of the PSF in coarse pixels, estimated where it is not told."""
    if told is not None:
        return told
    sigma = estimated_sigma(pair)
    reporter.log(
        f"The hyperspectral sensor's blur is taken to have a standard deviation of {sigma:.2f} of "
        "its pixels, with which the two layers agree best."
    )
    return sigma


def _fitted(model: SceneNetwork, pair: Alignment, sigma: float) -> SceneNetwork:
    """The model with the gains of this pair, which it was trained to grow from."""
    blocks = survey(pair, sigma)
    injection = gains(blocks, pair.rows, pair.cols, sigma, torch.from_numpy(pair.hs.good))
    return replace(model, gains=injection, response=response(blocks, model.units))


def _refuse_scale(units: Units, pair: Alignment) -> None:
    """Raise ModelFileError where values are far from those the model was made for."""
    (height, width), (rows, cols) = pair.coarse_shape, pair.fine.shape
    bands, seen = map(torch.from_numpy, pair.read_coarse(*_middle(height), *_middle(width)))
    guide, shown = map(torch.from_numpy, pair.read_fine(*_middle(rows), *_middle(cols)))
    spreads = units.start(bands)[:, seen], units.guide(guide, guide)[: len(guide), shown]
    for raster, values in zip((pair.hs, pair.ms), spreads):
        if values.numel() and _odd(values):
            raise ModelFileError(
                f"The values of {raster.name} are of another scale than those the model was made "
                "for.",
                "Choose a model made in the same units, or train on the scene.",
            )


def _odd(values: Tensor) -> bool:
    """Whether values (channels, n), in spreads from the mean, are of other units than these."""
    return float(values.abs().mean()) > FAR or float(values.std(1).mean()) < LITTLE


def _middle(size: int) -> tuple[int, int]:
    """(start, stop) of the middle LOOK pixels of an axis."""
    start = max(0, (size - LOOK) // 2)
    return start, min(size, start + LOOK)


def _from_scene(
    request: FuseRequest,
    pair: Alignment,
    device: torch.device,
    reporter: Reporter,
    notes: Notes | None,
) -> Fusion:
    """Survey the scene, reduce it, and train on the reduced pair; the model that ships where that
    is not borne out.
    """
    surveying = reporter.phase("surveying", 0.05, 0.1)
    sigma = _sigma(request.psf_sigma, pair, reporter)
    blocks, good = survey(pair, sigma), torch.from_numpy(pair.hs.good)
    injection = gains(blocks, pair.rows, pair.cols, sigma, good)
    scene = [reduce(block, pair.rows, pair.cols, sigma, injection) for block in blocks]
    units = fit(scene, good)
    surveying.progress(1.0)
    phase = reporter.phase("training", 0.1, 0.75)
    budget = _budget(request, blocks, reporter)
    trained = train(scene, units, budget, request.seed, device, phase, notes)
    shipped, card = read_model(str(BUNDLED))
    if not isinstance(shipped, GeneralNetwork):
        raise TypeError("the model that ships is of another kind")
    left = shipped_error(shipped, blocks, scene, trained, units, pair, sigma)
    kept = is_worth(trained, left)
    _tell(trained, left, kept, reporter)
    if not kept:
        fusion = _for_any(shipped, card, sigma, pair, device, reporter)
        return replace(fusion, steps=trained.steps, seconds=trained.seconds)
    model = SceneNetwork(trained.network, units, injection, response(blocks, units))
    card = _card(request, pair, trained, sigma)
    return Fusion(model.to(device), card, sigma, trained.steps, trained.seconds)


def response(blocks: list[Block], units: Units) -> Tensor:
    """How the guide's sensor sees the components: (1 + K, b) by least squares, a constant first."""
    bands = torch.cat([units.start(block.bands)[:, block.valid] for block in blocks], 1).double()
    guide = torch.cat([block.guide[:, block.valid] for block in blocks], 1).double()
    design = torch.cat((torch.ones_like(bands[:1]), bands)).T
    gram = design.T @ design / len(design)
    gram.diagonal().add_(1e-6)
    return torch.linalg.solve(gram, design.T @ guide.T / len(design)).float()


def _budget(request: FuseRequest, blocks: list[Block], reporter: Reporter) -> Budget:
    pixels = sum(int(block.valid.sum()) for block in blocks)
    if pixels >= LEAST_PIXELS:
        return Budget(request.training_minutes, request.training_steps)
    reporter.warn(
        f"Only {pixels} hyperspectral pixels are valid in both layers, too few to train on; "
        "the result is the bundled model's."
    )
    return Budget(0.0, 0)


def _tell(trained: Trained, left: float, kept: bool, reporter: Reporter) -> None:
    reporter.log(
        f"Trained {trained.steps} steps in {trained.seconds:.0f} s; the weights of step "
        f"{trained.best_step} are best: their error on the rows kept out of training is "
        f"{trained.kept_out_loss:.3f} of the closed-form estimate's, that of the bundled model "
        f"{left:.3f}."
    )
    if trained.steps and not kept:
        reporter.warn(
            "Training on the scene did not better the bundled model by enough to be trusted, so "
            "the result is the bundled model's; train longer, or on more ground."
        )


def _card(request: FuseRequest, pair: Alignment, trained: Trained, sigma: float) -> Card:
    return Card(
        shape=trained.network.config.to_dict(),
        hs_bands=pair.hs.count,
        guide_bands=pair.ms.count,
        wavelengths=list(pair.hs.spectral.wavelengths),
        ratio=[pair.rows.ratio, pair.cols.ratio],
        psf_sigma=sigma,
        seed=request.seed,
        steps=trained.steps,
        figures={"best_step": trained.best_step, "kept_out_loss": trained.kept_out_loss},
        made_by={**versions(), **request.provenance},
    )
