"""Whole boxes: tiles, blended networks, noise of cells, members and files."""

import json

import numpy as np
import pytest
import torch
import xarray as xr
from scipy import stats
from typer.testing import CliRunner
from untrained import PARAMS, WINDOW, build_emulator, write_untrained

from emulator.cli import app, main
from emulator.config import DiffusionConfig, SamplingConfig
from emulator.io import DataError, EmulatorError, read_dataset
from emulator.sampling.batches import Batches
from emulator.sampling.mixture import Mixture
from emulator.sampling.painting import network as network_module
from emulator.sampling.painting.folder import RunningSummary, member_file, paint_folder
from emulator.sampling.painting.network import TiledNetwork
from emulator.sampling.painting.noise import BoxNoise, cell_noise
from emulator.sampling.painting.painter import Painter
from emulator.sampling.painting.tiles import Tiles

FEW = SamplingConfig(n_steps=3, batch_size=5)


# -------------------------------------------------------------------------------------- tiles


@pytest.mark.parametrize("shape", [(64, 64), (48, 80), (50, 37), (16, 16)])
@pytest.mark.parametrize("stride", [4, 8, 15])
def test_every_pixel_is_covered(shape, stride):
    total = Tiles(shape, 16, stride).total(torch.device("cpu"))
    assert total.shape == (1, *shape)
    assert float(total.min()) > 1e-4


def test_half_a_window_of_overlap_needs_no_division():
    total = Tiles((64, 32), 16, 8).total(torch.device("cpu"))
    torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=1e-6)


def test_windows_are_cut_periodically_as_cutouts_are(box):
    from emulator.data.cutouts import extract
    from emulator.data.maps import Maps

    tiles = Tiles(box.shape, WINDOW, 12)
    cut = tiles.cut(torch.from_numpy(box)[None], tiles.corners)
    maps = Maps.from_dmo(box, [])
    for window, centre in zip(cut, tiles.centres, strict=True):
        wanted = extract(maps, 0, centre, window=WINDOW, context_factors=[], species=())
        np.testing.assert_array_equal(window[0].numpy(), wanted.condition)


@pytest.mark.parametrize("kept", [0, network_module.KEPT_PIXELS])
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_a_local_network_does_not_know_of_windows(order, batch_size, kept, monkeypatch):
    """What is a function of the pixel alone is the same function of the box."""
    monkeypatch.setattr(network_module, "KEPT_PIXELS", kept)
    generator = torch.Generator().manual_seed(0)
    z = torch.randn((2, 3, 40, 24), generator=generator)
    field = torch.randn((1, 40, 24), generator=generator)
    starts = (tuple(range(0, 40, 8))[::order], tuple(range(0, 24, 8))[::order])
    tiles = Tiles((40, 24), 16, 8, starts)
    fields = tiles.cut(field, tiles.corners)

    def network(z, gamma, fields, params, mask):
        return z**2 + fields * params[:, :1, None, None] + gamma[:, None, None, None]

    tiled = TiledNetwork(network, tiles, fields.__getitem__, fields.device, Batches(batch_size))
    params = torch.tensor([[2.0, 0.0], [3.0, 0.0]])
    gamma = torch.tensor([0.5, -0.5])
    out = tiled(z, gamma, torch.zeros(2, 1, 40, 24), params, torch.ones(2, 2))
    expected = network(z, gamma, field.expand(2, 1, 40, 24), params, None)
    torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-5)


# -------------------------------------------------------------------------------------- noise


def test_noise_of_cells_is_normal_and_can_be_read_anywhere():
    whole = cell_noise(key=3, draw=1, first=0, count=40_000)
    assert stats.kstest(whole, "norm").pvalue > 0.01
    for first, count in ((0, 1), (1, 6), (4, 4), (39_997, 3), (12_345, 777)):
        part = cell_noise(key=3, draw=1, first=first, count=count)
        np.testing.assert_array_equal(part, whole[first : first + count])
    for key, draw, channel, row in (
        (4, 1, 0, 0), (3, 2, 0, 0), (3 + 2**64, 1, 0, 0), (3, 1, 1, 0), (3, 1, 0, 1),
    ):  # fmt: skip
        other = cell_noise(key, draw, 0, 40_000, channel=channel, row=row)
        assert abs(np.corrcoef(whole, other)[0, 1]) < 0.02


