# Snapshots to periodic maps: one job a run.
def snapshots(wildcards):
    """The embedded suite is tracked by manifests; existing suites by their files."""
    if EMBEDDED:
        return [f"{RAW}/manifests/{wildcards.run}.json"]
    kinds = ("dmo_snapshot", "hydro_snapshot", "dmo_catalogue", "parameters", "ranges")
    members = RUNS[wildcards.run]
    return [EXPERIMENT.suite.path(kind, RAW, name) for name in members for kind in kinds]


rule project:
    input:
        snapshots,
        config=stage_config("project"),
    output:
        f"{PROCESSED}/manifests/{{run}}.json",
    log:
        f"{RESULTS}/logs/project/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/project/{{run}}.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    shell:
        "{EMULATOR} project {input.config} --run {wildcards.run} --raw {RAW}"
        " --maps {PROCESSED}/maps --manifest {output} 2>&1 | tee {log}"
