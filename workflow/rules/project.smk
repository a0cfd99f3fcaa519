# Snapshots, ready maps or ready windows to maps files: one job a run.
def sources(wildcards):
    """The embedded suite is tracked by manifests; existing suites by their files."""
    if EMBEDDED:
        return [f"{RAW}/manifests/{wildcards.run}.json"]
    return [
        first_chunk(path)
        for name in RUNS[wildcards.run]
        for path in EXPERIMENT.suite.inputs(RAW, name)
    ]


rule project:
    input:
        sources,
        config=stage_config("project"),
    output:
        f"{PROCESSED}/manifests/{{run}}.json",
    log:
        f"{RESULTS}/logs/project/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/project/{{run}}.tsv"
    # snapshots of other suites are large; maps and windows that are ready need no sharing out
    threads: 2 if EXPERIMENT.suite.kind == "files" else 1
    resources:
        mem_mb=4000,
        runtime=60,
    shell:
        "{EMULATOR} project {input.config} --run {wildcards.run} --raw {RAW}"
        " --maps {PROCESSED}/maps --manifest {output} --workers {threads} 2>&1 | tee {log}"
