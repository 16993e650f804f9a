"""The report of an assessment: it stands alone, tells the figures, and shows where a fault is."""

from __future__ import annotations

import base64
import html.parser
import re
from functools import partial

import numpy as np
import pytest
import rasterio

from .assessments import HEIGHT, WIDTH, assessed, made_pair, scene, waves


@pytest.fixture
def run(tmp_path):
    return partial(assessed, tmp_path)


@pytest.fixture
def pair(make_raster, tmp_path):
    return made_pair(tmp_path, make_raster(scene(), describe=waves))


class Page(html.parser.HTMLParser):
    """What a report is made of, and whether its tags are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.addresses, self.words, self.tags = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_the_report_stands_alone_and_tells_the_figures(run, pair, make_raster, tmp_path):
    truth = scene()
    fused = truth + np.random.default_rng(1).normal(0, 50, truth.shape).astype("float32")
    fused[7] = 200
    report = tmp_path / "an <odd> & name.html"
    path = make_raster(fused, describe=waves)
    values, _ = run(path, **pair, report=str(report))
    page = Page(report.read_text(encoding="utf-8"))
    words = " ".join(page.words)
    assert "script" not in page.tags
    assert all(address.startswith("data:image/png;base64,") for address in page.addresses)
    assert not re.search(r"https?://", report.read_text(encoding="utf-8"))
    for figure in ("PSNR", "SAM", "ERGAS", "SSIM", "QNR", "CONSISTENCY_HS", "Q2N"):
        assert f"{values[figure]:,.5g}" in words, figure
    assert f"peak {values['PEAK']:,.5g}" in words
    assert page.tags.count("svg") == 5 + 3 + 1 + 3
    assert page.tags.count("polyline") > 30
    assert page.tags.count("img") == 4 + 5
    picture = base64.b64decode(page.addresses[0].partition(",")[2])
    with rasterio.MemoryFile(picture) as file, file.open() as image:
        assert image.shape == (HEIGHT, WIDTH)
        assert image.read(4).min() == 255
        assert image.read(1).std() > 20


def test_a_report_without_reference_shows_where_the_inputs_disagree(
    run, pair, make_raster, tmp_path
):
    inputs = {name: pair[name] for name in ("hyperspectral", "multispectral")}
    fused = scene()
    wrong = fused.max() / 4
    fused[2, : HEIGHT // 2] += wrong
    report = tmp_path / "report.html"
    values, _ = run(make_raster(fused, describe=waves), **inputs, report=str(report))
    page = Page(report.read_text(encoding="utf-8"))
    assert page.tags.count("img") == 5
    assert page.tags.count("svg") == 1 + 3
    told = np.array(values["BY_BAND"]["CONSISTENCY_HS"])
    # Shares of one range: their mean square is that of the whole figure.
    assert np.sqrt((told**2).mean()) == pytest.approx(values["CONSISTENCY_HS"])
    with rasterio.open(pair["hyperspectral"]) as dataset:
        span = np.ptp(dataset.read())
    assert told[2] == pytest.approx(wrong / span * np.sqrt(0.5), rel=0.1)
    assert np.delete(told, 2).max() < told[2] / 10
    # The error map, last but one of the pictures, is bright where the fault is, and there alone.
    picture = base64.b64decode(page.addresses[3].partition(",")[2])
    with rasterio.MemoryFile(picture) as file, file.open() as image:
        red = image.read(1).astype(float)
    middle = len(red) // 2
    assert red[1 : middle - 1].min() > red[middle + 1 : -1].max() + 50


def test_a_report_without_wavelengths(run, make_raster, tmp_path):
    report = tmp_path / "report.html"
    run(make_raster(scene() + 1), reference=make_raster(scene()), report=str(report))
    assert " ".join(Page(report.read_text(encoding="utf-8")).words).count("wavelength") == 0
