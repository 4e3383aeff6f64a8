#!/bin/bash
# opsctl: train on this EC2 instance, then end it. User data of an Amazon Linux 2023 instance, run once, as root.
#
# opsctl replaces each {{name}} by a shell-quoted value:
#   job              name of the training job
#   output           s3:// URI before /<job>; the results go to <output>/<job>/output/
#   code             s3:// URI of sourcedir.tar.gz: the entry script and, if there is one, requirements.txt
#   entry            path of the script inside it
#   channels         one line "name s3://prefix/" or "name s3://file" for each data channel
#   inputs           one line "channel path" for each channel that appears at a path of the script's folder, too
#   outputs          one path of that folder a line: what of it belongs to the model; "name/" is made beforehand
#   hyperparameters  JSON object; a string in it is decoded as SageMaker does ("5" is the number 5)
#   environment      JSON object of strings, for the script
#   python           interpreter and package of Amazon Linux, such as python3.12
#   pass_args        1: hyperparameters are passed as "--name value" too, as in script mode; 0: only as variables
#   region           region of the bucket
#   deadline         seconds until the work is stopped
#
# Results, in this order: model.tar.gz, output.tar.gz (if the script wrote to SM_OUTPUT_DATA_DIR), train.log, and
# last result.json: {"exit_code":0,"message":"","seconds":12}. Who sees result.json finds the others complete.
# Of a script that ended well and left no model it says "missing":"model" too; of one that left not all of its
# outputs, "missing":{"outputs":["PATH"]}: the rest is stored. Of work that was stopped, at the deadline or by a
# signal, "stopped":true: what it had made by then is stored as its model, as SageMaker does.
# While it works, what is new in the log goes to <output>/<job>/log/000000 and so on.
#
# opsctl's sandbox runs this file unchanged, with aws and shutdown replaced on the PATH, and with
#   OPSCTL_ROOT      a folder in the place of /
#   OPSCTL_VENV      a virtual environment to use again
#   OPSCTL_TMP       a short way to a folder for temporary files: sockets have short paths
set -euo pipefail

# shellcheck disable=SC1083  # the braces of the placeholders
{
  JOB={{job}}
  OUTPUT={{output}}
  CODE={{code}}
  ENTRY={{entry}}
  CHANNELS={{channels}}
  INPUTS={{inputs}}
  OUTPUTS={{outputs}}
  HYPERPARAMETERS={{hyperparameters}}
  ENVIRONMENT={{environment}}
  PYTHON={{python}}
  PASS_ARGS={{pass_args}}
  REGION={{region}}
  DEADLINE={{deadline}}
}

ML="${OPSCTL_ROOT:-}/opt/ml"
WORK="${OPSCTL_ROOT:-}/opt/opsctl"
VENV="${OPSCTL_VENV:-$WORK/venv}"
LOG="$WORK/train.log"
STEP="$WORK/step" # what is being done, for the message when it fails
RESULTS="$OUTPUT/$JOB/output"

# Right after boot the instance profile's credentials may not be there yet, hence the attempts.
copy() {
  local attempt
  for attempt in 1 2 3 4 5; do
    aws s3 cp --only-show-errors "$@" && return 0 # in a trap, a bare `return` means the status before the trap
    [[ $attempt == 5 ]] || sleep $((attempt * 3))
  done
  return 1
}

step() {
  echo "$1" >"$STEP"
  echo "opsctl: $1"
}

fail() {
  echo "opsctl: $1" >&2
  exit 1
}

# The same of a script that ended well: what it has not left as JSON, for result.json, and in words.
fail_without() {
  echo "$1" >"$WORK/missing"
  fail "$ENTRY ended well, but $2"
}

# The work, in a process of its own, so that one time limit covers all of it and its log is one file.

