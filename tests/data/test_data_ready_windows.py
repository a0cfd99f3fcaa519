"""Ready windows: each check against fields whose mean, shares and correlations are known."""

import re

import numpy as np
import pytest
from rows import by_field
from tolerances import refused

from emulator.suites.window_checks import (
    _density_hint,
    _middles,
    require_content,
    require_context,
    require_mean_density,
    require_same_structures,
    require_sound_windows,
)
from emulator.units import CRITICAL_DENSITY

AREA, DEPTH = 0.04, 12.8
MEAN = 0.3 * CRITICAL_DENSITY * AREA * DEPTH


@pytest.mark.parametrize(("is_box", "most"), [(True, 1.05), (False, 3.0)])
def test_the_mean_of_a_box_is_known_better_than_that_of_a_part(is_box, most):
    def dense(factor):
        window = np.full((2, 4, 4), factor * MEAN)
        return refused(
            require_mean_density, window, 0.3, AREA, DEPTH, is_box=is_box, where="w"
        )  # fmt: skip

    assert [dense(most * f) for f in (0.999, 1.001)] == [False, True]
    assert [dense(f / most) for f in (0.999, 1.001)] == [True, False]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (MEAN * 1e-10, "1e10 Msun/h: multiply"),
        (MEAN * 2.9e-10, "1e10 Msun/h: multiply"),
        (MEAN * 3.1e-10, "Check units"),
        (MEAN * 1e10, "1e10 too large"),
        (MEAN / AREA, "surface densities.* 0.04"),
        (MEAN / AREA / 2.9, "surface densities"),
        (MEAN * 5, "Check units"),
        (np.log10(MEAN), "log10"),
        (np.log10(MEAN) + 0.99, "log10"),
        (np.log10(MEAN) + 1.01, "1e10 Msun/h: multiply"),
        (np.log10(MEAN) - 1.01, "1e10 Msun/h: multiply"),
        (39.9, "Check units"),
    ],
)
def test_a_hint_for_every_usual_mistake(values, words):
    assert re.search(words, _density_hint(np.full((1, 4, 4), values), MEAN, AREA))


def test_shares_are_summed_over_all_windows():
    """0.84 dark matter on average, though no window has it."""
    ones = np.ones((2, 4, 4))

    def content(**changes):
        fields = {"dmo": ones, "dm_hydro": ones * np.array([0.54, 1.14])[:, None, None]}
        fields |= {"gas": 0.15 * ones, "stars": 0.01 * ones} | changes
        return refused(require_content, by_field(fields), 0.16, "w")

    assert not content()
    assert [content(dm_hydro=d * ones) for d in (0.65, 1.03)] == [False, False]
    assert [content(dm_hydro=d * ones) for d in (0.63, 1.05)] == [True, True]
    assert [content(gas=g * ones) for g in (0.35, 0.37)] == [False, True]
    lost = {"gas": 0.03 * ones, "stars": 0.0 * ones}
    assert [content(dm_hydro=d * ones, **lost) for d in (0.68, 0.66)] == [False, True]


