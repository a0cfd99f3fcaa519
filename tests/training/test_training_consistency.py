"""The consistency model: distilled from a tiny diffusion, resumed, drawn from, and refused."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch
import yaml
from killed import killed_at
from safetensors.torch import load_file
from tiny import SPLITS, TINY, normalise, run
from typer.testing import CliRunner

import emulator
from emulator.cli import app
from emulator.config import SamplingConfig, parse_config, stage_yaml
from emulator.config.experiment import teacher_files
from emulator.config.section import ConfigError
from emulator.cost.requests import evaluations, requests, step_passes
from emulator.data.condition import Condition
from emulator.data.maps import read_maps
from emulator.diffusion.process import amplitudes
from emulator.io import DataError, EmulatorError, write_json
from emulator.model.build import build_parameterization
from emulator.model.bundle import read_bundle, read_card
from emulator.model.card import parse_card
from emulator.model.conditional import bind_condition, denoiser
from emulator.model.field_transform import FieldTransform
from emulator.model.windows import windows_for
from emulator.suites import suite_of
from emulator.training.objectives.base import Part
from emulator.training.objectives.consistency import ConsistencyModule
from emulator.training.teacher import Teacher, read_teacher

SINGLE = {**TINY["training"], "precision": "32"}
TRAINING = {**SINGLE, "objective": "consistency"}
DIFFUSION = {"gamma_max": 11.0}


def student(teacher, **overrides):
    """Overrides of a config that distils."""
    options = {"teacher": str(teacher), "levels": 6, "teacher_steps": 1}
    options |= overrides.pop("consistency", {})
    return {"training": TRAINING, "diffusion": DIFFUSION, "consistency": options, **overrides}


@pytest.fixture(scope="module")
def teacher(maps_dir, tmp_path_factory):
    """Folder of models with the bundle of one seed, as the workflow lays it out."""
    root = tmp_path_factory.mktemp("teacher")
    run(maps_dir, root, training={**SINGLE, "ema_decay": 0.5}, diffusion=DIFFUSION)
    shutil.move(root / "model", root / "models/seed_0")
    return root / "models"


@pytest.fixture(scope="module")
def trained(maps_dir, teacher, tmp_path_factory):
    root = tmp_path_factory.mktemp("consistency")
    run(maps_dir, root, **student(teacher))
    return root


@pytest.fixture(scope="module")
def normalisation(maps_dir):
    return normalise(maps_dir, TINY)


@pytest.fixture(scope="module")
def windows(maps_dir, normalisation):
    maps = [read_maps(maps_dir / f"{name}.h5") for name in SPLITS["train"]]
    return windows_for(normalisation, maps, window=16, batch_size=6, seed=0)


def module_of(teacher, normalisation, tmp_path, **options):
    config = parse_config({**TINY, **student(teacher, consistency=options)})
    found = read_teacher(config, normalisation, tmp_path)
    return ConsistencyModule(
        found.student(), FieldTransform(normalisation), config.training, config.diffusion,
        found.network, found.ladder(config), seed=0, pixel_mpch=0.2,
    )  # fmt: skip


def rows_of(root):
    with (root / "model/history.csv").open() as handle:
        return list(csv.DictReader(handle))


# ------------------------------------------------------------------------------------ a step


def test_a_student_begins_as_its_teacher(teacher, normalisation, tmp_path):
    module = module_of(teacher, normalisation, tmp_path)
    averaged = load_file(teacher / "seed_0/weights.safetensors")
    for name, tensor in module.network.state_dict().items():
        assert torch.equal(tensor, averaged[f"ema.{name}"])
    assert not any(p.requires_grad for p in module.teacher.parameters())
    assert all(p.requires_grad for p in module.network.parameters())


def test_levels_are_spread_over_a_step_and_each_is_drawn(teacher, normalisation, windows, tmp_path):
    module = module_of(teacher, normalisation, tmp_path)
    torch.manual_seed(0)
    whole = module.draw(windows[0], Part(12, slice(0, 12)))
    assert torch.bincount(whole.level, minlength=6).tolist() == [2] * 6
    torch.manual_seed(0)
    part = module.draw(windows[0], Part(12, slice(4, 7)))
    assert torch.equal(part.level, whole.level[4:7])
    assert torch.equal(part.eps, whole.eps[4:7])


def test_a_gradient_reaches_every_weight_and_none_the_teacher(
    teacher, normalisation, windows, tmp_path
):
    """Under autocast, too, whose copies of the weights must not be those of the target."""
    module = module_of(teacher, normalisation, tmp_path)
    torch.manual_seed(0)
    draws = module.draw(windows[0], Part(6, slice(0, 6)))
    with torch.autocast("cpu", torch.bfloat16):
        module.losses(windows[0], draws).mean().backward()
    without = [
        n for n, p in module.network.named_parameters() if p.grad is None or not p.grad.any()
    ]
    assert without == []
    assert all(p.grad is None for p in module.teacher.parameters())


# ---------------------------------------------------------------------------------- training


def test_training_lowers_the_loss_and_watches_ensembles(maps_dir, teacher, tmp_path):
    options = {"max_steps": 80, "checkpoint_steps": 4, "ensemble_every": 10, "ema_decay": 0.8}
    options |= {"learning_rate": 0.02}
    run(maps_dir, tmp_path, **student(teacher, training={**TRAINING, **options}))
    rows = rows_of(tmp_path)
    losses = [float(row["val_loss"]) for row in rows]
    assert losses[-1] < 0.6 * losses[0]
    watched = [row["step"] for row in rows if row["val_spread_skill_gas"]]
    assert watched == ["40", "80"]


def test_a_step_in_parts_is_the_same_step(maps_dir, teacher, tmp_path):
    """With the teacher's dropout, which a student does not have."""
    found = []
    for accumulate in (1, 2, 4):
        training = {**TRAINING, "accumulate": accumulate}
        found.append(
            run(maps_dir, tmp_path / str(accumulate), **student(teacher, training=training))
        )
    for weights in found[1:]:
        for name, tensor in found[0].items():
            torch.testing.assert_close(weights[name], tensor, rtol=0, atol=1e-5)