fetch() {
  local name uri
  step "fetch the code"
  copy "$CODE" "$WORK/sourcedir.tar.gz"
  tar -xzf "$WORK/sourcedir.tar.gz" --no-same-owner -C "$ML/code"
  [[ -f $ML/code/$ENTRY ]] || fail "$ENTRY is not in $CODE"
  while read -r name uri; do
    [[ -n $name ]] || continue
    step "fetch the data of channel $name"
    mkdir -p "$ML/input/data/$name"
    if [[ $uri == */ ]]; then
      copy --recursive "$uri" "$ML/input/data/$name" </dev/null
    else
      copy "$uri" "$ML/input/data/$name/" </dev/null
    fi
    # An empty prefix is no error to the AWS CLI. SageMaker refuses it, and so do we.
    [[ -n $(ls -A "$ML/input/data/$name") ]] || fail "there is nothing under $uri"
  done <<<"$CHANNELS"
}

# For scripts that read and write relative paths.
lay_out() {
  local name path
  cd "$ML/code"
  while read -r name path; do
    [[ -n $name ]] || continue
    mkdir -p "$(dirname "$path")"
    ln -sT "$ML/input/data/$name" "$path"
  done <<<"$INPUTS"
  while read -r path; do
    # Of "a/b" the folder "a", of "a/" itself.
    [[ -z $path ]] || mkdir -p "$(dirname "$path.")"
  done <<<"$OUTPUTS"
}

# A folder's contents, as of SM_MODEL_DIR: an endpoint looks for model.pth at the top of the archive. What the script
# wrote there itself comes first; another file of the same name keeps its path.
collect() {
  local path file files to
  shopt -s dotglob nullglob
  cd "$ML/code"
  while read -r path; do
    path=${path%/}
    [[ -n $path ]] || continue
    if [[ ! -e $path ]]; then
      echo "$path" >>"$WORK/absent"
      continue
    fi
    files=("$path")
    [[ ! -d $path ]] || files=("$path"/*)
    for file in "${files[@]}"; do
      to=$ML/model/${file##*/}
      if [[ -e $to ]]; then
        ! cmp -s "$file" "$to" || continue
        echo "opsctl: ${file##*/} is in the model already; the other one is $file in it"
        to=$ML/model/$file
        mkdir -p "$(dirname "$to")"
      fi
      cp -RLT --reflink=auto --backup=numbered "$file" "$to"
    done
  done <<<"$OUTPUTS"
}

prepare_python() {
  if [[ ! -x $VENV/bin/python ]]; then
    if ! command -v "$PYTHON" >/dev/null; then
      step "install $PYTHON"
      dnf install -y -q "$PYTHON" "$PYTHON-pip"
    fi
    step "make a virtual environment"
    "$PYTHON" -m venv "$VENV"
  fi
  if [[ -f $ML/code/requirements.txt ]]; then
    step "install requirements.txt"
    "$VENV/bin/python" -m pip install -q --disable-pip-version-check -r "$ML/code/requirements.txt"
  fi
}

# Bash cannot export a variable such as SM_HP_LEARNING-RATE, so Python makes the environment of script mode.
run_script() {
  cat >"$WORK/launch.py" <<'LAUNCHER'
import json, os, shlex, sys

ml, entry, channels, hyperparameters, environment, pass_args, job = sys.argv[1:]


def decoded(value):
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def text(value):
    return value if isinstance(value, str) else str(value) if isinstance(value, (int, float)) else json.dumps(value)


values = {name: decoded(value) for name, value in json.loads(hyperparameters).items()}
names = sorted(line.split()[0] for line in channels.splitlines() if line.strip())
place = {
    "SM_MODEL_DIR": "model",
    "SM_OUTPUT_DIR": "output",
    "SM_OUTPUT_DATA_DIR": "output/data",
    "SM_INPUT_DIR": "input",
    **{f"SM_CHANNEL_{name.upper()}": f"input/data/{name}" for name in names},
}
os.environ.update({name: f"{ml}/{path}" for name, path in place.items()})
os.environ.update({f"SM_HP_{name.upper()}": text(value) for name, value in values.items()})
os.environ.update(
    SM_HPS=json.dumps(values),
    SM_CHANNELS=json.dumps(names),
    SM_HOSTS='["algo-1"]',
    SM_CURRENT_HOST="algo-1",
    SM_NUM_CPUS=str(os.cpu_count()),
    SM_NUM_GPUS="0",
    TRAINING_JOB_NAME=job,
    PYTHONUNBUFFERED="1",
)
os.environ["PATH"] = os.path.dirname(sys.executable) + ":" + os.environ["PATH"]
os.environ.update(json.loads(environment))
arguments = [part for name, value in values.items() for part in ("--" + name, text(value))]
arguments = arguments if pass_args == "1" else []
os.chdir(f"{ml}/code")
command = [sys.executable, entry, *arguments]
if not entry.endswith(".py"):  # as SageMaker's toolkit runs it
    os.chmod(entry, 0o777)
    command = ["/bin/sh", "-c", shlex.join(["./" + entry, *arguments])]
sys.stdout.flush()
os.execv(command[0], command)
LAUNCHER
  step "run $ENTRY"
  "$VENV/bin/python" "$WORK/launch.py" \
    "$ML" "$ENTRY" "$CHANNELS" "$HYPERPARAMETERS" "$ENVIRONMENT" "$PASS_ARGS" "$JOB" </dev/null
}