def test_a_box_draws_the_next_noise_each_time():
    noise = BoxNoise([5, 6], (2, 4, 6), torch.device("cpu"))
    first, second = noise(), noise()
    assert first.shape == (2, 2, 4, 6)
    np.testing.assert_array_equal(first[1, 0, 3], cell_noise(6, 0, 0, 6, row=3))
    np.testing.assert_array_equal(second[0, 1, 2], cell_noise(5, 1, 0, 6, channel=1, row=2))


def test_a_part_of_a_box_has_the_noise_of_its_cells():
    whole = BoxNoise([5], (2, 12, 20), torch.device("cpu"))()
    part = BoxNoise([5], (2, 4, 6), torch.device("cpu"), first=(3, 9))()
    np.testing.assert_array_equal(part, whole[:, :, 3:7, 9:15])
    values = BoxNoise([5], (3, 100, 100), torch.device("cpu"))().numpy().ravel()
    assert stats.kstest(values, "norm").pvalue > 0.01


# ------------------------------------------------------------------------------------ members


@pytest.mark.parametrize("objective", ["diffusion", "residual", "one_step"])
def test_members_are_those_of_their_numbers_whatever_the_batch(folder, box, objective):
    model = build_emulator(folder, objective=objective, zero=True)
    whole = model.paint(box, PARAMS, n_members=3, seed=2, sampling=FEW)
    assert whole["fields"].dims == ("member", "channel", "y", "x")
    assert whole["fields"].shape == (3, 3, *box.shape)
    assert whole["member"].values.tolist() == [0, 1, 2]
    last = model.paint(box, PARAMS, first_member=2, seed=2, sampling=FEW)
    other = FEW.model_copy(update={"batch_size": 64})
    again = model.paint(box, PARAMS, first_member=2, seed=2, sampling=other)
    np.testing.assert_array_equal(whole["fields"][2], last["fields"][0])
    np.testing.assert_allclose(last["fields"], again["fields"], rtol=1e-5)
    assert not np.array_equal(whole["fields"][0], whole["fields"][1])
    another = model.paint(box, PARAMS, seed=3, sampling=FEW)
    assert not np.array_equal(whole["fields"][0], another["fields"][0])


def test_a_network_that_knows_nothing_paints_noise_whatever_the_overlap(folder, box):
    """Zero is the perfect v of unit noise: no window and no overlap is in what comes out."""
    model = build_emulator(folder, zero=True)
    painted = [
        model.paint(box, PARAMS, overlap=overlap, sampling=FEW)["fields"]
        for overlap in (0.25, 0.5, 0.8)
    ]
    for other in painted[1:]:
        np.testing.assert_array_equal(painted[0], other)


def test_a_rolled_box_gives_rolled_members(emulator, box):
    """To the bit, however little the shift fits windows and blocks of the context."""
    plain = emulator.paint(box, PARAMS, n_members=2, sampling=FEW)
    shift = (5, -7)
    rolled = np.roll(box, shift, axis=(0, 1))
    found = emulator.paint(rolled, PARAMS, n_members=2, origin=(-5, 7), sampling=FEW)
    np.testing.assert_array_equal(found["fields"], np.roll(plain["fields"], shift, axis=(-2, -1)))
    np.testing.assert_array_equal(found["condition"], rolled)


def test_noise_does_not_depend_on_parameters(folder, box):
    model = build_emulator(folder, zero=True)
    low, high = (
        model.paint(box, {**PARAMS, "A_SN1": value}, sampling=FEW)["fields"]
        for value in (0.005, 0.0125)
    )
    np.testing.assert_array_equal(low, high)


def test_boxes_of_one_name_share_their_noise(folder, box):
    """Ratios to what follows the matter are the same, where nothing else is learned."""
    model = build_emulator(folder, zero=True)
    other = np.roll(box, 9, axis=0)
    ratios = [
        model.paint(field, PARAMS, noise_of=name, sampling=FEW)["fields"][0, 0].values / field
        for field, name in ((box, "a"), (other, "a"), (other, None))
    ]
    np.testing.assert_allclose(ratios[0], ratios[1], rtol=2e-2)
    assert not np.allclose(ratios[0], ratios[2], rtol=1e-1)


