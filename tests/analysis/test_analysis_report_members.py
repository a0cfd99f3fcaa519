"""Strips of members: every pixel is that of the file, and large windows keep within the budget."""

import base64
import io

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.image import imread

from emulator.io import read_dataset
from emulator.report.figures.maps import color_scale
from emulator.report.figures.style import fields_of
from emulator.report.inputs import Shown
from emulator.report.members import member_viewer


@pytest.fixture(scope="module")
def shown(results):
    return Shown(read_dataset(results[0] / "ensembles/test/CV_0.nc"), 1, "median")


def pixels(source):
    return imread(io.BytesIO(base64.b64decode(source.split(",")[1])))[::-1]


def test_members_stand_in_a_row_in_the_colours_of_the_truth(shown):
    viewer = member_viewer(shown)
    window = shown.ensemble.isel(sample=1)
    side, known = window.sizes["x"], fields_of(shown.ensemble)
    assert viewer.n_members == window.sizes["member"]
    for strip, name in zip(viewer.strips, window["channel"].values, strict=True):
        truth = window["truth"].sel(channel=name).values
        norm = color_scale(truth, known[str(name)])
        for place, member in enumerate(window["fields"].sel(channel=name).transpose("member", ...)):
            seen = pixels(strip.members)[:, place * side : (place + 1) * side]
            expected = colormaps["viridis"](norm(np.maximum(member.values, norm.vmin)))
            assert seen == pytest.approx(expected, abs=1 / 255)
        assert pixels(strip.truth).shape[:2] == truth.shape


def test_members_beyond_the_budget_are_left_out_and_said(shown):
    whole = member_viewer(shown)
    size = sum(len(strip.members) + len(strip.truth) for strip in whole.strips)
    half = member_viewer(shown, most_bytes=size // 2)
    assert half.n_members == whole.n_members // 2
    assert f"The first {half.n_members} of {whole.n_members} members" in half.caption
    assert sum(len(strip.members) for strip in half.strips) < size
    assert member_viewer(shown, most_bytes=1).n_members == 1
