#!/bin/sh
# Ends the instance: `shutdown [-h|-P|-r] [now|+N] [message]`, `shutdown -c`. As the real one, it returns at once; what
# still runs a little later gets SIGTERM, then SIGKILL. A delayed one waits in the background and can be cancelled.
when=+1
for word in "$@"; do
    case "$word" in
        -c) [ -f "$OPSCTL_HALTED.pending" ] && kill "$(cat "$OPSCTL_HALTED.pending")"; rm -f "$OPSCTL_HALTED.pending"; exit 0 ;;
        -*) ;;
        now) when=+0; break ;;
        +[0-9]*) when=$word; break ;;
        *) echo "shutdown: time $word is not known to opsctl's sandbox (now, +minutes)" >&2; exit 1 ;;
    esac
done
end() {
    trap '' TERM
    : >"$OPSCTL_HALTED"
    kill -TERM 0
    sleep 5
    kill -KILL 0
}
if [ "$when" = +0 ]; then
    : >"$OPSCTL_HALTED"
    (sleep 2; end) &
else
    # Minutes of the time outside.
    seconds=$(awk "BEGIN { print ${when#+} * 60 / ${OPSCTL_SPEED:-1} }")
    (sleep "$seconds"; end) &
    echo $! >"$OPSCTL_HALTED.pending"
fi