def test_a_box_need_not_be_square(emulator, box):
    wide = np.concatenate([box, box], axis=1)
    painted = emulator.paint(wide, PARAMS, sampling=FEW)
    assert painted["fields"].shape[-2:] == wide.shape
    assert painted["x"].size == 2 * painted["y"].size
    assert float(painted["x"][1] - painted["x"][0]) == pytest.approx(0.2)


def test_models_of_a_mixture_take_their_turns(folder, box):
    models = [build_emulator(folder, seed=seed) for seed in (0, 1)]
    mixture = Mixture({str(i): model for i, model in enumerate(models)})
    drawn = mixture.paint(box, PARAMS, n_members=3, sampling=FEW)
    assert drawn["model_seed"].values.tolist() == [0, 1, 0]
    own = models[1].paint(box, PARAMS, first_member=0, sampling=FEW)
    np.testing.assert_array_equal(drawn["fields"][1], own["fields"][0])
    assert len(json.loads(drawn.attrs["provenance"])["weights"]) == 2


def test_a_painting_says_what_it_is(emulator, box):
    painted = emulator.paint(box, PARAMS, seed=7, n_members=2, sampling=FEW)
    assert painted["fields"].attrs["units"] == "Msun/h per pixel"
    assert painted["x"].attrs["units"] == "Mpc/h"
    sampling = json.loads(painted.attrs["sampling"])
    assert (sampling["seed"], sampling["n_members"], sampling["n_steps"]) == (7, 2, 3)
    assert (painted.attrs["stage"], painted.attrs["stride"]) == ("paint", WINDOW // 2)
    np.testing.assert_array_equal(painted["params"], list(PARAMS.values()))


# ------------------------------------------------------------------------------------ sources


def test_maps_files_arrays_and_labelled_arrays_are_the_same_box(folder, emulator, box, tmp_path):
    own = emulator.paint(folder / "CV_0.h5", sampling=FEW)
    np.save(tmp_path / "box.npy", box)
    params = dict(zip(own["parameter"].values.tolist(), own["params"].values.tolist(), strict=True))
    labelled = xr.DataArray(box, dims=("y", "x"), attrs={"pixel_mpch": 0.2, "redshift": 0.0})
    for source in (box, tmp_path / "box.npy", str(tmp_path / "box.npy"), labelled):
        found = emulator.paint(source, params, sampling=FEW)
        np.testing.assert_array_equal(found["fields"], own["fields"])
    other = emulator.paint(folder / "CV_0.h5", projection="y", sampling=FEW)
    assert not np.array_equal(other["condition"], own["condition"])


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (lambda box: box[None], {}, r"one map \(y, x\)"),
        (lambda box: box[:12, :12], {}, r"smaller than the 16 pixels"),
        (lambda box: box[:32, :32], {}, r"at least 64 pixels a side"),
        (lambda box: np.where(box == box[0, 0], np.nan, box), {}, r"NaN|finite values"),
        (lambda box: -box, {}, r"finite values of zero or more"),
        (np.log10, {}, r"mean"),
        (lambda box: box / 1e10, {}, r"mean"),
        (lambda box: box, {"overlap": 0.0}, r"overlap must lie between 0 and 1, got 0"),
        (lambda box: box, {"overlap": 1.0}, r"overlap must lie between 0 and 1, got 1"),
        (lambda box: box, {"origin": (0.5, 0)}, r"origin must be a row and a column"),
        (lambda box: box, {"n_members": 0}, r"n_members: expected an integer of at least 1"),
        (
            lambda box: xr.DataArray(box, attrs={"pixel_mpch": 0.4}),
            {},
            r"pixel_mpch: expected 0.2 as the model was trained, got 0.4",
        ),
        (lambda box: xr.DataArray(box, attrs={"redshift": 1.0}), {}, r"redshift: expected 0"),
    ],
)
def test_what_is_no_box_of_the_model_is_refused(emulator, box, change, options, said):
    with pytest.raises((EmulatorError, DataError), match=said):
        emulator.paint(change(box), PARAMS, sampling=FEW, **options)


