# Statistics of the training split, and training. The resume state is not an output: Snakemake
# deletes the outputs of a failed job, and the state must outlive it.
rule fit:
    input:
        expand(f"{PROCESSED}/manifests/{{run}}.json", run=RUNS),
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
        mem_mb=4000,
        runtime=60,
    shell:
        "{EMULATOR} fit {input.config} --maps {PROCESSED}/maps --results {RESULTS} 2>&1 | tee {log}"


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
    threads: 8
    resources:
        mem_mb=16000,
        runtime=1440,
        gpu=1,
    shell:
        "{EMULATOR} train {input.config} --seed {wildcards.seed} --maps {PROCESSED}/maps"
        " --results {RESULTS} 2>&1 | tee {log}"
