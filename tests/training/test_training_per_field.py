"""A network for each field: who writes which channel, what it costs, how it trains and is kept."""

from functools import partial

import pytest
import torch
from tiny import TINY, normalise, run

import emulator
from emulator.config import parse_config
from emulator.data.maps import read_maps
from emulator.io import DataError, read_json, write_json
from emulator.model.build import COPIES, build_backbone, build_network, interface_for
from emulator.model.bundle import describe, read_bundle
from emulator.networks.backbone import Interface
from emulator.networks.summary import blank_inputs, summarise
from emulator.training.optimiser import build_optimiser

FIELDS = {"dm_hydro": (0,), "gas": (1,), "stars": (2, 3)}
"""Channels of the network for each field; a hurdle field has two."""
SMALL = {key: value for key, value in TINY["model"]["network"].items() if key != "dropout"}
NETWORKS = {
    "unet": {**SMALL, "per_field": True},
    "dit": {"kind": "dit", "patch": 2, "width": 24, "depth": 1, "heads": 2, "per_field": True},
}


def config_of(kind="unet", objective="diffusion", **training):
    objectives = {} if objective == "regression" else {"objective": objective}
    model = {
        **TINY["model"],
        "network": NETWORKS[kind],
        "channels": [
            {"name": "dm_hydro", "transform": "log_ratio"},
            {"name": "gas", "transform": "log_ratio"},
            {"name": "stars", "transform": "hurdle"},
        ],
    }
    return {**TINY, "model": model, "training": {**TINY["training"], **objectives, **training}}


@pytest.fixture(scope="module")
def statistics(maps_dir):
    return normalise(maps_dir, config_of())


def build(statistics, kind="unet", objective="diffusion"):
    """Away from the zero start, where every output is zero."""
    config = parse_config(config_of(kind))
    torch.manual_seed(0)
    network = build_network(config.model.network, config.diffusion, statistics, objective)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return network.requires_grad_(False).eval()


def inputs(statistics, objective):
    diffusion = parse_config(config_of()).diffusion
    generator = torch.Generator().manual_seed(1)
    blank = blank_inputs(interface_for(statistics, diffusion, objective), (8, 8), 2)
    return [tensor + torch.randn(tensor.shape, generator=generator) for tensor in blank]


@pytest.mark.parametrize("objective", COPIES)
@pytest.mark.parametrize("kind", NETWORKS)
def test_every_copy_of_a_field_is_written_by_its_own_network(statistics, kind, objective):
    """And by no other: with the others' weights at zero it stays the same to the bit."""
    network, arguments = build(statistics, kind, objective), inputs(statistics, objective)
    whole, copies = network(*arguments), COPIES[objective]
    assert whole.shape == arguments[0].shape
    assert whole.shape[1] == 4 * copies
    for number, own in enumerate(FIELDS.values()):
        only = build(statistics, kind, objective)
        for other in (n for i, n in enumerate(only.networks) if i != number):
            for parameter in other.parameters():
                torch.nn.init.zeros_(parameter)
        found = only(*arguments).chunk(copies, dim=1)
        for copy, before in zip(found, whole.chunk(copies, dim=1), strict=True):
            for channel in range(4):
                same = torch.equal(copy[:, channel], before[:, channel])
                assert same == (channel in own)
                assert same or not copy[:, channel].any()


@pytest.mark.parametrize("objective", COPIES)
def test_channels_of_a_network_stay_in_order_of_their_copies(statistics, objective):
    """The second of a field's outputs is its second channel, and after the last the next copy's."""
    network, arguments = build(statistics, "unet", objective), inputs(statistics, objective)
    alone = network.networks[2](*arguments)
    assert alone.shape[1] == 2 * COPIES[objective]
    for number, copy in enumerate(network(*arguments).chunk(COPIES[objective], dim=1)):
        assert torch.equal(copy[:, 2:], alone[:, 2 * number : 2 * number + 2])


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_network_sees_every_channel_window_and_parameter(statistics, kind):
    network, arguments = build(statistics, kind), inputs(statistics, "diffusion")
    before = network(*arguments)
    for index in (0, 2, 3):
        for part in range(arguments[index].shape[1]):
            changed = [tensor.clone() for tensor in arguments]
            changed[index][:, part] += 0.5
            moved = (network(*changed) - before).flatten(2).abs().amax((0, 2))
            assert (moved > 1e-5).all(), (index, part)