def test_sources_that_are_none_are_refused_by_name(folder, emulator, box, tmp_path):
    (tmp_path / "text.npy").write_text("no array")
    np.save(tmp_path / "box.npy", box)
    for source, options, said in (
        (folder / "CV_0.h5", {"projection": "w"}, r"projection: expected 'w', got only x, y, z"),
        (
            tmp_path / "box.txt",
            {"params": PARAMS},
            r"maps file .*, a snapshot .* or one array",
        ),
        (tmp_path / "text.npy", {"params": PARAMS}, r"text\.npy: expected an array"),
        (tmp_path / "none.npy", {"params": PARAMS}, r"none\.npy: expected an array"),
        (tmp_path / "box.npy", {}, r"params: expected Omega_m, A_SN1, got none"),
        (box, {"params": [PARAMS] * 3}, r"params: expected 1 or \d+ rows, got 3"),
    ):
        with pytest.raises(EmulatorError, match=said):
            emulator.paint(source, sampling=FEW, **options)


def test_guidance_by_a_context_that_no_box_drops_is_refused(folder, box):
    model = build_emulator(folder, DiffusionConfig(drop_context=0.1, drop_params=0.1))
    guided = {"n_steps": 2, "guidance_scale": 2.0}
    with pytest.raises(EmulatorError, match=r"guidance_drops: context is not dropped from a box"):
        model.paint(box, PARAMS, sampling=SamplingConfig(**guided, guidance_drops=["context"]))
    drawn = model.paint(box, PARAMS, sampling=SamplingConfig(**guided, guidance_drops=["params"]))
    assert np.isfinite(drawn["fields"]).all()


# -------------------------------------------------------------------------------------- files


@pytest.fixture(scope="module")
def bundle(folder, tmp_path_factory):
    """A model on disk that draws something possible."""
    model, path = build_emulator(folder, zero=True), tmp_path_factory.mktemp("bundle")
    write_untrained(path, model)
    return path


def paint(*words):
    return CliRunner().invoke(app, ["paint", *map(str, words)])


def test_members_of_another_setting_are_painted_again_if_it_is_said(folder, bundle, tmp_path):
    """And those that are as asked are kept; the manifest lists all."""
    asked = (bundle, folder / "CV_0.h5", "--output", tmp_path / "a", "--members")
    assert paint(*asked, 1, "--seed", 4).exit_code == 0
    before = member_file(tmp_path / "a", 0).read_bytes()
    manifest = ("--manifest", tmp_path / "m.json")
    assert isinstance(paint(*asked, 2, "--seed", 5).exception, DataError)
    kept = paint(*asked, 2, "--seed", 4, "--replace", *manifest)
    assert "1 members painted, 1 were there" in kept.output
    assert member_file(tmp_path / "a", 0).read_bytes() == before
    done = paint(*asked, 2, "--seed", 5, "--replace", *manifest)
    assert "2 members painted, 0 were there" in done.output
    assert paint(*asked, 2, "--seed", 5, "--first-member", 0).exit_code == 0
    listed = json.loads((tmp_path / "m.json").read_text())["files"]
    assert list(listed) == [str(member_file(tmp_path / "a", i)) for i in range(2)]


