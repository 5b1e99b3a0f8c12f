#!/usr/bin/env bash
# Runs the best-of-n workload on a llama.cpp and prints its JSON.
#
#   llamacpp.sh --llama-cpp DIR [--build DIR] --model FILE.gguf [driver options]
#
# DIR is a llama.cpp checkout with a finished CMake build, or an install prefix. Driver options: -n, --prompt-tokens,
# --new-tokens, --prefill-tokens, --threads, --runs N, --no-sampled; --flash on|off and --kv unified|split fix a setting
# that is otherwise chosen by pilot runs.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

source_dir= build_dir=
options=()
while [ $# -gt 0 ]; do
  case $1 in
    --llama-cpp) source_dir=${2:?--llama-cpp needs a folder}; shift 2 ;;
    --build) build_dir=${2:?--build needs a folder}; shift 2 ;;
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) options+=("$1"); shift ;;
  esac
done
[ -n "$source_dir" ] || fail "--llama-cpp DIR is needed: a llama.cpp checkout with a finished build"
driver=$(build_driver "$source_dir" "$build_dir")
exec "$driver" "${options[@]}"