@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_an_interrupted_run_ends_with_the_same_weights(
    maps_dir, teacher, tmp_path, monkeypatch, precision
):
    options = student(teacher, training={**TRAINING, "precision": precision})
    run(maps_dir, tmp_path / "straight", **options)
    with (
        killed_at(monkeypatch, 5, KeyboardInterrupt("killed")),
        pytest.raises((KeyboardInterrupt, SystemExit, EmulatorError)),
    ):
        run(maps_dir, tmp_path / "killed", **options)
    run(maps_dir, tmp_path / "killed", **options)
    files = [tmp_path / side / "model/weights.safetensors" for side in ("straight", "killed")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_another_teacher_at_the_same_place_does_not_resume(maps_dir, teacher, tmp_path):
    models = tmp_path / "models"
    shutil.copytree(teacher, models)
    run(maps_dir, tmp_path / "a", **student(models))
    run(maps_dir, tmp_path / "b", training={**SINGLE, "learning_rate": 0.01}, diffusion=DIFFUSION)
    shutil.rmtree(models)
    shutil.move(tmp_path / "b/model", models / "seed_0")
    run(maps_dir, tmp_path / "a", **student(models))
    assert len(list((tmp_path / "a/state").glob("train-*"))) == 2


def test_empty_pixels_are_filled_as_in_the_diffusion(maps_dir, tmp_path):
    stars = {"name": "stars", "transform": "hurdle", "empty_amplitude": "masked"}
    channels = [{"name": "dm_hydro"}, {"name": "gas"}, stars]
    model = {**TINY["model"], "channels": channels}
    run(maps_dir, tmp_path / "teacher", training=SINGLE, diffusion=DIFFUSION, model=model)
    folder = tmp_path / "teacher/model"
    weights = run(maps_dir, tmp_path / "student", **student(folder, model=model))
    assert all(bool(torch.isfinite(tensor).all()) for tensor in weights.values())
    assert float(rows_of(tmp_path / "student")[-1]["val_loss"]) > 0


# ---------------------------------------------------------------------------------- sampling


@pytest.fixture
def model(trained):
    return emulator.load(trained / "model", device="cpu")


@pytest.fixture
def conditions(maps_dir):
    maps = read_maps(maps_dir / "CV_0.h5")
    return maps.select(["dmo"])[0, 0], [(8, 8), (30, 40)], maps.params


def draw(model, conditions, **options):
    field, centres, params = conditions
    return model.sample(field, params, centres=centres, **options)


@pytest.mark.parametrize("evaluations", [None, 1, 3, 4])
def test_members_cost_what_is_asked_and_say_so(model, conditions, evaluations):
    calls = []
    hook = model.network.register_forward_hook(lambda *_: calls.append(1))
    options = SamplingConfig(evaluations=evaluations)
    drawn = draw(model, conditions, n_members=2, sampling=options)
    hook.remove()
    assert len(calls) == (evaluations or 2)
    assert (drawn.attrs["solver"], drawn.attrs["n_steps"]) == ("consistency", len(calls))
    assert np.isfinite(drawn.fields.values).all()


def test_members_do_not_depend_on_batches(model, conditions):
    whole = draw(model, conditions, n_members=4)
    parts = [draw(model, conditions, n_members=2, first_member=k) for k in (0, 2)]
    joined = np.concatenate([part.fields.values for part in parts], axis=1)
    np.testing.assert_allclose(whole.fields.values, joined, rtol=1e-4)
    small = draw(model, conditions, n_members=4, sampling=SamplingConfig(batch_size=3))
    np.testing.assert_allclose(whole.fields.values, small.fields.values, rtol=1e-4)
    assert (whole.fields.std("member").mean(("sample", "y", "x")) > 0).all()


def test_the_sampler_is_the_averaged_network_by_hand(trained, model):
    """Two evaluations: the noise end, and the middle of the ladder."""
    card, network = read_bundle(trained / "model")
    given = model.transform.encode(read_condition(model, 2))
    kicks = torch.randn(2, 2, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    left = iter(kicks)
    found = model.sampler.draw(given, lambda: next(left), SamplingConfig(), None)
    denoise = denoiser(
        bind_condition(network, given, card.diffusion), build_parameterization(card.diffusion)
    )
    x = denoise(kicks[0], torch.full((2,), 11.0)).x
    alpha, sigma = amplitudes(1.5)  # half-way from 11 to -8
    expected = denoise(alpha * x + sigma * kicks[1], torch.full((2,), 1.5)).x
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def read_condition(model, n_rows):
    """Some condition of the right shapes."""
    generator = torch.Generator().manual_seed(3)
    maps = torch.rand(n_rows, 3, 16, 16, generator=generator) * 1e11 + 1e9
    params = torch.tensor([[0.3, 1.0]]).repeat(n_rows, 1)
    return Condition(maps[:, 0], maps[:, 1:], params)


def test_what_it_cannot_do_is_refused_with_a_remedy(model, conditions):
    drawn = draw(model, conditions, n_members=2)
    field, centres, params = conditions
    fields = drawn.fields.values[:, 0]
    for options, words in (
        ({"guidance_scale": 2.0}, "guidance_scale is 2"),
        ({"start": "spectrum"}, "start is spectrum"),
    ):
        with pytest.raises(EmulatorError, match=rf"{words}.*use its teacher"):
            draw(model, conditions, n_members=2, sampling=SamplingConfig(**options))
    with pytest.raises(EmulatorError, match=r"observed: .*use its teacher"):
        draw(model, conditions, n_members=2, observed=fields)
    with pytest.raises(EmulatorError, match=r"no likelihood.*use its teacher"):
        model.log_likelihood(fields, field, params, centres=centres)
    with pytest.raises(EmulatorError, match="drop_each_param"):
        draw(model, (field, centres, {**params, "A_SN1": np.nan}), n_members=2)


def test_evaluations_are_refused_of_other_models(teacher, conditions):
    model = emulator.load(teacher, device="cpu")
    with pytest.raises(EmulatorError, match=r"evaluations is 2.*sampling\.n_steps"):
        draw(model, conditions, n_members=2, sampling=SamplingConfig(evaluations=2))
    draw(model, conditions, n_members=2, sampling=SamplingConfig(n_steps=2))


def test_the_card_says_what_was_distilled(trained, teacher):
    card, of_teacher = read_card(trained / "model"), read_card(teacher / "seed_0")
    assert card.facts.objective == "consistency"
    assert card.facts.consistency.levels == 6
    assert card.attributes["teacher"] == f"tiny, weights {of_teacher.weights_sha256[:12]}"
    assert str(teacher) not in (trained / "model/model.json").read_text()
    done = CliRunner().invoke(app, ["bundle", "info", str(trained / "model")])
    assert "objective consistency" in done.output
    assert of_teacher.weights_sha256[:12] in done.output


def test_a_card_without_levels_is_refused(trained):
    value = json.loads((trained / "model/model.json").read_text())
    value.pop("sha256")
    del value["training"]["consistency"]
    with pytest.raises(DataError, match="consistency needs the section consistency"):
        parse_card(value, "card")


# ---------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("section", "changes", "words"),
    [
        ("consistency", {"teacher": None}, r"consistency\.teacher: .*name its bundle"),
        ("consistency", {"teacher": "results/tiny/model"}, "results of this experiment itself"),
        ("consistency", {"teacher": "./results/x/../tiny/model/seed_0"}, "experiment itself"),
        ("consistency", {"gamma_end": 11.0}, r"gamma_end must lie in .*, \[-13\.3, 11\), got 11"),
        ("consistency", {"gamma_end": -14.0}, r"gamma_end must lie in .* got -14"),
        ("consistency", {"levels": 3}, "greater than or equal to 4"),
        ("diffusion", {"prediction": "eps"}, "eps says nothing of the data at pure noise"),
        ("diffusion", {"drop_params": 0.1}, r"diffusion\.drop_params.*set training\.objective"),
        ("sampling", {"solver": "auto"}, r"sampling\.solver auto.*set training\.objective"),
        ("sampling", {"guidance_scale": 2.0}, r"guidance_scale.*set training\.objective"),
        ("sampling", {"start": "spectrum"}, r"start spectrum.*set training\.objective"),
        ("sampling", {"evaluations": 5}, "less than or equal to 4"),
        ("training", {"parameter_head_weight": 0.1}, "parameter_head_weight.*set training"),
    ],
)
def test_a_config_that_cannot_be_distilled_is_refused(section, changes, words):
    raw = {**TINY, **student("results/other/model")}
    parse_config(raw)
    raw[section] = {**raw.get(section, {}), **changes}
    with pytest.raises(ConfigError, match=words):
        parse_config(raw)


def test_the_teachers_files_are_inputs_and_a_missing_one_is_said(teacher, tmp_path):
    config = parse_config({**TINY, **student(teacher)})
    names = ["model.json", "weights.safetensors"]
    assert teacher_files(config) == [str(teacher / "seed_0" / name) for name in names]
    one = parse_config({**TINY, **student(teacher / "seed_0")})
    assert teacher_files(one) == teacher_files(config)
    assert teacher_files(parse_config(TINY)) == []
    with pytest.raises(ConfigError, match=r"none: expected a bundle.*train the diffusion first"):
        teacher_files(parse_config({**TINY, **student(tmp_path / "none")}))
    shutil.copytree(teacher, tmp_path / "two")
    shutil.copytree(teacher / "seed_0", tmp_path / "two/seed_1")
    with pytest.raises(ConfigError, match=r"got 2 \(seed_0, seed_1\): name one"):
        teacher_files(parse_config({**TINY, **student(tmp_path / "two")}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"diffusion": {"gamma_max": 12.0}}, r"diffusion .*gamma_max: 11\.0 of the.*, 12\.0 here"),
        ({"model": {**TINY["model"], "params": ["Omega_m"]}}, "normalisation .*params.*fit the"),
        ({"data": {**TINY["data"], "window": 8}}, r"window 8, but the teacher.* with 16"),
    ],
)
def test_a_teacher_of_something_else_is_refused(maps_dir, teacher, tmp_path, changes, words):
    with pytest.raises(ConfigError, match=words):
        run(maps_dir, tmp_path, **{**student(teacher), **changes})
    assert not (tmp_path / "model").exists()