# Links are followed (an endpoint refuses an archive that has some), and no leading folder is added.
pack() {
  (
    cd "$1"
    shopt -s dotglob nullglob
    files=(*)
    [[ ${#files[@]} -gt 0 ]] || exit 0
    tar --dereference --hard-dereference -czf "$WORK/$2" -- "${files[@]}"
    copy "$WORK/$2" "$RESULTS/$2"
  )
}

work() {
  local code absent paths words
  # Not at once, but when the script has ended: it is given the time to save something.
  trap ': >"$WORK/terminated" && exit 143' TERM
  fetch
  lay_out
  prepare_python
  run_script
  step "store the results"
  set +e
  (
    set -e
    collect
  )
  code=$?
  set -e
  # Whatever is wrong with the outputs: what was trained is stored.
  pack "$ML/model" model.tar.gz
  pack "$ML/output/data" output.tar.gz
  : >"$WORK/stored"
  [[ $code == 0 ]] || exit "$code"
  if [[ -s $WORK/absent ]]; then
    mapfile -t absent <"$WORK/absent"
    # They have no quotes in them (paths.rs).
    paths=$(printf ',"%s"' "${absent[@]}")
    words=$(printf ', %s' "${absent[@]}")
    fail_without "{\"outputs\":[${paths:1}]}" "left no ${words:2}"
  fi
  [[ -n $(ls -A "$ML/model") ]] || fail_without '"model"' "wrote nothing to SM_MODEL_DIR"
}

# The log so far, for whoever watches: every other second at first, later each fiftieth of the time.
stream() {
  local part=0 sent=0 size
  while sleep $((2 + SECONDS / 50)); do
    size=$(wc -c <"$LOG") || continue
    [[ $size -gt $sent ]] || continue
    tail -c "+$((sent + 1))" "$LOG" | head -c "$((size - sent))" >"$WORK/part"
    copy "$WORK/part" "$OUTPUT/$JOB/log/$(printf %06d "$part")" || continue
    part=$((part + 1)) sent=$size
  done
}

# The supervisor: whatever happens, it leaves a result and ends the instance.

# The line of the log that names Python's exception, as src/domain/status.rs finds it: the one that ends the last
# traceback, or else the last that looks like one, or else the last of all.
own_error() {
  awk -v step="opsctl: $1" '
    { sub(/^\[rank[0-9]+\]: /, "") }
    /Traceback \(most recent call last\)/ { frames = 1; next }
    frames && /^[^ \t]/ { ended = $0; frames = 0 }
    /^([A-Za-z_][A-Za-z0-9_]*\.)*[A-Z][A-Za-z0-9_]*(Error|Exception|Interrupt)(:|$)/ { named = $0 }
    /[^ \t]/ { last = $0 }
    END { if (ended == "") ended = named; if (ended == "") ended = last; if (ended != step) print ended }
  ' "$LOG"
}

# Whether it was no end of the work's own that had this exit code.
is_stopped() {
  [[ -n ${signal:-} ]] && return 0
  case $1 in
    124) [[ -e $WORK/terminated || $SECONDS -ge $DEADLINE ]] ;;
    137) [[ $SECONDS -ge $DEADLINE ]] ;;
    *) return 1 ;;
  esac
}

