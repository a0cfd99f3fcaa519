"""Several models as one, and ensembles on disk that grow by what is missing."""

import json

import numpy as np
import pytest
import xarray as xr
from untrained import PARAMS, build_emulator

import emulator as package
from emulator.config import SamplingConfig
from emulator.io import EmulatorError
from emulator.sampling import growth
from emulator.sampling.ensemble import Emulator
from emulator.sampling.growth import grow_ensemble
from emulator.sampling.mixture import Mixture

FEW = SamplingConfig(n_steps=3, windows_per_simulation=3, n_members=2)
CENTRES = [(8, 8), (40, 3)]


@pytest.fixture(scope="module")
def models(folder):
    return [build_emulator(folder, seed=seed) for seed in (0, 1, 2)]


@pytest.fixture
def drawn(monkeypatch):
    """What is drawn by which model, in order."""
    calls, real = [], growth.draw_members

    def draw_members(model, windows, options, members):
        calls.append((model.seed, list(members)))
        return real(model, windows, options, members)

    monkeypatch.setattr(growth, "draw_members", draw_members)
    return calls


def grow(models, folder, path, *, redraws=True, **options):
    others = sorted(folder.glob("BE_*.h5")) if redraws else []
    chosen = FEW.model_copy(update=options)
    grow_ensemble(models, folder / "CV_0.h5", others, chosen, split="test", path=path)
    return xr.load_dataset(path, engine="h5netcdf")


def test_members_are_dealt_to_the_models_in_turn(models, box):
    options = {"centres": CENTRES, "sampling": FEW, "seed": 3}
    mixture = Mixture({str(m.seed): m for m in models})
    result = mixture.sample(box, PARAMS, n_members=5, **options)
    assert result.model_seed.values.tolist() == [0, 1, 2, 0, 1]
    assert result.model_member.values.tolist() == [0, 0, 0, 1, 1]
    alone = models[1].sample(box, PARAMS, n_members=2, **options)
    np.testing.assert_allclose(result.fields[:, [1, 4]], alone.fields, rtol=1e-3)
    assert all(f"weights of seed {k}" in result.attrs["provenance"] for k in range(3))


def test_later_members_of_a_mixture_are_those_of_a_larger_one(models, box):
    """Asking for members 3 to 6 gives what asking for 7 would have given there."""
    options = {"centres": CENTRES[:1], "sampling": FEW, "seed": 3}
    mixture = Mixture({str(m.seed): m for m in models})
    whole = mixture.sample(box, PARAMS, n_members=7, **options)
    later = mixture.sample(box, PARAMS, n_members=4, first_member=3, **options)
    expected = whole.isel(member=slice(3, 7))
    for name in ("member", "model_seed", "model_member"):
        assert later[name].values.tolist() == expected[name].values.tolist()
    np.testing.assert_allclose(later.fields, expected.fields, rtol=1e-3)
    one = mixture.sample(box, PARAMS, n_members=1, first_member=5, **options)
    np.testing.assert_allclose(one.fields, whole.fields[:, 5:6], rtol=1e-3)
    said = [json.loads(d.attrs["sampling"]) for d in (whole, later, one)]
    keys = ("seed", "n_members", "windows_per_simulation")
    assert [[s[key] for key in keys] for s in said] == [[3, 3, 1], [3, 2, 1], [3, 1, 1]]


def test_members_of_different_models_are_independent(folder, box):
    """The same weights under two seeds: were the noise shared, the members would be the same."""
    one, other = (build_emulator(folder, zero=True, seed=seed) for seed in (0, 1))
    drawn = [
        m.sample(box, PARAMS, centres=CENTRES, n_members=20, sampling=FEW).fields
        for m in (one, other)
    ]
    for name in ("dm_hydro", "gas"):  # pixels without dark matter are empty in all members
        logs = [np.log(fields.sel(channel=name).where(lambda x: x > 0)) for fields in drawn]
        first, second = ((d - d.mean("member")).values.ravel() for d in logs)
        known = np.isfinite(first) & np.isfinite(second)
        assert known.mean() > 0.5
        assert abs(np.corrcoef(first[known], second[known])[0, 1]) < 0.05


