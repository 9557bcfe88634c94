#!/usr/bin/env bash
# Makes .venv with everything in it, graph-tool included. Safe to run again at any time.
#
#     envs/setup.sh           the tested versions: envs/torch.txt, then envs/lock.txt by its hashes
#     envs/setup.sh oldest    .venv-oldest, the lowest versions that pyproject.toml allows
#     envs/setup.sh newest    .venv-newest, the highest ones; both need .venv, and no hash is checked
#
# graph-tool is not on the Python index, so the distribution's package is linked into .venv, which
# therefore has the Python that this package is built for. (--system-site-packages would show all
# of the system's packages, and one of them breaks graph_tool.all.)
#
# Which build of torch: the one for CPUs where there is no NVIDIA GPU (2.0 GB instead of 6 GB in
# .venv), else the index's default with CUDA. Whoever points pip at wheels of their own
# (PIP_FIND_LINKS, pip's configuration) or sets UV_TORCH_BACKEND decides it themselves.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly SET=${1:-tested}
case "$SET" in
    tested) VENV=.venv ;;
    oldest | newest) VENV=.venv-$SET ;;
    *)
        printf 'setup: no such set: %s; allowed: tested, oldest, newest\n' "$SET" >&2
        exit 1
        ;;
esac
readonly VENV
readonly STAMP="$VENV/.setup-complete"
readonly APT_PACKAGES=(python3-graph-tool python3-cairo python3-venv)

say() { printf 'setup: %s\n' "$*"; }

die() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

# -I: neither the user's packages nor PYTHONPATH count
has_graph_tool() { "$1" -I -c 'import graph_tool, cairo' 2>/dev/null; }
can_make_venv() { "$1" -I -c 'import ensurepip, venv' 2>/dev/null; }

# Sets BASE_PYTHON to the first Python with graph-tool that can make environments.
find_base_python() {
    local python
    for python in ${CONDA_PREFIX:+"$CONDA_PREFIX/bin/python"} /usr/bin/python3 /usr/bin/python3.[0-9]*; do
        case "$python" in *-config) continue ;; esac
        if [[ -x "$python" ]] && has_graph_tool "$python" && can_make_venv "$python"; then
            BASE_PYTHON=$python
            return 0
        fi
    done
    return 1
}

install_system_packages() {
    local as_root=()
    command -v apt-get >/dev/null ||
        die "graph-tool is missing; install your distribution's graph-tool, pycairo and venv for its Python 3, or use conda: envs/graphprune.yaml"
    if [[ $(id -u) -ne 0 ]]; then
        sudo -n true 2>/dev/null ||
            die "graph-tool is missing; run this, then make again: sudo apt-get install --no-install-recommends ${APT_PACKAGES[*]}"
        as_root=(sudo -n)
    fi
    as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
    say "installing ${APT_PACKAGES[*]}"
    # the lists of a fresh container are empty, those of an old one name files that are gone
    "${as_root[@]}" install -y --no-install-recommends "${APT_PACKAGES[@]}" >/dev/null 2>&1 ||
        { "${as_root[@]}" update &&
            "${as_root[@]}" install -y --no-install-recommends "${APT_PACKAGES[@]}" >/dev/null; } ||
        die "apt-get could not install ${APT_PACKAGES[*]}; install them by hand, then make again"
}

python_version() { "$1" -I -c 'import sys; print(*sys.version_info[:2], sep=".")' 2>/dev/null; }

# A half-made environment, or one of another Python, is made anew.
make_venv() {
    if [[ -e $VENV ]]; then
        if "$VENV/bin/python" -I -m pip --version >/dev/null 2>&1 &&
            [[ $(python_version "$VENV/bin/python") == $(python_version "$BASE_PYTHON") ]]; then
            return
        fi
        say "$VENV is incomplete or of another Python; making it anew"
        rm -rf "$VENV"
    fi
    "$BASE_PYTHON" -I -m venv "$VENV"
}

