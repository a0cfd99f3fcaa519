# Statistics of the training split, and training. The resume state is not an output: Snakemake
# deletes the outputs of a failed job, and the state must outlive it.
rule fit:
    input:
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
        "{EMULATOR} fit {input.config} --maps {PROCESSED}/maps --results {RESULTS} " + LOGGED


TRAINING = EXPERIMENT.training
GPUS = 0 if TRAINING.accelerator == "cpu" else TRAINING.devices  # of each node
THREADS = max(8, TRAINING.devices * (TRAINING.loader_workers + 1))
# Several nodes: one process on each, which starts those of the node's other devices.
SEVERAL_NODES = (
    f"srun --overlap --nodes={TRAINING.num_nodes} --ntasks={TRAINING.num_nodes}"
    f" --ntasks-per-node=1 --cpus-per-task={{threads}} --mem=0 --gres=gpu:{GPUS} "
)


# one job a seed of training.seeds
rule train:
    input:
        f"{RESULTS}/normalisation.json",
        f"{RESULTS}/splits.json",
        config=stage_config("train"),
    output:
        f"{RESULTS}/model/seed_{{seed}}/model.json",
        f"{RESULTS}/model/seed_{{seed}}/weights.safetensors",
        f"{RESULTS}/model/seed_{{seed}}/history.csv",
    log:
        f"{RESULTS}/logs/train/seed_{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/seed_{{seed}}.tsv"
    threads: THREADS
    resources:
        mem_mb=memory_mb("train"),
        runtime=minutes("train"),
        gpu=GPUS * TRAINING.num_nodes,
        nodes=TRAINING.num_nodes,
    shell:
        (SEVERAL_NODES if TRAINING.num_nodes > 1 else "")
        + "{EMULATOR} train {input.config} --seed {wildcards.seed} --maps {PROCESSED}/maps"
        " --results {RESULTS} " + LOGGED
