#!/usr/bin/env bash
# A real Slurm on this machine, for tests: no systemd, no cgroups, no accounting.
#
#   slurm_node.sh install | start | stop [--force] | status      (idempotent; needs root)
#
# Debian's slurm-wlm and munge. State and logs lie below $SLURM_TEST_ROOT (default
# /var/tmp/emulator-slurm), the configuration in /etc/slurm (jobs of Snakemake drop SLURM_CONF, so it
# cannot lie elsewhere). Where /etc/slurm holds a configuration that is not ours, nothing is done.
# SLURM_TEST_NODES (default 2) nodes share the machine's cores; SLURM_TEST_GPUS (default 2) GPUs a
# node exist in name only; partitions are cpu and gpu. Memory and CPU limits are not enforced.
set -euo pipefail

ROOT=${SLURM_TEST_ROOT:-/var/tmp/emulator-slurm}
NODES=${SLURM_TEST_NODES:-2}
GPUS=${SLURM_TEST_GPUS:-2}
PORT=${SLURM_TEST_PORT:-26817}
HOST=$(hostname -s)
CPUS=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc) # nproc would believe them
MEMORY_MB=$(($(awk '/MemTotal/{print $2}' /proc/meminfo) / 1024 * 9 / 10))
CONF=/etc/slurm
MARK="# written by slurm_node.sh, for tests"
unset SLURM_CONF

fail() {
    echo "slurm_node.sh: $*" >&2
    exit 1
}

is_ours() { grep -qsF "$MARK" "$CONF/slurm.conf"; }

need_root() { [ "$(id -u)" = 0 ] || fail "needs root"; }

alive() { [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }

wait_for() { # seconds, command...
    local tries=$(($1 * 10))
    shift
    for ((i = 0; i < tries; i++)); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    return 1
}

install_packages() {
    need_root
    if command -v slurmctld >/dev/null && command -v munged >/dev/null; then return; fi
    command -v apt-get >/dev/null || fail "needs apt-get, or slurm and munge installed"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null
}

write_configuration() {
    mkdir -p "$ROOT"/{state,log,run} "$CONF"
    cat >"$CONF/slurm.conf" <<EOF
$MARK
ClusterName=emulator-test
SlurmctldHost=$HOST(127.0.0.1)
AuthType=auth/munge
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
SlurmctldPort=$PORT
SlurmctldPidFile=$ROOT/run/slurmctld.pid
SlurmdPidFile=$ROOT/run/slurmd-%n.pid
StateSaveLocation=$ROOT/state
SlurmdSpoolDir=$ROOT/spool-%n
SlurmctldLogFile=$ROOT/log/slurmctld.log
SlurmdLogFile=$ROOT/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,bf_interval=2,sched_interval=2,sched_min_interval=0
ReturnToService=2
SlurmdTimeout=30
SlurmctldTimeout=30
KillWait=20
InactiveLimit=0
MinJobAge=3600
PropagateResourceLimits=NONE
GresTypes=gpu
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$ROOT/log/jobs.txt
EOF
    echo "$MARK" >"$CONF/gres.conf"
    for ((n = 1; n <= NODES; n++)); do
        mkdir -p "$ROOT/spool-node$n"
        echo "NodeName=node$n NodeHostname=$HOST NodeAddr=127.0.0.1 Port=$((PORT + n))" \
            "CPUs=$CPUS Boards=1 SocketsPerBoard=1 CoresPerSocket=$CPUS ThreadsPerCore=1" \
            "RealMemory=$MEMORY_MB Gres=gpu:fake:$GPUS State=UNKNOWN" >>"$CONF/slurm.conf"
        for ((i = 0; i < GPUS; i++)); do # a device file that exists, so that Slurm counts it
            [ -e "$ROOT/gpu$i" ] || mknod "$ROOT/gpu$i" c 1 3
            echo "NodeName=node$n Name=gpu Type=fake File=$ROOT/gpu$i" >>"$CONF/gres.conf"
        done
    done
    for name in cpu gpu; do
        echo "PartitionName=$name Nodes=node[1-$NODES] MaxTime=1-00:00:00 DefMemPerCPU=500" \
            "OverSubscribe=NO State=UP Default=$([ $name = cpu ] && echo YES || echo NO)" \
            >>"$CONF/slurm.conf"
    done
    printf '%s\nCgroupAutomount=no\n' "$MARK" >"$CONF/cgroup.conf"
}

start_munge() {
    if munge -n 2>/dev/null | unmunge >/dev/null 2>&1; then return; fi
    install -d -o munge -g munge -m 755 /run/munge
    install -d -o munge -g munge -m 700 /var/log/munge /var/lib/munge
    [ -s /etc/munge/munge.key ] || mungekey --create
    chown munge:munge /etc/munge/munge.key
    chmod 400 /etc/munge/munge.key
    runuser -u munge -- munged --pid-file=/run/munge/munged.pid
    touch "$ROOT/run/munged.ours"
    wait_for 5 sh -c 'munge -n | unmunge' || fail "munge does not answer"
}

is_up() { [ "$(sinfo -h -N -p cpu -t idle,mixed,allocated -o %N 2>/dev/null | wc -l)" = "$NODES" ]; }

start() {
    install_packages
    [ ! -e "$CONF/slurm.conf" ] || is_ours || fail "$CONF/slurm.conf belongs to another cluster"
    if alive "$ROOT/run/slurmctld.pid" && is_up; then
        echo "already up"
        return
    fi
    write_configuration
    start_munge
    alive "$ROOT/run/slurmctld.pid" || slurmctld
    for ((n = 1; n <= NODES; n++)); do
        alive "$ROOT/run/slurmd-node$n.pid" || slurmd -N "node$n"
    done
    wait_for 30 is_up || {
        tail -20 "$ROOT"/log/*.log >&2
        fail "Slurm did not come up"
    }
    sinfo
}

stop() {
    need_root
    is_ours || fail "no cluster of this script is configured"
    if [ "${1:-}" != --force ] && [ -n "$(squeue -h 2>/dev/null)" ]; then
        squeue >&2
        fail "jobs are queued or running: wait, cancel your own, or stop --force"
    fi
    for file in "$ROOT"/run/slurmd-*.pid "$ROOT"/run/slurmctld.pid; do
        if alive "$file"; then
            pid=$(cat "$file")
            kill "$pid"
            wait_for 10 sh -c "! kill -0 $pid" || kill -9 "$pid"
        fi
    done
    if [ -e "$ROOT/run/munged.ours" ] && alive /run/munge/munged.pid; then
        kill "$(cat /run/munge/munged.pid)"
    fi
    rm -rf "$ROOT" "$CONF"/{slurm,gres,cgroup}.conf
}

status() {
    scontrol ping
    sinfo -N -l
    squeue
}

case "${1:-}" in
install) install_packages ;;
start) start ;;
stop) stop "${2:-}" ;;
status) status ;;
*) fail "usage: slurm_node.sh install | start | stop [--force] | status" ;;
esac
