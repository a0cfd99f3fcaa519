# Statistics against the truth and against baselines, the acceptance table, and the page.
rule validate:
    input:
        expand(f"{RESULTS}/manifests/{{ensembles}}.json", ensembles=ENSEMBLES),
        REGRESSION,
        f"{RESULTS}/splits.json",
        models=expand(f"{RESULTS}/model/seed_{{seed}}/model.json", seed=SEEDS),
        config=stage_config("validate"),
    output:
        f"{RESULTS}/metrics.nc",
        VERDICTS,
        report(f"{RESULTS}/acceptance.json", caption="../report/acceptance.rst", category="Verdict"),
    log:
        f"{RESULTS}/logs/validate.log",
    benchmark:
        f"{RESULTS}/benchmarks/validate.tsv"
    threads: REQUESTS["validate"].cores
    resources:
        mem_mb=memory_mb("validate"),
        runtime=minutes("validate"),
    params:
        models=lambda wildcards, input: flags("--model", [Path(p).parent for p in input.models]),
    shell:
        "{EMULATOR} validate {input.config:q} {params.models} --maps {PROCESSED}/maps"
        " --results {RESULTS} --workers {threads} " + LOGGED


rule report:
    input:
        expand(f"{RESULTS}/manifests/{{ensembles}}.json", ensembles=ENSEMBLES),  # maps are shown
        f"{RESULTS}/metrics.nc",
        f"{RESULTS}/acceptance.json",
        f"{RESULTS}/audits.nc",
        expand(f"{RESULTS}/model/seed_{{seed}}/model.json", seed=SEEDS),
        FOUND,
        CALIBRATED,
        PREVIOUS_FILES,
        config=stage_config("validate"),
    output:
        report(f"{RESULTS}/report.html", caption="../report/report.rst", category="Report"),
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    threads: 1
    resources:
        mem_mb=memory_mb("report"),
        runtime=minutes("report"),
    params:
        previous=flags("--previous", PREVIOUS),
    shell:
        "{EMULATOR} report {input.config:q} --maps {PROCESSED}/maps --results {RESULTS}"
        " {params.previous} --output {output:q} " + LOGGED


# Asked for by its name: this run and those of report.previous, side by side.
def runs_to_compare_with(wildcards):
    """Files of the earlier runs; refused only where the target is asked for."""
    if not PREVIOUS:
        raise WorkflowError(
            "report.previous: expected folders of results for the target `compare`, got none: name "
            "the earlier runs there"
        )
    return PREVIOUS_FILES


rule compare:
    input:
        runs_to_compare_with,
        f"{RESULTS}/metrics.nc",
        f"{RESULTS}/acceptance.json",
        expand(f"{RESULTS}/model/seed_{{seed}}/model.json", seed=SEEDS),
    output:
        page=f"{RESULTS}/compare.html",
        table=f"{RESULTS}/compare.csv",
    log:
        f"{RESULTS}/logs/compare.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare.tsv"
    threads: 1
    resources:
        mem_mb=memory_mb("report"),
        runtime=minutes("report"),
    params:
        previous=" ".join(map(shlex.quote, PREVIOUS)),
    shell:
        "{EMULATOR} compare {params.previous} {RESULTS} --output {output.page:q}"
        " --csv {output.table:q} " + LOGGED
