#!/usr/bin/env bash
# A throw-away Slurm of two nodes on this machine, for the tests in this folder.
#   slurm.sh install       get Slurm and munge from the distribution if they are missing
#   slurm.sh start DIR     DIR (short, new): state, logs, sockets
#   slurm.sh crash NODE    kill everything on node n1 or n2 at once, as a power cut would
#   slurm.sh boot DIR NODE start a crashed node again
#   slurm.sh stop DIR      end all of it; leaves nothing running and nothing but DIR's files
# Needs root: every node is a network namespace of its own, so that it can be crashed. It has its own
# ports and munge, but the configuration has to lie where Slurm looks for it, for Snakemake's plugin
# hides SLURM_CONF from its jobs; one that lies there already is put back by stop. Where a controller
# answers, this is somebody's cluster, and nothing is touched.
set -euo pipefail

readonly NODES=(n1 n2) CPUS=4 MEMORY=8000
readonly SPACE=graphprune BRIDGE=br-graphprune NET=10.83.41
readonly ETC=/etc/slurm
readonly FILES=(slurm.conf gres.conf)
readonly PACKAGES=(slurmctld slurmd slurm-client munge iproute2)

die() {
    printf 'slurm.sh: %s\n' "$*" >&2
    exit 1
}

has_slurm() {
    local program
    for program in slurmctld slurmd munged sbatch squeue scancel ip nsenter; do
        command -v "$program" >/dev/null || return 1
    done
}

install() {
    [[ $(id -u) -eq 0 ]] || die "the cluster tests need root, for network namespaces"
    if ! has_slurm; then get_slurm; fi
    ip netns add "$SPACE-probe" || die "this machine lets nobody make network namespaces"
    ip netns del "$SPACE-probe"
}

get_slurm() {
    command -v apt-get >/dev/null || die "Slurm is missing and there is no apt-get; install: ${PACKAGES[*]}"
    local get=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
    local args=(install -y --no-install-recommends "${PACKAGES[@]}")
    "${get[@]}" "${args[@]}" >/dev/null 2>&1 ||
        { "${get[@]}" update && "${get[@]}" "${args[@]}"; } >/dev/null 2>&1 ||
        die "apt-get could not install ${PACKAGES[*]}"
    has_slurm || die "installed ${PACKAGES[*]}, but a program is still missing"
}

configuration() {
    local dir=$1 at
    cat <<CONF
ClusterName=graphprune
SlurmctldHost=$(hostname -s)($NET.1)
SlurmctldPort=16817
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
# what a job holds is summed up every second; more than it asked for ends it
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_min_interval=0,bf_interval=2
SlurmdParameters=config_overrides
GresTypes=gpu
ReturnToService=2
SlurmdTimeout=10
KillWait=2
MinJobAge=3600
MailProg=/bin/true
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool-%n
SlurmctldPidFile=$dir/pid/slurmctld
SlurmdPidFile=$dir/pid/slurmd-%n
SlurmctldLogFile=$dir/log/slurmctld
SlurmdLogFile=$dir/log/slurmd-%n
# the least loaded node first, so that both have work
PartitionName=main Nodes=ALL Default=YES LLN=YES MaxTime=240 State=UP
CONF
    for at in "${!NODES[@]}"; do
        echo "NodeName=${NODES[at]} NodeHostname=$(hostname -s) NodeAddr=$NET.$((11 + at))" \
            "Port=$((17101 + at)) CPUs=$CPUS RealMemory=$MEMORY Gres=gpu:1"
    done
}

start_munge() {
    local dir=$1/munge
    mkdir -m 755 "$dir"
    (umask 077 && head -c 1024 /dev/urandom >"$dir/key")
    # --force: it would rather not have its socket below /tmp
    munged --force --key-file="$dir/key" --socket="$dir/socket" --pid-file="$1/pid/munged" \
        --log-file="$1/log/munged" --seed-file="$dir/seed" 2>>"$1/log/munged"
}

start_node() {
    local dir=$1 node=$2
    mkdir -p "$dir/spool-$node"
    # not "ip netns exec": it would hide the control groups, and slurmd ends without them
    nsenter --net="/run/netns/$SPACE-$node" slurmd -N "$node"
}

idle_nodes() { sinfo --noheader -N --format=%t 2>/dev/null | grep -cx idle || true; }

await_nodes() {
    for _ in $(seq 150); do
        [[ $(idle_nodes) -eq $1 ]] && return
        sleep 0.2
    done
    tail -n 20 "$2"/log/* >&2
    die "not every node came up within 30 s"
}

start() {
    local dir=$1 at node file
    if [[ -e $ETC/slurm.conf ]] && timeout 5 scontrol ping 2>/dev/null | grep -q "is UP"; then
        die "this machine belongs to a running Slurm cluster ($ETC); the tests need one without"
    fi
    stop "$dir"
    mkdir -p "$dir"/{state,log,pid,before} "$ETC"
    touch "$dir/owns-conf"
    for file in "${FILES[@]}"; do
        if [[ -e $ETC/$file ]]; then mv "$ETC/$file" "$dir/before"; fi
    done
    configuration "$dir" >"$ETC/slurm.conf"
    # a GPU is a device file; this one only counts
    echo "Name=gpu File=/dev/null" >"$ETC/gres.conf"
    ip link add "$BRIDGE" type bridge
    ip addr add "$NET.1/24" dev "$BRIDGE"
    ip link set "$BRIDGE" up
    start_munge "$dir"
    slurmctld
    for at in "${!NODES[@]}"; do
        node=${NODES[at]}
        ip netns add "$SPACE-$node"
        ip link add "ve-$node" type veth peer name eth0 netns "$SPACE-$node"
        ip link set "ve-$node" master "$BRIDGE" up
        ip -n "$SPACE-$node" addr add "$NET.$((11 + at))/24" dev eth0
        ip -n "$SPACE-$node" link set eth0 up
        ip -n "$SPACE-$node" link set lo up
        start_node "$dir" "$node"
    done
    await_nodes "${#NODES[@]}" "$dir"
}

crash() { ip netns pids "$SPACE-$1" | xargs -r kill -9; }

# what the pid files name, and nothing else; then the namespaces with what is left in them
stop() {
    local dir=$1 file pid node
    for file in "$dir"/pid/slurmctld "$dir"/pid/slurmd-* "$dir"/pid/munged; do
        [[ -e $file ]] || continue
        pid=$(<"$file")
        case $(cat "/proc/$pid/comm" 2>/dev/null) in
        slurm* | munged)
            kill "$pid"
            timeout 10 tail --pid="$pid" -f /dev/null || kill -9 "$pid"
            ;;
        esac
        rm -f "$file"
    done
    for node in "${NODES[@]}"; do
        [[ -e /run/netns/$SPACE-$node ]] || continue
        crash "$node"
        ip link del "ve-$node" 2>/dev/null || true
        ip netns del "$SPACE-$node"
    done
    ip link del "$BRIDGE" 2>/dev/null || true
    if [[ -e $dir/owns-conf ]]; then
        for file in "${FILES[@]}"; do
            rm -f "$ETC/$file"
            if [[ -e $dir/before/$file ]]; then mv "$dir/before/$file" "$ETC"; fi
        done
        rm -f "$dir/owns-conf"
    fi
}

case ${1:-} in
install) install ;;
start) start "$2" ;;
crash) crash "$2" ;;
boot) start_node "$2" "$3" ;;
stop) stop "$2" ;;
*) die "usage: slurm.sh install | start DIR | crash NODE | boot DIR NODE | stop DIR" ;;
esac
