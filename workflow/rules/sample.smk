# Ensembles: one job a held-out simulation. The file itself is not an output: it outlives a failed
# job, and more members or another seed are added to it.
rule sample:
    input:
        expand(f"{RESULTS}/model/seed_{{seed}}/weights.safetensors", seed=SEEDS),
        f"{RESULTS}/splits.json",
        lambda wildcards: f"{PROCESSED}/manifests/{run_of(wildcards.simulation)}.json",
        models=expand(f"{RESULTS}/model/seed_{{seed}}/model.json", seed=SEEDS),
        config=stage_config("sample"),
    output:
        f"{RESULTS}/manifests/{{simulation}}.json",
    log:
        f"{RESULTS}/logs/sample/{{simulation}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/sample/{{simulation}}.tsv"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=120,
        gpu=1,
    params:
        models=lambda wildcards, input: [f"--model {Path(path).parent}" for path in input.models],
    shell:
        "{EMULATOR} sample {input.config} --simulation {wildcards.simulation} {params.models}"
        " --maps {PROCESSED}/maps --results {RESULTS} --manifest {output} 2>&1 | tee {log}"
