# Shared by the scripts of this folder: where results go, and the two programs built on demand.

peers_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$peers_dir/../.." && pwd)
work=${FARM_PEERS_DIR:-$repository/artifacts/peers}
mkdir -p "$work"

fail() {
  echo "$(basename "$0"): $*" >&2
  exit 2
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
