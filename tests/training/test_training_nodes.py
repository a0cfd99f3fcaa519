"""Where processes meet, and what a bundle says of itself."""

import os
from pathlib import Path

import pytest

from emulator.io import DataError, EmulatorError
from emulator.model.bundle import _require_shapes, bundles_in, describe, read_bundle
from emulator.training.nodes import FIRST_PORT, PORTS, meet_nodes

FROZEN = Path(__file__).parents[1] / "regression/trained"


@pytest.fixture
def environment(monkeypatch):
    def put(**values):
        names = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "SLURM_STEP_NUM_NODES", "SLURM_NNODES")
        for name in names:
            monkeypatch.setenv(name, "")
            monkeypatch.delenv(name)
        facts = {"SLURM_JOB_ID": "100007", "SLURM_NODEID": "2",
                 "SLURM_LAUNCH_NODE_IPADDR": "10.0.0.7"}  # fmt: skip
        for name, value in (facts | values).items():
            monkeypatch.setenv(name, value)

    return put


def test_ports_follow_from_the_job_within_their_range(environment):
    assert (FIRST_PORT, PORTS) == (20000, 30000)
    for job, port in (("0", 20000), ("29999", 49999), ("30000", 20000), ("100007", 30007)):
        environment(SLURM_STEP_NUM_NODES="3", SLURM_JOB_ID=job)
        meet_nodes(3)
        assert os.environ["MASTER_PORT"] == str(port)
        assert (os.environ["NODE_RANK"], os.environ["MASTER_ADDR"]) == ("2", "10.0.0.7")


def test_an_allocation_is_asked_where_the_step_says_nothing(environment):
    environment(SLURM_NNODES="2", MASTER_PORT="777", MASTER_ADDR="here")
    meet_nodes(2)
    assert (os.environ["MASTER_PORT"], os.environ["MASTER_ADDR"]) == ("777", "here")
    environment(SLURM_NNODES="2", SLURM_STEP_NUM_NODES="1")
    with pytest.raises(EmulatorError, match=r"num_nodes is 2, but .* started on 1 node"):
        meet_nodes(2)
    environment()
    with pytest.raises(EmulatorError, match=r"num_nodes is 3, but .* started on 1 node"):
        meet_nodes(3)


def test_one_node_needs_no_meeting(environment):
    environment(SLURM_NNODES="5")
    meet_nodes(1)
    assert "NODE_RANK" not in os.environ


def test_seeds_are_in_the_order_of_their_numbers(tmp_path):
    for seed in (10, 2, 0):
        (tmp_path / f"seed_{seed}").mkdir()
        (tmp_path / f"seed_{seed}/model.json").touch()
    (tmp_path / "seed_3").mkdir()
    assert [path.name for path in bundles_in(tmp_path)] == ["seed_0", "seed_2", "seed_10"]
    (tmp_path / "model.json").touch()
    assert bundles_in(tmp_path) == [tmp_path]


def test_a_description_is_aligned_and_complete():
    card, network = read_bundle(FROZEN)
    update = {"attributes": {"notice": "n", "provenance": "p"}, "metrics": {"val_loss": 0.123456}}
    said = describe(card.model_copy(update=update), network)
    n_weights = sum(p.numel() for p in network.parameters())
    for line in (
        "name", f"unet, {n_weights / 1e6:.2f} M weights", "format", "notice", "last val_loss",
        "0.12346", "16 pixels of 0.2 Mpc/h, 12.8 Mpc/h deep, context x2, x4", "Omega_m",
    ):  # fmt: skip
        assert line in said
    assert "provenance" not in said
    assert "(learned)" not in said
    rows = [line for line in said.splitlines() if line != "parameters"]
    longest = max(len(name) for name in ("last val_loss", "  Omega_m", "diffusion"))
    assert all(row[longest + 1] == " " and row[longest + 2] != " " for row in rows)
    learned = describe(card.model_copy(update=update | {"schedule": (-1.0, 1.0)}), network)
    assert "(learned)" in learned


def test_raw_weights_are_others_and_neither_is_trained():
    averaged, raw = (read_bundle(FROZEN, weights=kind)[1].state_dict() for kind in ("ema", "raw"))
    assert any((averaged[name] != raw[name]).any() for name in averaged)
    assert not any(p.requires_grad for p in read_bundle(FROZEN)[1].parameters())
    assert not read_bundle(FROZEN)[1].training


@pytest.mark.parametrize(("n_missing", "more"), [(1, ""), (5, ""), (6, "; ... 6 in all")])
def test_five_wrong_weights_are_listed(n_missing, more):
    _, network = read_bundle(FROZEN)
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    for name in sorted(shapes)[:n_missing]:
        del shapes[name]
    with pytest.raises(DataError) as error:
        _require_shapes(network, shapes, Path("w"))
    assert str(error.value).count("missing, not") == min(n_missing, 5)
    assert ("in all" in str(error.value)) == bool(more)
    assert more in str(error.value)
