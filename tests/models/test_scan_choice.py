"""The choice of the scan on a card: the fastest form that is right, remembered until it is not."""

from __future__ import annotations

import pytest
import torch

from rasd_fusion.models import scan
from rasd_fusion.models.scan import choice

CARD = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
needs_card = pytest.mark.skipif(CARD.type != "cuda", reason="no CUDA card here")


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A choice that is quick on a processor and remembers in a folder of its own."""
    monkeypatch.setattr(choice, "TEST", {"n": 1, "channels": 3, "states": 2, "length": 8})
    monkeypatch.setattr(choice, "TILE", {"n": 1, "channels": 2, "states": 2, "length": 8})
    monkeypatch.setattr(choice, "STEP", {"n": 1, "channels": 2, "states": 2, "length": 8})
    monkeypatch.setattr(choice, "REPEATS", 1)
    monkeypatch.setattr(choice, "kernel_cache", lambda named: tmp_path)
    choice.choice_for.cache_clear()
    yield tmp_path
    choice.choice_for.cache_clear()


def offer(monkeypatch, seconds, **forms):
    """Offer these forms besides the fall-back; `seconds` by name instead of a clock."""
    loaders = {name: (lambda form=form: form) for name, form in forms.items()}
    monkeypatch.setattr(choice, "FORMS", {**loaders, "blocked": lambda: scan.blocked_scan})
    by_form = {form: seconds[name] for name, form in forms.items()}
    monkeypatch.setattr(choice, "_time", lambda form, device: by_form.get(form, seconds["blocked"]))


def another(*arguments):
    return scan.blocked_scan(*arguments)


def wrong_in_value(*arguments):
    return 1.001 * scan.blocked_scan(*arguments)


def wrong_in_gradient(u, *rest):
    return scan.blocked_scan(u.detach() + 0 * u, *rest)


def broken(*arguments):
    raise RuntimeError("no C compiler\nand much more")


CPU = torch.device("cpu")


def test_the_fastest_form_that_is_right_is_taken(small, monkeypatch):
    seconds = {"quick": 1, "quicker": 0.5, "blocked": 2}
    offer(monkeypatch, seconds, quick=another, quicker=scan.reference_scan)
    found = choice.choice_for(CPU)
    assert (found.name, found.scan) == ("quicker", scan.reference_scan)


@pytest.mark.parametrize("form", [wrong_in_value, wrong_in_gradient, broken])
def test_a_form_that_is_wrong_or_broken_is_passed_over(small, monkeypatch, form):
    offer(monkeypatch, {"bad": 1, "blocked": 2}, bad=form)
    found = choice.choice_for(CPU)
    assert found.name == "blocked"
    assert "bad not used" in found.why
    assert "much more" not in found.why


def test_a_choice_is_remembered_by_later_processes(small, monkeypatch):
    offer(monkeypatch, {"quick": 1, "blocked": 2}, quick=another)
    assert choice.choice_for(CPU).name == "quick"
    choice.choice_for.cache_clear()
    offer(monkeypatch, {"quick": 3, "blocked": 2}, quick=another)
    assert choice.choice_for(CPU).name == "quick"
    assert len(list(small.iterdir())) == 1


@pytest.mark.parametrize("form", [wrong_in_value, broken])
def test_a_remembered_form_that_is_no_longer_right_is_forgotten(small, monkeypatch, form):
    offer(monkeypatch, {"quick": 1, "blocked": 2}, quick=another)
    choice.choice_for(CPU)
    choice.choice_for.cache_clear()
    offer(monkeypatch, {"quick": 1, "blocked": 2}, quick=form)
    assert choice.choice_for(CPU).name == "blocked"


@pytest.mark.parametrize("text", ["", "nothing known", "\0\xff"])
def test_a_spoilt_memory_is_no_harm(small, monkeypatch, text):
    offer(monkeypatch, {"quick": 1, "blocked": 2}, quick=another)
    choice.memory(CPU, "scan").write_text(text, encoding="utf-8")
    assert choice.choice_for(CPU).name == "quick"


def test_the_fall_back_is_not_remembered(small, monkeypatch):
    offer(monkeypatch, {"bad": 1, "blocked": 2}, bad=broken)
    choice.choice_for(CPU)
    choice.choice_for.cache_clear()
    offer(monkeypatch, {"good": 1, "blocked": 2}, good=another)
    assert choice.choice_for(CPU).name == "good"


def test_another_torch_is_another_choice(small, monkeypatch):
    before = choice.memory(CPU, "scan")
    monkeypatch.setattr(torch, "__version__", "0")
    assert choice.memory(CPU, "scan") != before


def test_it_can_be_asked_for_where_no_gradients_are(small, monkeypatch):
    offer(monkeypatch, {"quick": 1, "blocked": 2}, quick=another)
    with torch.inference_mode():
        assert choice.choice_for(CPU).name == "quick"


def test_timing_runs_what_the_network_does(small):
    assert choice._time(scan.blocked_scan, CPU) > 0


@needs_card
@pytest.mark.parametrize("name", list(choice.FORMS))
def test_each_form_is_the_reference_on_the_card(name):
    try:
        form = choice.FORMS[name]()
    except ImportError as error:
        pytest.skip(f"{name}: {error}")
    assert choice.agrees(form, CARD)


@needs_card
def test_the_card_gets_a_form_of_its_own():
    found = choice.choice_for(CARD)
    assert found.name != "blocked", found.why
