# The solver of each model, if the config leaves it open: one job a seed, on the validation split.
# What was measured lies beside the resume states, so that a job which is tried again goes on.
if FOUND:

    rule tune:
        input:
            f"{RESULTS}/model/seed_{{seed}}/weights.safetensors",
            f"{RESULTS}/splits.json",
            sorted(
                {f"{PROCESSED}/manifests/{block_of(name)}.json" for name in SPLITS["validation"]}
            ),
            model=f"{RESULTS}/model/seed_{{seed}}/model.json",
            config=stage_config("tune"),
        output:
            f"{RESULTS}/model/seed_{{seed}}/solver.json",
        log:
            f"{RESULTS}/logs/tune/seed_{{seed}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/tune/seed_{{seed}}.tsv"
        threads: REQUESTS["tune"].cores
        resources:
            mem_mb=memory_mb("tune"),
            runtime=minutes("tune"),
            gpu=REQUESTS["tune"].gpus,
        params:
            folder=lambda wildcards, input: Path(input.model).parent,
        shell:
            "{EMULATOR} tune {input.config:q} --model {params.folder:q} --maps {PROCESSED}/maps"
            " --results {RESULTS} " + LOGGED
