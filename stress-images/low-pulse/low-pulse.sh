#!/bin/sh
# Counts to 5000 every two seconds, for the seconds given, 0 for ever. See low-idle.sh for the trap and the wait.
set -eu
trap 'exit 0' TERM INT
elapsed=0
while [ "$1" -eq 0 ] || [ "$elapsed" -lt "$1" ]; do
	n=0
	while [ "$n" -lt 5000 ]; do n=$((n + 1)); done
	sleep 2 &
	wait $!
	elapsed=$((elapsed + 2))
done
