#!/usr/bin/env bash
# Converts a checkpoint folder to GGUF, or writes random weights of a named shape.
#
#   make-gguf.sh --model DIR --type f32|f16|bf16|q8_0 --output FILE.gguf
#   make-gguf.sh --random tinyllama|small --type TYPE --output FILE.gguf
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

case ${1:-} in
  "" | -h | --help) sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
esac
program=$(build_make_gguf)
exec "$program" "$@"