# pip_setting NAME: pip's own answer (environment, pip.conf), on one line; empty if not set.
pip_setting() {
    local variable="PIP_${1^^}" section value
    variable=${variable//-/_}
    if [[ -n ${!variable:-} ]]; then
        tr -s '[:space:]' ' ' <<<"${!variable}"
        return
    fi
    for section in install global; do
        if value=$("$VENV/bin/python" -m pip config get "$section.$1" 2>/dev/null); then
            tr -s '[:space:]' ' ' <<<"$value"
            return
        fi
    done
}

trim() { sed 's/^ *//; s/ *$//' <<<"$1"; }

# uv does not read pip's configuration. What the user has set for uv itself stays.
forward_pip_configuration() {
    local index extra links cert
    index=$(trim "$(pip_setting index-url)")
    extra=$(trim "$(pip_setting extra-index-url)")
    links=$(trim "$(pip_setting find-links)")
    cert=$(trim "$(pip_setting cert)")
    if [[ -n $index ]]; then export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"; fi
    if [[ -n $extra ]]; then
        export UV_INDEX="${UV_INDEX:-$extra}"
        # as pip does: the best version of all indexes, not of the first that has the name
        export UV_INDEX_STRATEGY="${UV_INDEX_STRATEGY:-unsafe-best-match}"
    fi
    if [[ -n $links ]]; then export UV_FIND_LINKS="${UV_FIND_LINKS:-${links// /,}}"; fi
    if [[ -n $cert ]]; then export SSL_CERT_FILE="${SSL_CERT_FILE:-$cert}"; fi
}

has_gpu() { command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q '^GPU '; }

# Sets INSTALL, what all calls of the installer begin with. uv comes by its hash as well.
find_installer() {
    INSTALL=("$VENV/bin/python" -m pip install -qq)
    local uv=.venv/bin/uv
    if [[ $SET == tested ]]; then
        if ! "${INSTALL[@]}" --require-hashes --no-deps -r <(locked uv); then
            say "uv cannot be had; installing with pip, which takes longer"
            return
        fi
    fi
    [[ -x $uv ]] || die "$uv is missing; run make setup first"
    forward_pip_configuration
    # compiled once here instead of in every job where PYTHONDONTWRITEBYTECODE is set
    INSTALL=("$uv" pip install --quiet --compile-bytecode --python "$VENV/bin/python")
    # what builds a package that comes as source only
    if [[ $SET == tested ]]; then INSTALL+=(--build-constraints envs/lock.txt); fi
}

# locked NAME: the package's entry in the lock.
locked() { awk -v entry="$1==" '/^[^ #]/ { on = index($0, entry) == 1 } on' envs/lock.txt; }

# install_with_torch ARGUMENTS...: with the build of torch for this machine.
install_with_torch() {
    if [[ ${INSTALL[0]} == *uv && -z ${UV_TORCH_BACKEND:-} && -z ${UV_FIND_LINKS:-} && -z ${NONE_FOR_CPUS:-} ]] && ! has_gpu; then
        if UV_TORCH_BACKEND=cpu "${INSTALL[@]}" "$@" 2>/dev/null; then return; fi
        say "no torch built for CPUs to be had; taking the index's default"
        NONE_FOR_CPUS=1
    fi
    "${INSTALL[@]}" "$@"
}

# torch is outside the lock, for its builds differ; all that is the same for all of them is in it.
# The last step installs this package, and what a build for CUDA needs besides.
install_packages() {
    find_installer
    case "$SET" in
        tested)
            install_with_torch --no-deps -r envs/torch.txt
            "${INSTALL[@]}" --no-deps --require-hashes -r envs/lock.txt
            install_with_torch --no-build-isolation -c envs/torch.txt -e '.[dev]'
            ;;
        oldest) install_with_torch --upgrade --resolution lowest-direct -e '.[dev]' ;;
        newest) install_with_torch --upgrade --resolution highest -e '.[dev]' ;;
    esac
}

link_graph_tool() {
    local site package source
    site=$("$VENV/bin/python" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    for package in graph_tool cairo; do
        source=$("$BASE_PYTHON" -I -c "import $package; print($package.__path__[0])")
        ln -sfn "$source" "$site/$package"
    done
}

check_imports() {
    "$VENV/bin/python" - <<'PYTHON' || die "the environment is made, but does not work; see the error above"
import cairo, numpy, torch
from graph_tool.generation import lattice
from graphprune.torchvision_import import torchvision

torchvision("datasets")
assert lattice([2, 2]).num_edges() == 4
torch.ones(1).numpy()
PYTHON
}

compile() {
    say "compiling the numerical kernels"
    "$VENV/bin/python" -m compileall -q graphprune workflow/scripts
    "$VENV/bin/python" -m graphprune.precompile regular_graphs probmask compaction &
    "$VENV/bin/python" -m graphprune.precompile curvature || die "the kernels do not compile; see the error above"
    wait $! || die "the kernels do not compile; see the error above"
}

if ! find_base_python; then
    install_system_packages
    find_base_python || die "graph-tool is installed, but no system Python imports it together with cairo and venv"
fi
rm -f "$STAMP"
make_venv
version=$(python_version "$VENV/bin/python")
say "installing the packages into $VENV (Python $version)"
case "$version" in
    3.11 | 3.12) ;;
    *) say "numpy 1 has no wheel for Python $version and is compiled; envs/graphprune.yaml (conda) needs no compiler" ;;
esac
install_packages
link_graph_tool
check_imports
# the tests compile what they need
if [[ $SET == tested ]]; then compile; fi
touch "$STAMP"
say "done"
