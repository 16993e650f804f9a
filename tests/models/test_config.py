"""The network's shape as it travels in a model's card."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasd_fusion.models import RASDConfig

counts = st.integers(1, 300)


@given(counts, counts, counts.map(lambda n: 4 * n), counts, counts, st.sampled_from((1, 2, 4, 8)))
def test_survives_the_card(bands, guide, channels, stages, terms, heads):
    config = RASDConfig(bands, guide, channels, stages, terms, heads)
    assert RASDConfig.from_dict(config.to_dict()) == config


def test_defaults_are_the_papers():
    config = RASDConfig(31, 3)
    assert (config.channels, config.stages, config.terms, config.heads) == (32, 5, 2, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"hs_bands": 0},
        {"guide_bands": -1},
        {"channels": 30},
        {"stages": 0},
        {"terms": 0},
        {"heads": 3},
    ],
)
def test_refuses_numbers_out_of_range(change):
    with pytest.raises(ValueError):
        RASDConfig(**{"hs_bands": 31, "guide_bands": 3, **change})


@pytest.mark.parametrize("value", [31.0, "31", True, None])
def test_refuses_what_is_no_whole_number(value):
    with pytest.raises(TypeError, match="hs_bands"):
        RASDConfig(hs_bands=value, guide_bands=3)


@pytest.mark.parametrize("change", [{"depth": 3}, {"stages": None}])
def test_refuses_another_cards_keys(change):
    values = {**RASDConfig(31, 3).to_dict(), **change}
    values = {key: value for key, value in values.items() if value is not None}
    with pytest.raises(ValueError, match="shape"):
        RASDConfig.from_dict(values)