def orthogonal(rng, side, coarse=8):
    """Two fields of blocks, of zero mean, unit norm and no correlation."""
    one, other = rng.normal(size=(2, 3, coarse, coarse))
    for field in (one, other):
        field -= field.mean((1, 2), keepdims=True)
    other -= (one * other).sum() / (one**2).sum() * one
    return [
        f.repeat(side // coarse, 1).repeat(side // coarse, 2) / np.sqrt((f**2).sum())
        for f in (one, other)
    ]


@pytest.mark.parametrize(("name", "least"), [("dm_hydro", 0.8), ("gas", 0.3)])
def test_targets_follow_their_condition(rng, name, least):
    """Relative fluctuations, so that a bright window counts as any other."""
    one, other = orthogonal(rng, 32)
    scale = np.array([1.0, 10.0, 1000.0])[:, None, None]

    def mixed(correlation):
        return scale * (3 + correlation * one + np.sqrt(1 - correlation**2) * other)

    sound = {"dmo": 5 * scale * (3 + one), "dm_hydro": mixed(0.99), "gas": mixed(0.99)}
    for correlation, fault in ((least + 0.01, False), (least - 0.01, True), (-0.9, True)):
        fields = sound | {name: mixed(correlation)}
        assert refused(require_same_structures, by_field(fields), "w") == fault
    fields = {k: np.pad(v, ((0, 0), (0, 3), (0, 3))) for k, v in sound.items()}
    assert not refused(require_same_structures, by_field(fields), "w")  # 35 pixels: 8 blocks of 4
    empty = {k: v * (np.arange(3) != 1)[:, None, None] for k, v in sound.items()}
    assert not refused(require_same_structures, by_field(empty), "w")


def around(box, centre, factor, n, shift=(0, 0)):
    """Block means of a window ``factor`` times as wide, that starts ``shift`` pixels earlier."""
    first = [c - n * factor // 2 - s for c, s in zip(centre, shift, strict=True)]
    wide = box[first[0] : first[0] + n * factor, first[1] : first[1] + n * factor]
    return wide.reshape(n, factor, n, factor).mean((1, 3))


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_the_middle_of_the_context_is_the_condition(rng, factor):
    """Exactly, for every pixel by which the blocks of the context may start earlier."""
    box = rng.normal(size=(160, 160))
    condition = box[72:88, 72:88]
    for shift in ((0, 0), (1, 0), (0, factor - 1), (factor - 1, 1)):
        context = around(box, (80, 80), factor, 16, shift)
        one, other = _middles(condition, context, factor, shift)
        assert one.shape == (16 // factor - 1,) * 2
        np.testing.assert_allclose(one, other, atol=1e-12)
        assert abs(one.mean()) < 1e-12
        stack = np.stack([condition] * 2), {factor: np.stack([context] * 2)}
        assert not refused(require_context, *stack, "w")
        turned = {factor: np.stack([context[::-1]] * 2)}
        assert refused(require_context, stack[0], turned, "w")


@pytest.mark.parametrize(("n_wrong", "fault"), [(1, False), (3, True)])
def test_the_median_of_four_windows_counts(rng, n_wrong, fault):
    box = rng.normal(size=(64, 64))
    context = np.stack([around(box, (32, 32), 2, 16)] * 6)
    context[:n_wrong] = rng.normal(size=(n_wrong, 16, 16))
    condition = np.stack([box[24:40, 24:40]] * 6)
    assert refused(require_context, condition, {2: context}, "w") == fault


def test_a_context_with_noise_of_a_fifth_still_fits(rng):
    """Correlation 1/sqrt(1 + s^2): 0.92 at s = 0.42, 0.86 at s = 0.6."""
    box = rng.normal(size=(256, 256))
    wide = around(box, (128, 128), 2, 128)
    noise = rng.normal(size=wide.shape) * wide.std()
    condition = box[None, 64:192, 64:192]
    for amount, fault in ((0.42, False), (0.6, True)):
        assert refused(require_context, condition, {2: (wide + amount * noise)[None]}, "w") == fault


def test_few_blocks_say_nothing(rng):
    condition, wrong = rng.normal(size=(2, 1, 16, 16))
    assert not refused(require_context, condition, {5: wrong}, "w")
    assert refused(require_context, condition, {4: wrong}, "w")


@pytest.mark.parametrize(("box", "fault"), [(12.8, True), (25.6, False)])
def test_the_widest_window_may_be_the_whole_box(rng, box, fault):
    """A fifth more than the mean: too much for a box, and little for a part of it."""
    big = rng.lognormal(0, 0.5, (64, 64))
    big *= 1.2 * MEAN / big.mean()
    condition = big[None, 24:40, 24:40]
    fields = {"dmo": condition, "dm_hydro": 0.84 * condition, "gas": 0.15 * condition,
              "stars": 0.01 * condition}  # fmt: skip
    context = {f: around(big, (32, 32), f, 16)[None] for f in (2, 4)}
    found = refused(
        require_sound_windows, by_field(fields), context, omega_m=0.3, omega_b=0.048,
        pixel_mpch=0.2, box_size_mpch=box, depth_mpch=DEPTH, where="w",
    )  # fmt: skip
    assert found == fault
