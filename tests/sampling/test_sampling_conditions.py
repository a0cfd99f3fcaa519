"""What a user may ask for: units, ranges, unknown values, and what is assumed otherwise."""

import inspect

import fabricated
import numpy as np
import pytest
import torch
from untrained import FACTORS, PARAMS, WINDOW, build_emulator

from emulator.config import DiffusionConfig, SamplingConfig
from emulator.diffusion.likelihood import log_likelihood
from emulator.fields import TARGETS, find_fields
from emulator.io import EmulatorError
from emulator.model.card import Grid
from emulator.model.normalisation import CosmicShare
from emulator.sampling.ensemble import Emulator
from emulator.sampling.inputs import check_observed, prepare_condition
from emulator.sampling.mixture import Mixture
from emulator.units import CRITICAL_DENSITY

GRID = Grid(pixel_mpch=fabricated.PIXEL, window=WINDOW, depth_mpch=12.8, redshift=0.0)
MEAN = CRITICAL_DENSITY * 0.3 * fabricated.PIXEL**2 * 12.8
"""Mass of a pixel at Omega_m = 0.3."""


@pytest.fixture(scope="module")
def normalisation(emulator):
    return emulator.card.normalisation


def prepare(normalisation, params=PARAMS, *, condition=1.0, levels=(1.0, 1.0), n=1, **options):
    """Windows of constant mass, in units of the mean."""
    flat = np.full((n, 1, WINDOW, WINDOW), MEAN)
    context = flat * np.array(levels)[:, None, None]
    return prepare_condition(
        condition * flat[:, 0], params, normalisation, GRID, large_scale=context, **options
    )


def defaults(function):
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}


def test_a_model_and_a_mixture_assume_the_same():
    said = defaults(Emulator.sample)
    assert inspect.signature(Mixture.sample) == inspect.signature(Emulator.sample)
    assert (said["n_members"], said["first_member"], said["seed"]) == (8, 0, 0)
    assert said["observation_noise"] == 0.02
    assert said["progress"] is False


def test_progress_is_said_to_who_asks(emulator, box, capfd):
    options = {"centres": [(8, 8)], "n_members": 2, "sampling": SamplingConfig(n_steps=1)}
    emulator.sample(box, PARAMS, **options)
    assert capfd.readouterr().err == ""
    emulator.sample(box, PARAMS, progress=True, **options)
    assert capfd.readouterr().err.startswith("sample: 2/2 (100%)")


def test_a_likelihood_is_as_fine_as_that_of_any_denoiser():
    said, general = defaults(Emulator.log_likelihood), defaults(log_likelihood)
    assert {name: said[name] for name in ("n_steps", "n_probes")} == {"n_steps": 64, "n_probes": 8}
    assert (general["n_steps"], general["n_probes"], said["seed"]) == (64, 8, 0)


def test_the_widest_context_has_the_mean_of_the_universe_to_a_factor_of_three(normalisation):
    for sound in ((9.0, 2.9), (0.1, 0.35)):
        prepare(normalisation, condition=20.0, levels=sound)
    for wrong in ((1.0, 3.1), (1.0, 0.32)):
        with pytest.raises(EmulatorError, match=r"a factor of 3.*condition|condition.*factor of 3"):
            prepare(normalisation, levels=wrong)


def test_without_context_the_window_itself_has_that_mean(normalisation):
    plain = normalisation.model_copy(update={"context_factors": ()})
    assert prepare(plain, condition=2.9, levels=()).context.shape == (1, 0, WINDOW, WINDOW)
    with pytest.raises(EmulatorError, match="condition"):
        prepare(plain, condition=3.1, levels=())


def test_a_constant_density_is_read_off_the_bundle(normalisation):
    """Omega_m of 0.1, not a parameter: the same masses are then three times too many."""
    share = CosmicShare(omega_m=0.09, omega_b=0.049)
    light = normalisation.model_copy(update={"cosmic_share": share})
    with pytest.raises(EmulatorError, match=r"3\.333 times that"):
        prepare(light)


