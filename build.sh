#!/usr/bin/env bash
# The one entry to the repository; the tasks themselves are in build.cake.
#
#   ./build.sh                 build everything (Release)
#   ./build.sh test            build and run every test; the last line counts them
#   ./build.sh farm ARGS...    run the command line, building first what is stale
#   ./build.sh native          build the CPU kernels, the CUDA kernels and the driver simulator alone
#   ./build.sh kernels         compile and check the CUDA kernels alone
#   ./build.sh ptxsim          build the CUDA driver simulator alone: artifacts/ptxsim/libcuda.so.1
#   ./build.sh bench ARGS...   run the benchmarks
#   ./build.sh roofline ARGS...  the projection to GPUs, from the simulator's counts
#   ./build.sh pack            make a folder and an archive to hand on
#   ./build.sh format          format C# and C++ (--verify: only check)
#   ./build.sh clean           remove everything that was built
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
artifacts=$root/artifacts
farm_dll=$root/src/Farm.Cli/bin/Release/net10.0/farm.dll
farm_stamp=$artifacts/farm.stamp

# Nothing here depends on a culture, and the SDK ends at once without libicu, which a small system lacks, unless it is told so.
export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=${DOTNET_SYSTEM_GLOBALIZATION_INVARIANT:-1}
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1
if [ "${CI:-}" = true ]; then
  export NO_COLOR=1 MSBUILDTERMINALLOGGER=off
fi

say() { printf '%s\n' "$*" >&2; }

die() {
  say "$*"
  exit 1
}

find_dotnet() {
  local candidate
  for candidate in "$(command -v dotnet || true)" "${DOTNET_ROOT:-}/dotnet" "${HOME:-}/.dotnet/dotnet"; do
    if [ -x "$candidate" ]; then
      dotnet=$candidate
      # The tasks call dotnet by name, and dotnet-install.sh does not put it on the path.
      command -v dotnet >/dev/null 2>&1 || export DOTNET_ROOT=${candidate%/*} PATH=${candidate%/*}:$PATH
      return
    fi
  done
  die "The .NET SDK 10 is missing. Install it with:
  curl -sSL https://dot.net/v1/dotnet-install.sh | bash -s -- --channel 10.0"
}

require_sdk() {
  find_dotnet
  "$dotnet" --list-sdks | grep -q '^10\.' || die "$dotnet has no SDK 10. Install it with:
  curl -sSL https://dot.net/v1/dotnet-install.sh | bash -s -- --channel 10.0"
}

# require_tools PROGRAM=PACKAGE...: installs what is missing where that is possible without asking, else prints the line that does it.
require_tools() {
  local pair missing=() log
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null 2>&1 || [[ " ${missing[*]-} " == *" ${pair#*=} "* ]] || missing+=("${pair#*=}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    say "Installing ${missing[*]} with apt-get."
    log=$(mktemp)
    # A package list that cannot be refreshed is no reason not to install: what counts is whether that works.
    apt-get update -qq >"$log" 2>&1 || true
    if DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
      rm -f "$log"
      return 0
    fi
    tail -n 10 "$log" >&2
    rm -f "$log"
    die "apt-get could not install ${missing[*]}; what it said is above."
  fi
  if command -v apt-get >/dev/null 2>&1; then
    die "Missing tools. Install them with:
  sudo apt-get install -y ${missing[*]}"
  fi
  die "Missing tools; install what your system calls: ${missing[*]}"
}

# The CUDA kernels are compiled by clang alone, and the driver simulator is written with its vector extensions; FARM_CLANG names another one, of version 19 or later.
clang_tools=(clang++-19=clang-19)
[ -z "${FARM_CLANG:-}" ] || clang_tools=()

# require_compiler PROGRAM=PACKAGE...: what a build needs, and these besides, asked for at once.
require_compiler() {
  require_sdk
  require_tools g++=g++ cmake=cmake make=make "${clang_tools[@]}" "$@"
}

cake() {
  local target=$1
  shift
  (cd "$root" && "$dotnet" tool restore --verbosity quiet >/dev/null && "$dotnet" cake build.cake --target="$target" "$@")
}

# One line for every file that goes into the command line: path, time, size. Equal lists mean nothing is stale.
farm_inputs() {
  (cd "$root" && find src native kernels Directory.Build.props Directory.Packages.props build.cake \
    \( -name bin -o -name obj \) -prune -o -type f -printf '%p %T@ %s\n' 2>/dev/null | LC_ALL=C sort)
}

build_farm_if_stale() {
  local inputs
  inputs=$(farm_inputs)
  if [ -f "$farm_dll" ] && [ -f "$farm_stamp" ] && [ "$inputs" = "$(<"$farm_stamp")" ]; then
    return 0
  fi
  require_compiler
  mkdir -p "$artifacts"
  if command -v flock >/dev/null 2>&1; then
    exec 9>"$artifacts/farm.lock"
    flock 9
  fi
  # 9>&-: build servers that outlive the build must not keep the lock.
  if ! cake Farm --verbosity=quiet >"$artifacts/farm.log" 2>&1 9>&-; then
    cat "$artifacts/farm.log" >&2
    die "The build failed; what it said is above."
  fi
  printf '%s\n' "$inputs" >"$farm_stamp"
  exec 9>&-
}

command=${1:-build}
[ $# -eq 0 ] || shift
case $command in
  build | native | pack)
    require_compiler
    cake "${command^}" "$@"
    ;;
  kernels)
    require_sdk
    require_tools "${clang_tools[@]}"
    cake Kernels "$@"
    ;;
  ptxsim)
    require_compiler
    cake PtxSim "$@"
    ;;
  test)
    require_compiler node=nodejs npm=npm spm_encode=sentencepiece spm_train=sentencepiece
    summary=$artifacts/test-results/summary.txt
    rm -f "$summary"
    status=0
    cake Test "$@" || status=$?
    [ -f "$summary" ] && cat "$summary"
    exit "$status"
    ;;
  bench)
    require_compiler
    cake Bench -- "$@"
    ;;
  roofline)
    require_compiler
    cake Roofline -- "$@"
    ;;
  format)
    require_sdk
    require_tools clang-format=clang-format
    cake Format "$@"
    ;;
  clean)
    find_dotnet
    rm -rf "$artifacts"
    find "$root/src" "$root/tests" "$root/benchmarks" -type d \( -name bin -o -name obj \) -prune -exec rm -rf {} + 2>/dev/null || true
    ;;
  farm)
    find_dotnet
    build_farm_if_stale
    exec "$dotnet" "$farm_dll" "$@"
    ;;
  -h | --help | help)
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    ;;
  *)
    die "build.sh: unknown command '$command'; ./build.sh help lists them."
    ;;
esac
