#!/usr/bin/env bash
# Fuzzes each target for so many seconds: tests/fuzz/run.sh 3600 [TARGET...]
# Needs cargo-fuzz and a nightly compiler. FUZZ_TARGET_DIR is where it builds. New inputs stay in corpus/TARGET (git
# shows them; `cargo fuzz cmin` makes them few), what fails lies in artifacts/TARGET, and the last line says how it went.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=$1
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(config policies dumps manifests words archives requests)
built=${FUZZ_TARGET_DIR:-tests/fuzz/target}
fuzz() { cargo +nightly fuzz "$1" --sanitizer none --fuzz-dir tests/fuzz --target-dir "$built" "${@:2}"; }
status=0
for target in "${targets[@]}"; do
  work=$(mktemp -d)
  # The first folder takes what is new; the committed corpus stays small.
  seeds=(tests/fuzz/corpus/"$target")
  # The configs of the core tests are its corpus.
  [ "$target" = config ] && seeds=(tests/core/config/valid tests/core/config/invalid tests/core/plan/project config)
  options=(-max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -max_len=20000 -print_final_stats=1)
  [ -e tests/fuzz/"$target".dict ] && options+=(-dict=tests/fuzz/"$target".dict)
  if fuzz run "$target" "$work" "${seeds[@]}" -- "${options[@]}" >"$work.log" 2>&1; then
    result=clean
  else
    result=FAILED status=1
  fi
  echo "$target: $result, $(grep -oP 'number_of_executed_units: \K\d+' "$work.log" || echo '?') inputs in $seconds s, \
$(grep -oP 'peak_rss_mb: \K\d+' "$work.log" || echo '?') MB, $(grep -oP 'cov: \K\d+' "$work.log" | tail -1) edges; new inputs in $work, log in $work.log"
done
exit $status
