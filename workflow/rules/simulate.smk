# The embedded suite: one job a block of runs (a run: an N-body simulation, all its hydro outcomes).
if SUITE.is_simulated:

    rule simulate:
        input:
            config=stage_config("simulate"),
        output:
            f"{RAW}/manifests/{{block}}.json",
        log:
            f"{RESULTS}/logs/simulate/{{block}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/simulate/{{block}}.tsv"
        threads: 1
        resources:
            mem_mb=memory_mb("simulate"),
            runtime=minutes("simulate"),
        params:
            runs=lambda wildcards: flags("--run", BLOCKS[wildcards.block]),
        shell:
            "{EMULATOR} simulate {input.config:q} {params.runs} --raw {RAW:q}"
            " --manifest {output:q} " + LOGGED
