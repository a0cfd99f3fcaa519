"""Bundles come from other people: what is wrong with a card is said before anything is built."""

import copy
import shutil
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from emulator.domain import VOLUMES
from emulator.io import DataError, EmulatorError, read_json, write_json
from emulator.model.bundle import read_bundle, read_card
from emulator.model.card import FORMAT_VERSION, Modes, parse_card
from emulator.model.normalisation import Normalisation

FROZEN = Path(__file__).parents[1] / "regression/trained"


@pytest.fixture
def value():
    return read_json(FROZEN / "model.json")


def put(value, place, new):
    """A copy with another value at a place such as ``normalisation/params/A_SN1/minimum``."""
    changed = copy.deepcopy(value)
    *folders, name = place.split("/")
    section = changed
    for folder in folders:
        section = section[folder]
    section[name] = new
    return changed


def test_the_frozen_card_is_sound(value):
    assert parse_card(value, "card").format_version == FORMAT_VERSION


@pytest.mark.parametrize("version", [6, 7])
def test_before_format_8_networks_said_their_dimensions(value, version):
    """Such cards are read as they were; one of this format has no such key."""
    assert value["network"]["ndim"] == 2
    old, new = ({**value, "format_version": number} for number in (version, FORMAT_VERSION))
    card = parse_card(old, "card")
    assert card.normalisation.dimensions == card.grid.dimensions == card.domain.dimensions == 2
    written = card.model_dump(mode="json")
    for section in ("network", "grid", "normalisation"):
        assert not {"ndim", "dimensions"} & set(written[section])
    assert parse_card(written, "card") == card
    with pytest.raises(DataError, match="ndim"):
        parse_card(new, "card")


def test_a_card_of_volumes_agrees_in_its_dimensions(value):
    del value["network"]["ndim"]
    value["format_version"] = FORMAT_VERSION
    for section in ("grid", "normalisation"):
        one = put(value, f"{section}/dimensions", 3)
        with pytest.raises(DataError, match="of the same dimensions"):
            parse_card(one, "card")
    card = parse_card(put(one, "grid/dimensions", 3), "card")
    assert card.grid.shape == (card.grid.window,) * 3
    assert card.domain == VOLUMES
    assert parse_card(card.model_dump(mode="json"), "card") == card
    with pytest.raises(EmulatorError, match="paint: expected a model of maps"):
        card.require_maps("paint")


