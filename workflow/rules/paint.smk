# Boxes without a twin, for the target `paint`: one job a block of members of one map. As with
# ensembles, the members are not outputs: they outlive a failed job, and more are added to them.
@lru_cache(maxsize=None)
def painting():
    """What is painted; refused only where it is asked for."""
    try:
        return Painting(EXPERIMENT, SUITE)
    except EmulatorError as error:
        raise WorkflowError(str(error)) from None


@lru_cache(maxsize=None)
def painted_box(name):
    """Source, parameters and projections of one box."""
    try:
        return painting().box(name)
    except EmulatorError as error:
        raise WorkflowError(str(error)) from None


def painted_members(wildcards):
    """Manifests of all jobs."""
    return [
        f"{RESULTS}/manifests/painted/{name}/{projection}/{members}.json"
        for name in painting().names
        for projection in painted_box(name).projections
        for members in EXPERIMENT.painting.jobs
    ]


def box_source(wildcards):
    """File of a box, or the manifest of its maps."""
    watched = painted_box(wildcards.box).watched
    if watched is None:
        return f"{PROCESSED}/manifests/{block_of(wildcards.box)}.json"
    return str(watched)


def box_model(wildcards):
    """Files of the model that paints: one that lies there, or those of this config."""
    if painting().trained is not None:
        return painting().trained.files
    own = expand(
        f"{RESULTS}/model/seed_{{seed}}/{{file}}",
        seed=SEEDS,
        file=["model.json", "weights.safetensors"],
    )
    return [*own, *FOUND, *CALIBRATED]


def paint_options(wildcards):
    """What the command is told of a box and of its members."""
    box, asked = painted_box(wildcards.box), EXPERIMENT.painting
    members = asked.jobs[wildcards.members]
    options = [f"--param {shlex.quote(f'{name}={value!r}')}" for name, value in box.params.items()]
    if wildcards.projection != MAP:
        options.append(f"--projection {shlex.quote(wildcards.projection)}")
    options += [
        f"--first-member {members[0]} --members {len(members)}",
        f"--seed {asked.seed} --overlap {asked.overlap} --out-of-range {asked.out_of_range}",
    ]
    return " ".join(options)


def paint_memory_mb(wildcards, attempt):
    """Memory of a job, by its box; more each time it is tried again."""
    return attempt * request_to_paint(wildcards.box).memory_mb


def paint_minutes(wildcards, attempt):
    """Time of a job, by its box; more each time it is tried again."""
    return min(DAY, attempt * request_to_paint(wildcards.box).minutes)


def request_to_paint(name):
    """Request of a job of a box."""
    n_pixels = painted_box(name).n_pixels or EXPERIMENT.data.n_pixels
    return paint_request(of_trained(EXPERIMENT, painting().trained), n_pixels)


# a model that lies there draws as it was found to draw best, unless the config says otherwise
PAINT_CONFIG = (
    [stage_config("paint")]
    if EXPERIMENT.painting.model is None or "sampling" in EXPERIMENT.model_fields_set
    else []
)


rule paint:
    input:
        painted_members,


rule paint_members:
    input:
        box_source,
        box_model,
        config=PAINT_CONFIG,
    output:
        f"{RESULTS}/manifests/painted/{{box}}/{{projection}}/{{members}}.json",
    log:
        f"{RESULTS}/logs/paint_members/{{box}}-{{projection}}-{{members}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/paint_members/{{box}}-{{projection}}-{{members}}.tsv"
    wildcard_constraints:
        box=r"[^/]+",
        projection=r"[^/]+",
        members=r"\d+-\d+",
    threads: 1
    resources:
        mem_mb=paint_memory_mb,
        runtime=paint_minutes,
        gpu=1,
    params:
        model=EXPERIMENT.painting.model or f"{RESULTS}/model",
        source=lambda wildcards: str(painted_box(wildcards.box).source),
        folder=lambda wildcards: f"{RESULTS}/painted/{wildcards.box}/{wildcards.projection}",
        options=paint_options,
        config=flags("--config", PAINT_CONFIG),
    shell:
        "{EMULATOR} paint {params.model:q} {params.source:q} {params.options} {params.config}"
        " --replace --output {params.folder:q} --manifest {output:q} " + LOGGED
