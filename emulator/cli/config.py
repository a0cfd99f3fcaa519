"""Commands on a config alone: what a run of it will cost, and which keys there are."""

from pathlib import Path
from typing import Annotated

import typer

from emulator.cli.options import AS_PATH, AsJson, Config, Raw, Results, results_of
from emulator.config import json_schema, read_config


def cost(
    config: Config,
    raw: Raw = None,
    results: Results = None,
    gpu_tflops: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            help="TFLOP/s that a network reaches on the cluster's GPU (a quarter of its bf16 peak, "
            "say), if there is none here [the device of this machine].",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Predict jobs, core-hours, GPU-hours, memory and disk, from short probes, before any job.

    The prediction is kept as RESULTS/cost.json, and the report compares it with what was used.
    """
    import json

    from emulator.cost.predict import predict
    from emulator.cost.table import to_json, to_text
    from emulator.io import write_json

    experiment = read_config(config)
    prediction = predict(experiment, raw, gpu_tflops=gpu_tflops)
    document = to_json(prediction)
    write_json(results_of(experiment, results) / "cost.json", document)
    typer.echo(json.dumps(document, indent=2) if as_json else to_text(prediction))


def schema(
    output: Annotated[
        Path | None, typer.Option(help="File to write [standard output].", **AS_PATH)
    ] = None,
) -> None:
    """Write the JSON schema of the config, as YAML.

    It lists every key with its type, default and meaning; editors check and complete configs with
    it.
    """
    import yaml

    from emulator.io import write_text

    text = yaml.safe_dump(json_schema(), sort_keys=False, width=100)
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_text(output, text)
