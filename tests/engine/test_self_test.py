"""The self-test: every device is tried, and a device that fails says why."""

from __future__ import annotations

import io

from rasd_fusion.rasd_qgis.contract.request import from_json, to_json
from rasd_fusion.rasd_qgis.contract.self_test_request import SelfTestRequest
from rasd_fusion.rasd_qgis.engine import self_test
from rasd_fusion.rasd_qgis.engine.service.device import available
from rasd_fusion.rasd_qgis.engine.service.report import Reporter


def run():
    request = from_json(to_json(SelfTestRequest()))
    return self_test.selftest(request, Reporter(io.StringIO()))


def test_each_device_fuses_a_tiny_pair():
    values = run()
    assert [one["device"] for one in values["DEVICES"]] == available()
    assert all(one["works"] for one in values["DEVICES"]), values
    assert all(one["megapixels_per_second"] > 0 for one in values["DEVICES"])
    assert values["PROBE"]["versions"]["torch"]


def test_a_device_that_fails_says_why(monkeypatch):
    monkeypatch.setattr(self_test, "available", lambda: ["xpu", "cpu"])
    first, second = run()["DEVICES"]
    assert not first["works"] and "not available" in first["error"]
    assert second["works"]


def test_wrong_pixels_are_told(monkeypatch):
    monkeypatch.setattr(self_test, "LARGEST_ERROR", 0.0)
    assert "off by" in run()["DEVICES"][-1]["error"]