def test_models_that_were_trained_otherwise_do_not_mix(models, folder):
    other = build_emulator(folder, seed=4)
    card = other.card.model_copy(update={"training": {"precision": "bf16", "seed": 4}})
    other = Emulator(card, other.network, device="cpu")
    with pytest.raises(EmulatorError, match="b and a were not trained alike"):
        Mixture({"a": models[0], "b": other})
    with pytest.raises(EmulatorError, match="seeds must differ"):
        Mixture({"a": models[0], "b": models[0]})


def test_a_second_call_draws_nothing(models, folder, tmp_path, drawn):
    first = grow(models[:2], folder, tmp_path / "a.nc")
    assert drawn == [(0, [0, 1]), (1, [0, 1])]
    before = (tmp_path / "a.nc").read_bytes()
    drawn.clear()
    assert grow(models[:2], folder, tmp_path / "a.nc").identical(first)
    assert drawn == []
    assert (tmp_path / "a.nc").read_bytes() == before


def test_only_missing_members_are_drawn_and_all_are_the_same(models, folder, tmp_path, drawn):
    grow(models[:1], folder, tmp_path / "a.nc")
    grown = grow(models[:2], folder, tmp_path / "a.nc", n_members=3)
    assert drawn == [(0, [0, 1]), (0, [2]), (1, [0, 1, 2])]
    anew = grow(models[:2], folder, tmp_path / "b.nc", n_members=3)
    np.testing.assert_allclose(grown.fields, anew.fields, rtol=1e-3)
    assert grown.drop_vars("fields").equals(anew.drop_vars("fields"))
    assert grown.truth_redraw.sizes["draw"] == 2


def test_fewer_are_cut_from_what_is_there(models, folder, tmp_path, drawn):
    whole = grow(models[:2], folder, tmp_path / "a.nc", n_members=4)
    drawn.clear()
    less = grow(models[:1], folder, tmp_path / "a.nc", n_members=3)
    assert drawn == []
    assert less.fields.equals(whole.fields[:, :3])


def test_a_crash_between_models_loses_none(models, folder, tmp_path, drawn, monkeypatch):
    grow(models[1:2], folder, tmp_path / "a.nc")
    real = growth.draw_members

    def breaks(model, *others):
        if model.seed == 2:
            raise KeyboardInterrupt
        return real(model, *others)

    with monkeypatch.context() as patch:
        patch.setattr(growth, "draw_members", breaks)
        with pytest.raises(KeyboardInterrupt):
            grow(models, folder, tmp_path / "a.nc")
    drawn.clear()
    grow(models, folder, tmp_path / "a.nc")
    assert drawn == [(2, [0, 1])]


@pytest.mark.parametrize(
    "change", [{"n_steps": 4}, {"seed": 1}, {"windows_per_simulation": 2}, {"redraws": False}]
)
def test_members_of_another_recipe_are_drawn_anew(models, folder, tmp_path, drawn, change):
    grow(models[:1], folder, tmp_path / "a.nc")
    drawn.clear()
    grow(models[:1], folder, tmp_path / "a.nc", **change)
    assert drawn == [(0, [0, 1])]


def test_load_reads_one_bundle_or_several(tmp_path, models):
    for model in models[:2]:
        write(tmp_path / f"model/seed_{model.seed}", model)
    assert package.load(tmp_path / "model/seed_1").seed == 1
    assert [m.seed for m in package.load(tmp_path / "model").models] == [0, 1]
    (tmp_path / "model/seed_0/model.json").unlink()
    assert package.load(tmp_path / "model").seed == 1
    with pytest.raises(EmulatorError, match="expected a bundle"):
        package.load(tmp_path)


def write(folder, model):
    from emulator.model.bundle import write_bundle

    ema = model.network.state_dict()
    raw = {name: value.clone() for name, value in ema.items()}
    write_bundle(folder, model.card, raw=raw, ema=ema, history="")