@pytest.mark.parametrize("kind", NETWORKS)
def test_costs_are_the_sum_of_the_networks(statistics, kind):
    network = build(statistics, kind).requires_grad_(True)
    interface = interface_for(statistics, parse_config(config_of()).diffusion)
    whole, *parts = (
        summarise(n, partial(blank_inputs, interface, (16, 16)))
        for n in (network, *network.networks)
    )
    assert whole.n_parameters == sum(part.n_parameters for part in parts)
    assert whole.forward_flop == sum(part.forward_flop for part in parts)
    # beside theirs only what each of them reads, and the order of channels, which is kept once
    total = sum(part.activation_bytes for part in parts)
    assert whole.activation_bytes == pytest.approx(total, rel=0.02)


def test_the_order_of_channels_need_not_be_that_of_fields():
    """Channels of a field apart, fields out of order."""
    config = parse_config({"name": "a", "model": {"network": NETWORKS["unet"]}}).model.network
    interface = Interface(4, 1, 1, fields=(7, 2, 2, 7))
    network = build_backbone(config, interface).requires_grad_(False).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    arguments = blank_inputs(interface, (8, 8), 1)
    second, seventh = (part(*arguments) for part in network.networks)
    expected = torch.stack([seventh[:, 0], second[:, 0], second[:, 1], seventh[:, 1]], dim=1)
    assert torch.equal(network(*arguments), expected)


def test_fields_that_do_not_name_every_channel_are_refused():
    with pytest.raises(ValueError, match="expected one for each of 4 channels"):
        Interface(4, 1, 1, fields=(0, 1))


@pytest.mark.parametrize("kind", NETWORKS)
def test_muon_leaves_the_ends_of_every_network_to_adamw(statistics, kind):
    network = build(statistics, kind).requires_grad_(True)
    training = parse_config(config_of(kind, optimiser="muon")).training
    _, ends, _ = build_optimiser(network, [], training)["optimizer"].param_groups
    names = {id(p): name for name, p in network.named_parameters()}
    layers = ("stem", "out")
    expected = {f"networks.{i}.{layer}.weight" for i in range(3) for layer in layers}
    assert {names[id(p)] for p in ends["params"]} == expected


@pytest.mark.parametrize(
    ("kind", "objective", "head"),
    [("unet", "diffusion", 0.1), ("unet", "one_step", 0.0), ("dit", "diffusion", 0.0)],
)
def test_it_trains_and_its_bundle_is_drawn_from(maps_dir, tmp_path, kind, objective, head):
    raw = config_of(
        kind, objective, max_steps=2, parameter_head_weight=head, precision="32", optimiser="muon"
    )
    torch.manual_seed(0)
    config = parse_config(raw)
    start = build_network(
        config.model.network, config.diffusion, normalise(maps_dir, raw), objective
    ).state_dict()
    weights = run(maps_dir, tmp_path, **{key: raw[key] for key in ("model", "training")})
    for number in range(3):
        trained = f"networks.{number}.out.weight"
        assert not torch.equal(weights[f"raw.{trained}"], start[trained])
    card, network = read_bundle(tmp_path / "model")
    assert card.network.per_field
    assert "a network for each field" in describe(card, network)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, weights[f"ema.{name}"])
    maps = read_maps(maps_dir / "CV_0.h5")
    drawn = emulator.load(tmp_path / "model").sample(
        maps.select(["dmo"])[0, 0], maps.params, centres=[(8, 8)], n_members=2, seed=0
    )
    assert list(drawn["fields"].channel.values) == list(FIELDS)
    assert bool(drawn["fields"].notnull().all())


def test_a_card_that_claims_more_networks_than_there_are_weights_is_refused(maps_dir, tmp_path):
    """Before they take memory."""
    run(maps_dir, tmp_path, model={**TINY["model"], "network": SMALL})
    path = tmp_path / "model/model.json"
    card = read_json(path)
    card["network"] |= {"per_field": True, "widths": [16, 16]}
    write_json(path, card)
    with pytest.raises(DataError, match="the weights of the configured network"):
        read_bundle(tmp_path / "model")
