#!/bin/sh
# Sleeps for the seconds given, 0 for ever. A shell that is PID 1 has no default answer to SIGTERM, and answers a trap
# only between commands: so it waits for its sleep in the background.
set -eu
trap 'exit 0' TERM INT
while :; do
	sleep "$( [ "$1" -gt 0 ] && echo "$1" || echo 86400)" &
	wait $!
	[ "$1" -eq 0 ] || exit 0
done
