"""The workflow as Slurm jobs on the cluster of slurm_node.sh, in a folder like a checkout."""

import csv
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SITE = [  # what a user would write into the profile for this cluster
    "--slurm-no-account", "--slurm-status-command", "squeue",
    "--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "20",
    "--default-resources", "slurm_partition=cpu", "--set-threads", "train=2",
]  # fmt: skip


class Cluster:
    """What a user does at a terminal: start the driver, look at the queue, cancel."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("workflow", "configs", "emulator", "analysis", "data/parameters"):
            shutil.copytree(ROOT / name, folder / name)
        shutil.copy2(ROOT / "Snakefile", folder / "Snakefile")
        (folder / "slurm").symlink_to("workflow/profiles/slurm")
        self.environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}

    def command(self, *arguments):
        snakemake = Path(sys.executable).with_name("snakemake")
        return [str(snakemake), "--profile", "slurm", "--configfile", "configs/test.yaml", *SITE,
                *arguments]  # fmt: skip

    def start(self, *arguments):
        """The driver, in the background; its output goes to ``driver.log``."""
        with (self.folder / "driver.log").open("w") as log:
            return subprocess.Popen(
                self.command(*arguments), cwd=self.folder, env=self.environment,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def run(self, *arguments):
        """The driver from beginning to end; returns its exit code and output."""
        code = self.start(*arguments).wait(timeout=500)
        return code, self.said()

    def said(self):
        return (self.folder / "driver.log").read_text()

    def emulator(self, *arguments):
        done = subprocess.run(
            [sys.executable, "-m", "emulator", *map(str, arguments)], cwd=self.folder,
            env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def copy_to(self, folder):
        """Another checkout with the results of this one."""
        other = Cluster(folder)
        for name in ("data/raw", "data/processed", "results", ".snakemake"):
            shutil.copytree(self.folder / name, folder / name)
        return other

    def run_locally(self, *arguments):
        """The same on this machine, without the cluster."""
        command = [word for word in self.command(*arguments) if word not in SITE]
        command[2:3] = ["workflow/profiles/local", "--cores", "2"]
        subprocess.run(
            command, cwd=self.folder, env=self.environment, check=True, capture_output=True
        )

    def losses(self):
        (path,) = self.folder.glob("results/test/model/seed_0/history.csv")
        with path.open() as handle:
            return [float(row["train_loss"]) for row in csv.DictReader(handle)]


def jobs():
    """All jobs that the cluster remembers, by number: rule, partition, state and so on."""
    lines = subprocess.run(
        ["scontrol", "show", "job", "--oneliner"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    found = {}
    for line in lines:
        facts = dict(re.findall(r"(\w+)=(\S+)", line))
        rule = re.match(r"rule_([a-z_]+?)(?:_wildcards_(\S+))?$", facts.get("Comment", ""))
        if rule:
            facts["rule"], facts["of"] = rule.groups()
            found[int(facts["JobId"])] = facts
    return found


def wait_for(condition, what, seconds=200):
    """Poll until a condition holds; returns what it returned."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.3)
    return found


def running(rule, since=0):
    """Number of a running job of a rule, or None."""
    for number, facts in jobs().items():
        if number > since and facts["rule"] == rule and facts["JobState"] == "RUNNING":
            return number
    return None