# Of work that has not come to storing it. A failed job has no model, on SageMaker neither.
store_rest() {
  if [[ -n $1 ]]; then
    (
      set -e
      collect
    )
    pack "$ML/model" model.tar.gz
  fi
  pack "$ML/output/data" output.tar.gz
}

# What a person needs first: what the script left in /opt/ml/output/failure, as on SageMaker, or else its own error.
# ASCII only, so that the text can be cut anywhere and still be JSON.
message() {
  local doing cause place
  doing=$(cat "$STEP" 2>/dev/null) || doing="start"
  case $1 in
    0) return ;;
    124 | 137)
      ! is_stopped "$1" || cause="stopped at the deadline of $DEADLINE s"
      [[ -z ${signal:-} || $SECONDS -ge $DEADLINE ]] || cause="stopped by a signal"
      [[ $1 == 124 ]] || cause=${cause:-killed, as the kernel does when memory runs out}
      ;;
    130 | 143) cause="stopped by a signal" ;;
  esac
  if [[ -z ${cause:-} ]]; then
    cause=$(head -c 900 "$ML/output/failure" 2>/dev/null) || cause=$(own_error "$doing")
    # The deepest line of the user's own code in a traceback.
    place=$(grep -oE "\"$ML/code/[^\"]*\", line [0-9]+" "$LOG" | tail -n 1 | sed -E 's|.*/code/([^"]*)", (.*)|\1, \2|')
    cause+=${place:+ ($place)}
  fi
  printf '%s: exit code %s%s' "$doing" "$1" "${cause:+: $cause}" | LC_ALL=C tr '\000-\037' ' ' | LC_ALL=C tr -c '\040-\176' '?' |
    head -c 1024 | sed 's/[\\"]/\\&/g'
}

finish() {
  local code=$? missing stopped=
  # A signal may meet a subshell that has not given up the traps of its parent yet.
  [[ ${BASHPID:-$$} == "$$" ]] || return 0
  trap - EXIT
  trap '' TERM INT # nothing may come between here and the result
  set +e
  kill "${streamer:-}" "${killer:-}" 2>/dev/null
  missing=$(cat "$WORK/missing" 2>/dev/null)
  ! is_stopped "$code" || stopped=true
  printf '{"exit_code":%d,"message":"%s","seconds":%d%s%s}\n' "$code" "$(message "$code")" "$SECONDS" \
    "${missing:+,\"missing\":$missing}" "${stopped:+,\"stopped\":true}" >"$WORK/result.json"
  [[ -e $WORK/stored ]] || store_rest "$stopped" >>"$LOG" 2>&1
  copy "$LOG" "$RESULTS/train.log"
  # The console output of the instance is the last place to look when nothing can be uploaded.
  copy "$WORK/result.json" "$RESULTS/result.json" || { cat "$WORK/result.json" && tail -n 50 "$LOG"; }
  shutdown -h now
}
supervise() {
  local worker code=0
  trap finish EXIT
  # If even the supervisor hangs, the instance still ends: opsctl starts it with "terminate on shutdown".
  shutdown -h "+$((DEADLINE / 60 + 15))"

  export HOME="${HOME:-/root}" AWS_DEFAULT_REGION="$REGION"
  export TMPDIR="${OPSCTL_TMP:-$WORK/tmp}" # /tmp is in memory on Amazon Linux 2023, too small for the packages of a framework
  mkdir -p "$WORK" "$TMPDIR" "$ML/code" "$ML/model" "$ML/input/data" "$ML/output/data"

  timeout --kill-after=120 "$DEADLINE" bash "$0" work >"$LOG" 2>&1 &
  worker=$!
  stream >/dev/null 2>&1 &
  streamer=$!
  # timeout passes the signal on to the whole work. It also ends `wait`, before the work has ended.
  # A system that goes down waits 90 s for its programs, and what the script leaves is stored after it.
  trap 'signal=1; kill "$worker" || true; (sleep 45; kill -KILL -- "-$worker") & killer=$!' TERM INT
  wait "$worker" || code=$?
  while kill -0 "$worker" 2>/dev/null; do
    code=0
    wait "$worker" || code=$?
  done
  exit "$code"
}

if [[ ${1:-} == work ]]; then work; else supervise; fi
