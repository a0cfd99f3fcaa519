# Ensembles: one job a block of held-out simulations. The files themselves are not outputs: they
# outlive a failed job, and more members or another seed are added to them.
rule sample:
    input:
        expand(f"{RESULTS}/model/seed_{{seed}}/weights.safetensors", seed=SEEDS),
        FOUND,
        CALIBRATED,
        f"{RESULTS}/splits.json",
        lambda wildcards: sorted(
            {f"{PROCESSED}/manifests/{block_of(s)}.json" for s in ENSEMBLES[wildcards.ensembles]}
        ),
        models=expand(f"{RESULTS}/model/seed_{{seed}}/model.json", seed=SEEDS),
        config=stage_config("sample"),
    output:
        f"{RESULTS}/manifests/{{ensembles}}.json",
    log:
        f"{RESULTS}/logs/sample/{{ensembles}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/sample/{{ensembles}}.tsv"
    threads: REQUESTS["sample"].cores
    resources:
        mem_mb=memory_mb("sample"),
        runtime=minutes("sample"),
        gpu=REQUESTS["sample"].gpus,
    params:
        models=lambda wildcards, input: flags("--model", [Path(p).parent for p in input.models]),
        simulations=lambda wildcards: flags("--simulation", ENSEMBLES[wildcards.ensembles]),
    shell:
        "{EMULATOR} sample {input.config:q} {params.simulations} {params.models} --raw {RAW:q}"
        " --maps {PROCESSED}/maps --results {RESULTS} --manifest {output:q} " + LOGGED
