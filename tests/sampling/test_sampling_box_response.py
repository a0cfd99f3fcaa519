"""Responses of a box: closed forms of a model whose answer is known, and refusals."""

import numpy as np
import pytest
from typer.testing import CliRunner
from untrained import PARAMS, build_emulator

from emulator.cli import app
from emulator.config import SamplingConfig
from emulator.io import EmulatorError, read_dataset
from emulator.metrics.power_spectrum import power_spectrum
from emulator.metrics.summaries import SUMMARIES
from emulator.model.bundle import write_bundle

FEW = SamplingConfig(n_steps=2)


def test_summaries_are_what_they_say(emulator, box):
    fields = emulator.paint(box, PARAMS, n_members=2, sampling=FEW)["fields"]
    values = fields.values.astype(float)
    np.testing.assert_allclose(SUMMARIES["mass"](fields, 0.2), values.mean((-2, -1)))
    np.testing.assert_allclose(SUMMARIES["variance"](fields, 0.2), values.var((-2, -1)))
    power = power_spectrum(fields.astype(float), pixel_mpch=0.2)
    np.testing.assert_allclose(SUMMARIES["power"](fields, 0.2), power)


KNOWN = ["dm_hydro", "gas"]
"""Fields of which an untaught model draws something; the stars are empty, and have no logarithm."""


def test_a_model_that_knows_nothing_answers_nothing(folder, box):
    """To the bit: the noise is common, and the DMO map is held."""
    model = build_emulator(folder, zero=True)
    found = model.response(box, PARAMS, vary={"A_SN1": [0.005, 0.02]}, n_members=2, sampling=FEW)
    for name in SUMMARIES:
        assert (found[f"{name}_response"].sel(channel=KNOWN) == 0).all()
        assert (found[f"{name}_error"].sel(channel=KNOWN) == 0).all()
        assert np.isnan(found[f"{name}_response"].sel(channel="stars")).all()


@pytest.mark.filterwarnings("ignore:.*Omega_m")
def test_the_share_of_baryons_is_answered_as_it_must_be(folder, box):
    """Gas is drawn relative to Omega_b / Omega_m of the matter: an untaught model knows no more.

    Its logarithm moves by minus that of Omega_m, mass and root of the variance alike, up to the
    floor of the transform.
    """
    model = build_emulator(folder, zero=True)
    found = model.response(
        box, PARAMS, vary={"Omega_m": [0.25]}, n_members=3, out_of_range="warn", sampling=FEW
    )
    gas = found.sel(channel="gas").isel(point=0)
    expected = np.log(PARAMS["Omega_m"] / 0.25)
    assert float(gas["mass_response"]) == pytest.approx(expected, rel=0.02)
    assert float(gas["variance_response"]) == pytest.approx(2 * expected, rel=0.02)
    np.testing.assert_allclose(gas["power_response"], 2 * expected, rtol=0.02)


def test_points_lie_in_the_order_in_which_they_were_asked(emulator, box):
    found = emulator.response(
        box, PARAMS, vary={"A_SN1": [0.005, 0.02], "Omega_m": [0.31]}, n_members=2,
        summaries=["mass"], sampling=FEW,
    )  # fmt: skip
    assert found["parameter"].values.tolist() == ["A_SN1", "A_SN1", "Omega_m"]
    assert found["value"].values.tolist() == [0.005, 0.02, 0.31]
    assert set(found.data_vars) == {
        "mass", "mass_fiducial", "mass_response", "mass_error",
    }  # fmt: skip
    moved = emulator.paint(box, {**PARAMS, "A_SN1": 0.02}, n_members=2, sampling=FEW)["fields"]
    np.testing.assert_allclose(found["mass"][1], moved.astype(float).mean(("y", "x")))
    change = np.log(found["mass"][1] / found["mass_fiducial"])
    np.testing.assert_allclose(found["mass_response"][1], change.mean("member"))
    np.testing.assert_allclose(
        found["mass_error"][1], change.std("member", ddof=1) / np.sqrt(2), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"vary": {}}, r"vary: expected values of at least one parameter"),
        ({"vary": {"A_SN1": []}}, r"vary: expected values of at least one parameter"),
        ({"vary": {"A_AGN1": [1.0]}}, r"conditioned on \['Omega_m', 'A_SN1'\], got \['A_AGN1'\]"),
        ({"vary": {"A_SN1": [0.02]}, "n_members": 1}, r"two members or more, got 1"),
        ({"vary": {"A_SN1": [0.02]}, "summaries": ["peaks"]}, r"mass, variance, power, got"),
        ({"vary": {"A_SN1": [99.0]}}, r"beyond the trained range"),
    ],
)
def test_what_is_no_response_is_refused(emulator, box, options, said):
    with pytest.raises(EmulatorError, match=said):
        emulator.response(box, PARAMS, sampling=FEW, **options)


def test_power_of_a_box_that_is_no_square_is_refused(emulator, box):
    wide = np.concatenate([box, box], axis=1)
    with pytest.raises(EmulatorError, match=r"that of a square box, this one has 64 x 128"):
        emulator.response(wide, PARAMS, vary={"A_SN1": [0.02]}, sampling=FEW)
    found = emulator.response(
        wide, PARAMS, vary={"A_SN1": [0.02]}, summaries=["mass"], n_members=2, sampling=FEW
    )
    assert np.isfinite(found["mass_response"].sel(channel=KNOWN)).all()


def test_the_command_writes_and_prints_them(folder, tmp_path):
    model = build_emulator(folder, zero=True)
    ema = model.network.state_dict()
    raw = {name: tensor.clone() for name, tensor in ema.items()}
    write_bundle(tmp_path / "model", model.card, raw=raw, ema=ema, history="")
    words = [
        "response", str(tmp_path / "model"), str(folder / "CV_0.h5"), "--vary", "A_SN1=0.005,0.02",
        "--output", str(tmp_path / "r.nc"), "--members", "2",
    ]  # fmt: skip
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "A_SN1 = 0.02: dm_hydro +0.000 ± 0.000" in done.output
    assert read_dataset(tmp_path / "r.nc").sizes["point"] == 2
    bad = CliRunner().invoke(app, [*words[:4], "A_SN1", *words[5:]])
    assert "--vary: expected NAME=VALUE" in str(bad.exception)


def test_a_map_is_read_once_for_all_points(folder, tmp_path, monkeypatch):
    """A snapshot would be projected as often as it is read."""
    from emulator.sampling.painting import painter as module

    model, sources, original = build_emulator(folder, zero=True), [], module.read_source

    def counting(source, *rest):
        sources.append(type(source).__name__)
        return original(source, *rest)

    monkeypatch.setattr(module, "read_source", counting)
    model.response(
        folder / "CV_0.h5", vary={"A_SN1": [0.005, 0.02]}, n_members=2, summaries=["mass"],
        sampling=FEW,
    )  # fmt: skip
    assert [name for name in sources if name != "ndarray"] == ["PosixPath"]