def test_a_config_says_how_members_are_drawn(folder, bundle, tmp_path):
    (tmp_path / "c.yaml").write_text("name: c\nsampling: {n_steps: 3}\n")
    done = paint(
        bundle, folder / "CV_0.h5", "--output", tmp_path / "a", "--members", 1,
        "--config", tmp_path / "c.yaml",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    painted = read_dataset(member_file(tmp_path / "a", 0))
    assert json.loads(painted.attrs["sampling"])["n_steps"] == 3


def test_members_are_files_that_jobs_share(folder, bundle, tmp_path):
    source = folder / "CV_0.h5"
    one, two = tmp_path / "one", tmp_path / "two"
    done = paint(bundle, source, "--output", one, "--members", 3)
    assert done.exit_code == 0, done.output
    assert "3 members painted, 0 were there" in done.output
    for first in (2, 0, 1):
        paint(bundle, source, "--output", two, "--members", 1, "--first-member", first)
    names = [member_file(one, k).name for k in range(3)]
    assert sorted(path.name for path in two.glob("*.nc")) == names
    for name in names:
        np.testing.assert_array_equal(
            read_dataset(one / name)["fields"], read_dataset(two / name)["fields"]
        )
    again = paint(bundle, source, "--output", one, "--members", 4)
    assert "1 members painted, 3 were there" in again.output


def test_what_is_finished_survives_an_interruption(emulator, folder, tmp_path, monkeypatch):
    painter = Painter(emulator, folder / "CV_0.h5", sampling=FEW)
    original = Painter.draw

    def dying(self, member, progress=None):
        if member == 1:
            raise KeyboardInterrupt
        return original(self, member, progress)

    with monkeypatch.context() as patch:
        patch.setattr(Painter, "draw", dying)
        with pytest.raises(KeyboardInterrupt):
            paint_folder(painter, range(3), tmp_path)
    assert [path.name for path in tmp_path.glob("*.nc")] == ["member_00000.nc"]
    before = member_file(tmp_path, 0).read_bytes()
    assert paint_folder(painter, range(3), tmp_path) == 2
    assert member_file(tmp_path, 0).read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seed", 1], "differs in sampling"),
        (["--projection", "y"], "differs in box or noise"),
        (["--overlap", 0.25], "differs in overlap"),
    ],
)
def test_a_folder_of_another_painting_is_refused(folder, bundle, tmp_path, capsys, words, said):
    given = ["paint", bundle, folder / "CV_0.h5", "--output", tmp_path, "--members", 1]
    assert paint(*given[1:]).exit_code == 0
    before = member_file(tmp_path, 0).read_bytes()
    result = paint(*given[1:], *words)
    assert isinstance(result.exception, DataError)
    assert said in str(result.exception)
    assert "Choose another --output" in str(result.exception)
    assert member_file(tmp_path, 0).read_bytes() == before


def test_a_summary_is_mean_and_deviation_of_the_members(folder, bundle, tmp_path):
    source = folder / "CV_0.h5"
    paint(bundle, source, "--output", tmp_path / "all", "--members", 4)
    only = paint(bundle, source, "--output", tmp_path / "few", "--members", 4, "--only-summary")
    assert only.exit_code == 0, only.output
    members = [read_dataset(path)["fields"] for path in sorted((tmp_path / "all").glob("*.nc"))]
    joined = xr.concat(members, "member")
    summary = read_dataset(tmp_path / "few/summary.nc")
    np.testing.assert_allclose(summary["mean"], joined.mean("member"), rtol=1e-5)
    np.testing.assert_allclose(summary["std"], joined.std("member", ddof=1), rtol=1e-4)
    assert [path.name for path in (tmp_path / "few").glob("*.nc")] == ["summary.nc"]
    assert summary.attrs["n_members"] == 4


def test_of_one_member_the_deviation_is_not_known(emulator, folder):
    running = RunningSummary()
    painter = Painter(emulator, folder / "CV_0.h5", sampling=FEW)
    running.add(painter.draw(0))
    assert np.isnan(running.dataset(painter)["std"]).all()


def test_parameters_of_the_command_line_are_checked(folder, bundle, tmp_path):
    given = [bundle, folder / "CV_0.h5", "--output", tmp_path, "--members", 1]
    for words, said in (
        (["--param", "Omega_m"], "expected NAME=VALUE"),
        (["--param", "Omega_m=high"], "--param Omega_m: expected numbers, got 'high'"),
        (["--param", "Omega_m=0.3,0.2"], "expected one number"),
        (["--param", "Omega_m=0.3", "--param", "Omega_m=0.2"], "each name once"),
        (["--param", "Omega_m=0.3"], "missing ['A_SN1']"),
        (["--param", "Omega_m=0.3", "--param", "A_SN1=9"], "beyond the trained range"),
    ):
        result = paint(*given, *words)
        assert isinstance(result.exception, EmulatorError)
        assert said in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_the_command_ends_with_a_message_and_a_code(monkeypatch, capsys, tmp_path):
    words = ["emulator", "paint", str(tmp_path), "box.npy", "--output", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "expected a bundle (model.json)" in capsys.readouterr().err
