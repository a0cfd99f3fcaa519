# What windows alone do not show, for the report: whole held-out boxes, conditions that are changed on
# purpose, and what splits share. Beside the ensembles, and drawn as they are.
rule audit:
    input:
        expand(f"{RESULTS}/model/seed_{{seed}}/weights.safetensors", seed=SEEDS),
        FOUND,
        CALIBRATED,
        f"{RESULTS}/splits.json",
        expand(f"{PROCESSED}/manifests/{{block}}.json", block=BLOCKS),
        models=expand(f"{RESULTS}/model/seed_{{seed}}/model.json", seed=SEEDS),
        config=stage_config("audit"),
    output:
        f"{RESULTS}/audits.nc",
    log:
        f"{RESULTS}/logs/audit.log",
    benchmark:
        f"{RESULTS}/benchmarks/audit.tsv"
    threads: REQUESTS["audit"].cores
    resources:
        mem_mb=memory_mb("audit"),
        runtime=minutes("audit"),
        gpu=REQUESTS["audit"].gpus,
    params:
        models=lambda wildcards, input: flags("--model", [Path(p).parent for p in input.models]),
    shell:
        "{EMULATOR} audit {input.config:q} {params.models} --raw {RAW:q} --maps {PROCESSED}/maps"
        " --results {RESULTS} " + LOGGED
