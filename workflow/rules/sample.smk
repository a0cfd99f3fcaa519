# Ensembles: one job a held-out simulation.
rule sample:
    input:
        f"{RESULTS}/model/model.json",
        f"{RESULTS}/model/weights.safetensors",
        f"{RESULTS}/splits.json",
        lambda wildcards: f"{PROCESSED}/manifests/{run_of(wildcards.simulation)}.json",
        config=stage_config("sample"),
    output:
        f"{RESULTS}/ensembles/test/{{simulation}}.nc",
    log:
        f"{RESULTS}/logs/sample/{{simulation}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/sample/{{simulation}}.tsv"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=120,
        gpu=1,
    shell:
        "{EMULATOR} sample {input.config} --simulation {wildcards.simulation}"
        " --maps {PROCESSED}/maps --results {RESULTS} 2>&1 | tee {log}"
