# Shared by the scripts of this folder: where results go, and the two programs built on demand.

peers_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$peers_dir/../.." && pwd)
work=${FARM_PEERS_DIR:-$repository/artifacts/peers}
mkdir -p "$work"

fail() {
  echo "$(basename "$0"): $*" >&2
  exit 2
}

# parse_options "NAME..." ARG...: sets the variable of each --NAME VALUE, its dashes made underscores; a NAME! takes no value and is set to 1. -h prints the
# script's head.
parse_options() {
  local names=" $1 " name
  shift
  while [ $# -gt 0 ]; do
    name=${1#-}
    name=${name#-}
    if [[ $1 == -h || $1 == --help ]]; then
      sed -n '2,${/^#/!q;s/^# \{0,1\}//p}' "$0"
      exit 0
    elif [[ $1 == -* && $names == *" $name! "* ]]; then
      printf -v "${name//-/_}" 1
      shift
    elif [[ $1 == -* && $names == *" $name "* ]]; then
      [ $# -ge 2 ] || fail "no value after $1"
      printf -v "${name//-/_}" %s "$2"
      shift 2
    else
      fail "unknown option $1"
    fi
  done
}

# What the scripts that run two programs in turns need: a number of rounds, and jq for their results.
require_rounds() {
  [[ $rounds =~ ^[1-9][0-9]*$ ]] || fail "--rounds needs a whole number from 1 up"
  command -v jq >/dev/null || fail "jq is needed: apt-get install jq"
}

# require_torch PYTHON
require_torch() {
  "$1" -c 'import torch' 2>/dev/null || fail "$1 has no torch: apt-get install python3-torch, or name another Python with --python"
}

farm() { "$repository/build.sh" farm "$@"; }

# make_model SHAPE: writes random weights of a shape where there are none yet, and prints their folder.
make_model() {
  local checkpoint=$work/models/$1
  if [ ! -e "$checkpoint/config.json" ]; then
    mkdir -p "$work/models"
    farm bench make-model --shape "$1" --output "$checkpoint" >&2
  fi
  echo "$checkpoint"
}

# summarise FILE FILTER [JQ OPTION...]: what the filter makes of all lines of the file; it has median and to(digits).
summarise() {
  local file=$1 filter=$2
  shift 2
  jq -rs "$@" '
    def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
    def to(digits): . * pow(10; digits) | round / pow(10; digits);
    '"$filter" "$file"
}

# first_with FILE DIR...: the first DIR that holds FILE.
first_with() {
  local file=$1 dir
  shift
  for dir in "$@"; do
    if [ -e "$dir/$file" ]; then
      (cd "$dir" && pwd)
      return
    fi
  done
  return 1
}

# Builds make_gguf where its sources are newer, and prints its path.
build_make_gguf() {
  local program=$work/make_gguf
  if [ ! -x "$program" ] || [ -n "$(find "$peers_dir/gguf" -newer "$program" -name '*.[hc]*')" ]; then
    "${CXX:-g++}" -std=c++20 -O3 -march=native "$peers_dir/gguf/make_gguf.cpp" -o "$program" >&2
  fi
  echo "$program"
}

# build_driver SOURCE BUILD: compiles llamacpp_bench against that llama.cpp and prints its path. SOURCE is a checkout or
# an install prefix; BUILD, which may be empty, is the folder of the shared libraries.
build_driver() {
  local source=$1 build=$2 program=$work/llamacpp_bench headers ggml_headers libraries
  [ -d "$source" ] || fail "--llama-cpp: no folder $source"
  headers=$(first_with llama.h "$source/include" "$source") || fail "no include/llama.h in $source"
  ggml_headers=$(first_with ggml-backend.h "$source/ggml/include" "$source/include" "$source") ||
    fail "no ggml-backend.h in $source"
  libraries=$(first_with libllama.so ${build:+"$build" "$build/bin"} "$source"/build*/bin "$source/lib" "$source/bin" "$source") ||
    fail "no libllama.so under ${build:-$source}; build llama.cpp with -DBUILD_SHARED_LIBS=ON, or name its folder with --build"
  grep -q flash_attn_type "$headers/llama.h" || fail "this llama.cpp is too old: its API lacks flash_attn_type (September 2025)"
  local flags=()
  if grep -q 'n_samplers' "$headers/llama.h"; then flags+=(-DHAVE_GRAPH_SAMPLER); fi
  "${CXX:-g++}" -std=c++20 -O2 "${flags[@]}" -I"$headers" -I"$ggml_headers" "$peers_dir/llamacpp_bench.cpp" \
    -L"$libraries" -lllama -lggml -lggml-base -Wl,-rpath,"$libraries" -o "$program" >&2
  echo "$program"
}
