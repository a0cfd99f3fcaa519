# The size of the noise of each model, if the config asks for it: one job a seed, on the validation
# split, with the solver that was found for it.
if CALIBRATED:

    rule calibrate:
        input:
            f"{RESULTS}/model/seed_{{seed}}/weights.safetensors",
            [f"{RESULTS}/model/seed_{{seed}}/solver.json"] if FOUND else [],
            f"{RESULTS}/splits.json",
            sorted(
                {f"{PROCESSED}/manifests/{block_of(name)}.json" for name in SPLITS["validation"]}
            ),
            model=f"{RESULTS}/model/seed_{{seed}}/model.json",
            config=stage_config("calibrate"),
        output:
            f"{RESULTS}/model/seed_{{seed}}/calibration.json",
        log:
            f"{RESULTS}/logs/calibrate/seed_{{seed}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/calibrate/seed_{{seed}}.tsv"
        threads: REQUESTS["calibrate"].cores
        resources:
            mem_mb=memory_mb("calibrate"),
            runtime=minutes("calibrate"),
            gpu=REQUESTS["calibrate"].gpus,
        params:
            folder=lambda wildcards, input: Path(input.model).parent,
        shell:
            "{EMULATOR} calibrate {input.config:q} --model {params.folder:q} --maps {PROCESSED}/maps"
            " --results {RESULTS} " + LOGGED
