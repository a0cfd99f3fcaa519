# The embedded suite: one job a run (one N-body simulation with all its hydro outcomes).
if EMBEDDED:

    rule simulate:
        input:
            config=stage_config("simulate"),
        output:
            f"{RAW}/manifests/{{run}}.json",
        log:
            f"{RESULTS}/logs/simulate/{{run}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/simulate/{{run}}.tsv"
        threads: 1
        resources:
            mem_mb=2000,
            runtime=30,
        shell:
            "{EMULATOR} simulate {input.config} --run {wildcards.run} --raw {RAW}"
            " --manifest {output} 2>&1 | tee {log}"