def test_the_second_sample_is_checked_with_its_own_parameters(normalisation):
    rows = [PARAMS, PARAMS | {"Omega_m": 0.9}]
    with pytest.raises(EmulatorError, match=r"condition \(sample 1\).* 0\.3[0-9]* times that"):
        prepare(normalisation, rows, levels=(1.0, 0.9), n=2)
    assert prepare(normalisation, rows, n=2, levels=(1.0, 1.1)).params[:, 0].tolist() == [0.3, 0.9]


def test_only_a_map_as_wide_as_the_model_is_deep_is_a_whole_box(normalisation):
    """A wider map may be any part of a box, whose mean is nobody's business."""
    for side, passes in ((64, False), (128, True)):
        box = np.full((side, side), 1.5 * MEAN)
        if passes:
            prepare_condition(box, PARAMS, normalisation, GRID, centres=[(8, 8)])
            continue
        with pytest.raises(EmulatorError, match=r"1\.5 times that"):
            prepare_condition(box, PARAMS, normalisation, GRID, centres=[(8, 8)])


@pytest.mark.parametrize(("excess", "is_box"), [(0.98e-6, True), (1.03e-6, False)])
def test_a_box_is_whole_to_a_millionth_of_its_side(normalisation, excess, is_box):
    grid = GRID.model_copy(update={"depth_mpch": 12.8 * (1 + excess)})
    box = np.full((64, 64), 1.5 * MEAN)
    if not is_box:
        prepare_condition(box, PARAMS, normalisation, grid, centres=[(8, 8)])
        return
    with pytest.raises(EmulatorError, match=r"to a factor of 1\.05"):
        prepare_condition(box, PARAMS, normalisation, grid, centres=[(8, 8)])


@pytest.mark.parametrize(("value", "said"), [(-0.2, "-0.2"), (1.7, "1.7"), (1 + 1.03e-6, "1")])
def test_a_parameter_beyond_its_range_is_named_with_its_value(normalisation, value, said):
    rows = [PARAMS, PARAMS | {"A_SN1": value}]
    with pytest.raises(EmulatorError, match=rf"A_SN1 = {said} outside \[0, 1\]; pass"):
        prepare(normalisation, rows, n=2)


@pytest.mark.parametrize("value", [0.0, 1.0, -0.97e-6, 1 + 0.97e-6, None, np.nan])
def test_rounding_and_unknown_values_are_in_range(normalisation, value):
    prepared = prepare(normalisation, [PARAMS, PARAMS | {"A_SN1": value}], n=2)
    expected = np.nan if value is None else value
    np.testing.assert_array_equal(prepared.params, [[0.3, 0.0125], [0.3, expected]])


@pytest.mark.parametrize(("low", "high"), [(0.5, 1.5), (-2.0, 2.0)])
def test_a_millionth_of_its_range_is_rounding(normalisation, low, high):
    scale = normalisation.params["A_SN1"].model_copy(update={"minimum": low, "maximum": high})
    narrow = normalisation.model_copy(update={"params": normalisation.params | {"A_SN1": scale}})
    slack = 1e-6 * (high - low)
    for edge, sign in ((low, -1), (high, 1)):
        prepare(narrow, PARAMS | {"A_SN1": edge + 0.98 * sign * slack})
        with pytest.raises(EmulatorError, match="A_SN1 = "):
            prepare(narrow, PARAMS | {"A_SN1": edge + 1.03 * sign * slack})


def test_one_row_of_parameters_is_that_of_every_sample(normalisation):
    np.testing.assert_array_equal(prepare(normalisation, [0.3, 0.5], n=3).params, [[0.3, 0.5]] * 3)
    single = prepare(normalisation, [PARAMS], n=2).params
    np.testing.assert_array_equal(single, [[0.3, 0.0125]] * 2)
    rows = [[0.3, 0.5], [0.3, 0.6]]
    np.testing.assert_array_equal(prepare(normalisation, rows, n=2).params, rows)
    with pytest.raises(EmulatorError, match="expected 1 or 3 rows, got 2"):
        prepare(normalisation, rows, n=3)