def test_a_teacher_of_another_width_is_refused(maps_dir, teacher, tmp_path):
    network = {**TINY["model"]["network"], "widths": [8, 24]}
    with pytest.raises(ConfigError, match=r"network .*widths: \[8, 16\] of the teacher"):
        run(maps_dir, tmp_path, **student(teacher, model={**TINY["model"], "network": network}))


def test_what_only_a_training_reads_may_differ(teacher, normalisation, tmp_path):
    network = {**TINY["model"]["network"], "dropout": 0.0, "checkpointing": True}
    changed = {
        "model": {**TINY["model"], "network": network},
        "diffusion": {**DIFFUSION, "weight": "min_snr", "times": "uniform"},
    }
    config = parse_config({**TINY, **student(teacher), **changed})
    assert isinstance(read_teacher(config, normalisation, tmp_path), Teacher)


def test_a_student_is_no_teacher_and_nobody_overwrites_one(
    maps_dir, trained, teacher, normalisation, tmp_path
):
    config = parse_config({**TINY, **student(trained / "model")})
    with pytest.raises(DataError, match=r"expected a diffusion, got a consistency"):
        read_teacher(config, normalisation, tmp_path)
    config = parse_config({**TINY, **student(teacher)})
    with pytest.raises(ConfigError, match="is where the student is written"):
        read_teacher(config, normalisation, teacher / "seed_0")


