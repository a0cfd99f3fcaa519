# Snapshots, ready maps or ready windows to maps files: one job a block of runs.
def sources(wildcards):
    """The embedded suite is tracked by manifests; existing suites by their files."""
    if SUITE.is_simulated:
        return [f"{RAW}/manifests/{wildcards.block}.json"]
    return [
        path
        for run in BLOCKS[wildcards.block]
        for name in RUNS[run]
        for path in SUITE.sources(EXPERIMENT.data, name)
    ]


rule project:
    input:
        sources,
        config=stage_config("project"),
    output:
        f"{PROCESSED}/manifests/{{block}}.json",
    log:
        f"{RESULTS}/logs/project/{{block}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/project/{{block}}.tsv"
    threads: REQUESTS["project"].cores
    resources:
        mem_mb=memory_mb("project"),
        runtime=minutes("project"),
    params:
        runs=lambda wildcards: flags("--run", BLOCKS[wildcards.block]),
    shell:
        "{EMULATOR} project {input.config:q} {params.runs} --raw {RAW:q}"
        " --maps {PROCESSED}/maps --manifest {output:q} --workers {threads} " + LOGGED