def test_a_card_cannot_be_changed(value):
    card = parse_card(value, "card")
    for section, name in ((card, "name"), (card.grid, "window"), (card.facts, "seed")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(section, name, 1)
    modes = Modes(**value["modes"])
    with pytest.raises(ValidationError, match="frozen"):
        modes.power = ()


def test_the_shortest_schedule_has_two_gammas(value):
    assert parse_card(put(value, "schedule", [-1.0, 1.0]), "card").schedule == (-1.0, 1.0)
    assert parse_card(put(value, "modes", None), "card").modes is None


@pytest.mark.parametrize(
    ("levels", "factors", "sound"), [([], [], True), ([0], [2, 4], True), ([0], [], False)]
)
def test_a_network_that_looks_at_its_context_has_some(value, levels, factors, sound):
    changed = put(value, "network/cross_attention_levels", levels)
    changed = put(changed, "normalisation/context_factors", factors)
    for name in ("condition_mean", "condition_std"):
        kept = value["normalisation"][name][: 1 + len(factors)]
        changed = put(changed, f"normalisation/{name}", kept)
    if sound:
        assert parse_card(changed, "card").normalisation.context_factors == tuple(factors)
        return
    with pytest.raises(DataError, match="network needs context windows, and there are none"):
        parse_card(changed, "card")


NAN, HUGE = float("nan"), 10**400


@pytest.mark.parametrize(
    ("place", "new"),
    [
        ("normalisation/target_mean", [0.0, NAN, 0.0, 0.0]),
        ("normalisation/target_mean", [0.0]),
        ("normalisation/target_std", [1.0, 1.0, 0.0, 1.0]),
        ("normalisation/target_std", [1.0, 1.0, -1.0, 1.0]),
        ("normalisation/target_std", [1.0, 1.0, 1e30, 1.0]),
        ("normalisation/target_mean", [0.0, 1e30, 0.0, 0.0]),
        ("normalisation/condition_std", [1.0, 1.0]),
        ("normalisation/condition_mean", [1.0, 1.0, float("inf")]),
        ("normalisation/condition_floor_msunh", 0.0),
        ("normalisation/channels", []),
        ("normalisation/context_factors", [4, 2]),
        ("normalisation/context_factors", [1, 2]),
        ("normalisation/cosmic_share/omega_m", 0.0),
        ("normalisation/cosmic_share/omega_b", -0.1),
        ("normalisation/cosmic_share/omega_m", "Omega_x"),
        ("normalisation/params/A_SN1/minimum", 2.0),
        ("normalisation/params/A_SN1/maximum", 0.0),
        ("normalisation/params/A_SN1/log", True),
        ("normalisation/params/A_SN1/fiducial", NAN),
        ("training", {}),
        ("training/seed", -1),
        ("training/seed", "x"),
        ("training/precision", "fp8"),
        ("schedule", [1.0, 0.0]),
        ("schedule", [1.0]),
        ("schedule", [1.0, 1.0]),
        ("schedule", [0.0, 2.0, 1.0]),
        ("schedule", [-1e300, 1e300]),
        ("modes/power", [[1.0]]),
        ("modes/power", [[1.0] * 12] * 3),
        ("modes", {key: [[1.0, 1.0], [1.0]] for key in ("power", "residual", "transfer")}),
        ("modes/residual", [[-1.0] * 12] * 4),
        ("modes", {"power": 1}),
        ("diffusion/logistic_scale", 1e-300),
        ("diffusion/sigma_data", 1e300),
        ("diffusion/gamma_max", 1e9),
        ("diffusion/data_noise", 0.0),
        ("grid/window", 0),
        ("grid/window", 17),
        ("grid/pixel_mpch", -1.0),
        ("grid/pixel_mpch", NAN),
        ("grid/depth_mpch", 1e300),
        ("grid/redshift", -1.0),
        ("network/ndim", 3),
        ("network/widths", []),
        ("network/widths", [8] * 50),
        ("network/widths", [2**40, 2**40]),
        ("network/blocks", 10**9),
        ("network/groups", 3),
        ("network/fourier_frequencies", [1.0] * 1000),
        ("network/kind", "perceptron"),
        ("metrics/val_loss", NAN),
        ("surplus", 1),
        ("format_version", 2.0),
        ("format_version", True),
        ("format_version", "3"),
        ("format_version", 1),
        ("format_version", FORMAT_VERSION + 1),
        ("format_version", None),
        ("format_version", HUGE),
    ],
)
def test_a_card_that_no_model_can_be_built_from(value, place, new):
    with pytest.raises(DataError, match=r"card: expected (a model card|format_version)") as error:
        parse_card(put(value, place, new), "card")
    assert len(str(error.value)) < 4000


@pytest.mark.parametrize("content", [[], 7, "x", None, {}])
def test_what_is_no_card_at_all(content):
    with pytest.raises(DataError, match="format_version"):
        parse_card(content, "card")


@pytest.fixture
def bundle(tmp_path):
    shutil.copytree(FROZEN, tmp_path / "model")
    return tmp_path / "model"


def change(bundle, place, new):
    write_json(bundle / "model.json", put(read_json(bundle / "model.json"), place, new))


def test_an_edited_card_and_one_without_its_seal_are_refused(bundle):
    text = (bundle / "model.json").read_text()
    (bundle / "model.json").write_text(text.replace('"window": 16', '"window": 32'))
    with pytest.raises(DataError, match="it is damaged or was edited"):
        read_card(bundle)
    write_json(bundle / "model.json", read_json(FROZEN / "model.json"), sealed=False)
    with pytest.raises(DataError, match="ends in its checksum"):
        read_card(bundle)
    # an older version bore none
    write_json(bundle / "model.json", read_json(FROZEN / "model.json") | {"format_version": 2},
               sealed=False)  # fmt: skip
    assert read_card(bundle).format_version == FORMAT_VERSION


def test_a_network_that_would_fill_the_memory_is_refused_before_it_does(bundle):
    """Some ninety gigabytes, as somebody's card claims; the file holds a third of a megabyte."""
    change(bundle, "network/widths", [8192] * 2)
    change(bundle, "network/blocks", 3)
    tracemalloc.start()
    began = time.monotonic()
    with pytest.raises(DataError, match=r"weights of the configured network, 3\.6\de\+09 at least"):
        read_bundle(bundle)
    assert time.monotonic() - began < 60
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()


@pytest.mark.parametrize("weights", ["ema", "raw"])
def test_weights_that_are_not_finite(bundle, weights):
    import hashlib

    path = bundle / "weights.safetensors"
    tensors = load_file(path)
    tensors[f"{weights}.out.bias"][0] = torch.nan
    save_file(tensors, path)
    change(bundle, "weights_sha256", hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(DataError, match=r"finite weights, got NaN or infinity in out\.bias"):
        read_bundle(bundle, weights=weights)


def test_statistics_that_cannot_be_are_refused_when_they_are_read(value, tmp_path):
    """`fit` validates what it has found in the same way."""
    sound = value["normalisation"]
    write_json(tmp_path / "n.json", sound)
    assert np.isfinite(Normalisation.read(tmp_path / "n.json").target_std).all()
    write_json(tmp_path / "n.json", sound | {"target_std": [1.0]})
    with pytest.raises(DataError, match=r"n\.json: .*target_mean, target_std need 4 values each"):
        Normalisation.read(tmp_path / "n.json")
