# From HDF5 simulations to a validated report. This file is the table of contents;
# each stage is one file in workflow/rules/. What is run is in configs/, where it is run in profiles.
from snakemake.utils import min_version

min_version("9.0")


if "name" not in config:

    configfile: f"{workflow.basedir}/configs/demo.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/project.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/tune.smk"
include: "workflow/rules/calibrate.smk"
include: "workflow/rules/sample.smk"
include: "workflow/rules/audit.smk"
include: "workflow/rules/validate.smk"
include: "workflow/rules/paint.smk"


rule all:
    default_target: True
    input:
        f"{RESULTS}/report.html",
        # named, so that one which is lost after the report is made again
        f"{RESULTS}/normalisation.json",
        f"{RESULTS}/splits.json",
        expand(
            f"{RESULTS}/model/seed_{{seed}}/{{file}}",
            seed=SEEDS,
            file=BUNDLE,
        ),
        FOUND,
        CALIBRATED,
        REGRESSION,
        expand(f"{PROCESSED}/manifests/{{block}}.json", block=BLOCKS),
        expand(f"{RESULTS}/manifests/{{ensembles}}.json", ensembles=ENSEMBLES),
        VERDICTS,
        f"{RESULTS}/metrics.nc",
        f"{RESULTS}/audits.nc",
        f"{RESULTS}/acceptance.json",