def test_empty_pixels_are_masses_too(normalisation):
    fields = np.full((WINDOW, WINDOW), MEAN)
    fields[0, 0] = 0.0
    context = np.stack([fields] * len(FACTORS))
    given = prepare_condition(fields, PARAMS, normalisation, GRID, large_scale=context)
    observed = np.full((1, 3, WINDOW, WINDOW), np.nan)
    observed[0, 0, 0, :2] = 0.0, 1e9
    fields = find_fields(TARGETS)
    kept = check_observed(observed, given, fields, 0.1)
    np.testing.assert_array_equal(kept.values, observed.astype(np.float32))
    assert kept.noise == 0.1
    for fault in (-1.0, np.inf):
        observed[0, 0, 0, 0] = fault
        with pytest.raises(EmulatorError, match="observed: expected finite values"):
            check_observed(observed, given, fields, 0.1)


def test_fields_of_a_likelihood_are_known_everywhere(emulator, box):
    fields = np.full((1, 3, WINDOW, WINDOW), 1e9)
    fields[0, 1, 2, 3] = np.nan
    with pytest.raises(EmulatorError, match=r"fields: expected finite values >= 0 of gas \["):
        emulator.log_likelihood(fields, box, PARAMS, centres=[(8, 8)], n_steps=1, n_probes=1)


ALL, NONE, ONE = [np.nan, np.nan], [0.3, 0.5], [0.3, np.nan]
"""Unknown parameters of a sample."""


def refused(folder, rows, **dropped):
    """Whether a model whose fields need no parameter refuses these rows."""
    model = build_emulator(folder, DiffusionConfig(**dropped))
    share = CosmicShare(omega_m=0.3, omega_b=0.049)
    normalisation = model.card.normalisation.model_copy(update={"cosmic_share": share})
    model.card = model.card.model_copy(update={"normalisation": normalisation})
    try:
        model.card.require_trained_without(torch.tensor(rows))
    except EmulatorError as error:
        return "never trained without single parameters" in str(error)
    return False


def test_all_parameters_may_be_unknown_where_all_were_dropped_together(folder):
    assert not refused(folder, [ALL, NONE], drop_params=0.1)
    assert refused(folder, [ALL, ONE], drop_params=0.1)
    assert refused(folder, [ALL, NONE])


def test_single_parameters_may_be_unknown_where_single_ones_were_dropped(folder):
    assert not refused(folder, [ALL, ONE, NONE], drop_each_param=0.1)
    assert not refused(folder, [NONE])


def test_what_sets_the_baryon_fraction_is_needed_in_every_sample(folder, box):
    model = build_emulator(folder, DiffusionConfig(drop_each_param=0.1))
    rows = [PARAMS, PARAMS | {"Omega_m": None}]
    with pytest.raises(EmulatorError, match="Omega_m cannot be unknown"):
        model.sample(box, rows, centres=[(8, 8), (40, 3)], n_members=1)
    fields = np.full((1, 3, WINDOW, WINDOW), 1e9)
    with pytest.raises(EmulatorError, match="Omega_m cannot be unknown"):
        model.log_likelihood(fields, box, rows[1], centres=[(8, 8)], n_steps=1, n_probes=1)


def test_a_model_draws_in_the_precision_that_it_was_trained_in(folder):
    """Bfloat16 has eight bits: outputs differ by some thousandths, and by no more."""
    outputs = []
    for precision in ("32", "bf16"):
        model = build_emulator(folder)
        facts = {"precision": precision, "seed": 0}
        model.card = model.card.model_copy(update={"training": facts})
        generator = torch.Generator().manual_seed(0)
        z = torch.randn(2, 4, WINDOW, WINDOW, generator=generator)
        gamma, told = torch.zeros(2), torch.ones(2, 2)
        outputs.append(model._autocast(z, gamma, z[:, :3], told, told).float())
    error = (outputs[1] - outputs[0]).std() / outputs[0].std()
    assert 1e-4 < float(error) < 5e-2