def test_the_command_line_trains_from_the_configs_of_the_stages(
    maps_dir, teacher, normalisation, tmp_path
):
    """Each stage reads its own sections alone; a refusal is one line and exit code 1."""
    results = tmp_path / "results"
    normalisation.write(results / "normalisation.json")
    write_json(results / "splits.json", SPLITS)
    raw = {**TINY, **student(teacher), "regression": {"max_steps": 2}}
    config, words = parse_config(raw), ["--maps", str(maps_dir), "--results", str(results)]
    for stage in ("train", "regress"):
        path = tmp_path / f"{stage}.yaml"
        path.write_text(stage_yaml(config, stage))
        done = CliRunner().invoke(app, [stage, str(path), *words])
        assert done.exit_code == 0, done.output
    assert read_card(results / "model/seed_0").facts.objective == "consistency"
    assert read_card(results / "regression").facts.objective == "regression"
    raw["consistency"] = {"levels": 6}
    path.write_text(yaml.safe_dump(raw))
    done = CliRunner().invoke(app, ["train", str(path), *words])
    assert done.exit_code == 1
    assert "consistency.teacher: " in str(done.exception)


def test_a_baseline_is_the_same_for_every_objective(teacher):
    configs = [
        parse_config({**TINY, **student(teacher)}),
        parse_config({**TINY, "training": SINGLE}),
    ]
    texts = {stage_yaml(config, "regress") for config in configs}
    assert len(texts) == 1
    assert "objective" not in texts.pop()


def test_its_cost_is_that_of_its_evaluations(teacher):
    """Of a step: forward and backward, its target, and two evaluations of the teacher."""
    base = parse_config({**TINY, "training": SINGLE})
    for evaluated in (None, 4):
        sampling = {"evaluations": evaluated}
        config = parse_config({**TINY, **student(teacher, sampling=sampling)})
        assert evaluations(config) == evaluations(base) / 20 * (evaluated or 2)
    assert step_passes(config) == pytest.approx(SINGLE["batch_size"] * (1 + 3 / 3))
    more = parse_config({**TINY, **student(teacher, consistency={"teacher_steps": 4})})
    assert step_passes(more) == pytest.approx(SINGLE["batch_size"] * (1 + 9 / 3))
    assert step_passes(base) == SINGLE["batch_size"]
    suite = suite_of(config)
    assert requests(config, suite)["train"].minutes >= requests(base, suite)["train"].minutes
