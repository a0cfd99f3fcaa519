# Statistics of the training split, training, and the baseline that is trained. The resume state is
# not an output: Snakemake deletes the outputs of a failed job, and the state must outlive it.
def pairs_to_learn_from(wildcards):
    """Nothing; dark-matter-only runs alone are refused here, before anything that learns."""
    try:
        require_twins(EXPERIMENT, "train, sample or validate")
    except EmulatorError as error:
        raise WorkflowError(str(error)) from None
    return []


rule fit:
    input:
        pairs_to_learn_from,
        expand(f"{PROCESSED}/manifests/{{block}}.json", block=BLOCKS),
        config=stage_config("fit"),
    output:
        f"{RESULTS}/normalisation.json",
        f"{RESULTS}/splits.json",
    log:
        f"{RESULTS}/logs/fit.log",
    benchmark:
        f"{RESULTS}/benchmarks/fit.tsv"
    threads: 1
    resources:
        mem_mb=memory_mb("fit"),
        runtime=minutes("fit"),
    shell:
        "{EMULATOR} fit {input.config:q} --raw {RAW:q} --maps {PROCESSED}/maps"
        " --results {RESULTS} " + LOGGED


NODES = EXPERIMENT.training.num_nodes
# Several nodes: one process on each, which starts those of the node's other devices. The executor
# leaves srun to a rule that says `mpi`; without tasks_per_gpu it would ask for `tasks` on each GPU.
ON_NODES = (
    f"srun --nodes={NODES} --ntasks={NODES} --ntasks-per-node=1 --cpus-per-task={{threads}}"
    f" --gres=gpu:{REQUESTS['train'].gpus // NODES} "
    if NODES > 1
    else ""
)
OF_NODES = {"nodes": NODES, "tasks": NODES, "tasks_per_gpu": 0, "mpi": "srun"} if NODES > 1 else {}


# one job a seed of training.seeds
rule train:
    input:
        f"{RESULTS}/normalisation.json",
        f"{RESULTS}/splits.json",
        TEACHER,
        config=stage_config("train"),
    output:
        f"{RESULTS}/model/seed_{{seed}}/model.json",
        f"{RESULTS}/model/seed_{{seed}}/weights.safetensors",
        f"{RESULTS}/model/seed_{{seed}}/history.csv",
    log:
        f"{RESULTS}/logs/train/seed_{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/seed_{{seed}}.tsv"
    threads: REQUESTS["train"].cores
    resources:
        **OF_NODES,
        mem_mb=memory_mb("train"),
        runtime=minutes("train"),
        gpu=REQUESTS["train"].gpus,
    shell:
        ON_NODES
        + "{EMULATOR} train {input.config:q} --seed {wildcards.seed} --maps {PROCESSED}/maps"
        " --results {RESULTS} " + LOGGED


# the network of the model as a regression: a baseline of the validation, if the config asks for it
if EXPERIMENT.regression.max_steps:

    rule regress:
        input:
            f"{RESULTS}/normalisation.json",
            f"{RESULTS}/splits.json",
            config=stage_config("regress"),
        output:
            REGRESSION,
        log:
            f"{RESULTS}/logs/regress.log",
        benchmark:
            f"{RESULTS}/benchmarks/regress.tsv"
        threads: REQUESTS["regress"].cores
        resources:
            **OF_NODES,
            mem_mb=memory_mb("regress"),
            runtime=minutes("regress"),
            gpu=REQUESTS["regress"].gpus,
        shell:
            ON_NODES
            + "{EMULATOR} regress {input.config:q} --maps {PROCESSED}/maps --results {RESULTS} "
            + LOGGED
