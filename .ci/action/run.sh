#!/usr/bin/env bash
# One command of opsctl in a job of GitHub Actions: its summary, its outputs, and the pull request's comment.
# Everything from outside comes in variables (action.yml) and is an argument of its own.
set -euo pipefail

temp=${RUNNER_TEMP:?}
options=(--env "${IN_ENVIRONMENT:-dev}")
[ -z "${IN_CONFIG:-}" ] || options+=(--config "$IN_CONFIG")
[ "${IN_SANDBOX:-}" != true ] || options+=(--sandbox)
[ -z "${IN_TIMEOUT:-}" ] || options+=(--timeout "$IN_TIMEOUT")

output() {
  echo "$1=$2" >>"$GITHUB_OUTPUT"
}

summarize() {
  cat "$1" >>"$GITHUB_STEP_SUMMARY"
}

# Runs opsctl and keeps its exit code, which is an answer, and what it said.
code=0
said=$temp/opsctl-said.txt
run() {
  set +e
  { opsctl "${options[@]}" "$@" 2>&1 >&3 3>&- | tee "$said" >&2; code=${PIPESTATUS[0]}; } 3>&1
  set -e
  output exit-code "$code"
}

# What there is, in the summary.
summarize_status() {
  local status=$temp/opsctl-status.txt
  if opsctl "${options[@]}" status >"$status"; then
    { echo '~~~~text' && cat "$status" && echo '~~~~'; } >"$status.md"
    summarize "$status.md"
  fi
}

# Why a command failed, in the summary, without the lines that are for the runner.
summarize_failure() {
  {
    echo "**\`opsctl $1\` ended with exit code $code**"
    echo
    echo '~~~~text'
    grep -v '^::' "$said" || true
    echo '~~~~'
  } >"$said.md"
  summarize "$said.md"
}

warn() {
  echo "::warning title=opsctl::$1"
}

# The one comment of this project and environment, found by its first line and its author.
comment() {
  local body=$1 comments found
  if ! [[ ${GITHUB_REF:-} =~ ^refs/pull/([0-9]+)/ ]]; then
    return 0
  fi
  comments="repos/$GITHUB_REPOSITORY/issues/${BASH_REMATCH[1]}/comments"
  MARKER=$(head -n 1 "$body")
  export MARKER IN_COMMENT_AUTHOR
  # shellcheck disable=SC2016 # the variables are jq's
  local ours='.[] | select(.user.login == env.IN_COMMENT_AUTHOR and (.body | startswith(env.MARKER))) | .id'
  if ! found=$(gh api --paginate "$comments" --jq "$ours"); then
    warn "the comments of the pull request cannot be read: the job needs pull-requests: write"
    return 0
  fi
  found=$(head -n 1 <<<"$found")
  if [ -n "$found" ]; then
    set -- --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$found"
  else
    set -- --method POST "$comments"
  fi
  # Runs of forks may not write; the summary has the plan too.
  gh api "$@" -F "body=@$body" >/dev/null ||
    warn "the comment cannot be written: the job needs pull-requests: write, and runs of forks do not get it"
}

plan() {
  local file=${IN_PLAN_FILE:-$temp/opsctl-plan.bin} markdown=$temp/opsctl-plan.md more=()
  [ "${IN_PRUNE:-}" != true ] || more=(--prune)
  # Whatever an earlier step has left there, of this project or another, is out of date.
  run plan --format github --detailed-exitcode --out "$file" --force "${more[@]}" >"$markdown"
  case $code in
    0) output changes false ;;
    # 9: a budget refuses it. Whoever reviews it sees the plan, what it costs, and why.
    2 | 9) output changes true ;;
    *)
      summarize_failure plan
      exit "$code"
      ;;
  esac
  [ "$code" = 9 ] || output plan-file "$file"
  output markdown-file "$markdown"
  summarize "$markdown"
  [ "${IN_COMMENT:-}" != true ] || comment "$markdown"
  [ "$code" != 9 ] || exit "$code"
}

deploy() {
  local more=(--yes)
  [ -z "${IN_WAIT:-}" ] || options+=("--wait=$IN_WAIT")
  if [ -n "${IN_PLAN_FILE:-}" ]; then
    more=(--plan "$IN_PLAN_FILE")
  elif [ "${IN_PRUNE:-}" = true ]; then
    more+=(--prune)
  fi
  run deploy "${more[@]}"
  local deployed=$code
  # What is there now, also after a failure.
  [ "$code" = 0 ] || summarize_failure deploy
  summarize_status
  exit "$deployed"
}

scale() {
  local more=()
  [ -z "${IN_WAIT:-}" ] || options+=("--wait=$IN_WAIT")
  [ -z "${IN_MIN:-}" ] || more+=(--min "$IN_MIN")
  [ -z "${IN_MAX:-}" ] || more+=(--max "$IN_MAX")
  [ -z "${IN_TARGET:-}" ] || more+=(--target "$IN_TARGET")
  [ -z "${IN_PROVISIONED_CONCURRENCY:-}" ] || more+=(--provisioned-concurrency "$IN_PROVISIONED_CONCURRENCY")
  [ -z "${IN_NAME:-}" ] || more+=(-- "$IN_NAME")
  run scale --yes "${more[@]}"
  local scaled=$code
  [ "$code" = 0 ] || summarize_failure scale
  summarize_status
  exit "$scaled"
}

audit() {
  local sarif=$temp/opsctl-audit.sarif markdown=$temp/opsctl-audit.md
  # One audit in both forms: one of a saved dump would not compare the roles with the config.
  run audit-iam --format sarif --also "markdown=$markdown" --force --fail-on "${IN_FAIL_ON:-high}" >"$sarif"
  case $code in
    0 | 2 | 10) ;;
    *)
      summarize_failure audit-iam
      exit "$code"
      ;;
  esac
  output sarif-file "$sarif"
  output markdown-file "$markdown"
  summarize "$markdown"
  [ "${IN_UPLOAD_SARIF:-}" != true ] || upload "$sarif"
  exit "$code"
}

# https://docs.github.com/en/rest/code-scanning/code-scanning#upload-an-analysis-as-sarif-data
upload() {
  gzip -c "$1" | base64 | tr -d '\n' >"$1.gz.base64"
  gh api --method POST "repos/$GITHUB_REPOSITORY/code-scanning/sarifs" \
    -f "commit_sha=$GITHUB_SHA" -f "ref=$GITHUB_REF" -F "sarif=@$1.gz.base64" >/dev/null ||
    warn "the audit cannot be uploaded: the job needs security-events: write"
}

case ${IN_COMMAND:-plan} in
  plan) plan ;;
  deploy) deploy ;;
  scale) scale ;;
  audit-iam) audit ;;
  *)
    echo "::error title=opsctl::command must be plan, deploy, scale or audit-iam"
    exit 64
    ;;
esac
