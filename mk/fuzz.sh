#!/bin/sh
# mk/fuzz.sh BUILD SECONDS: runs every fuzzer for that long, two at a time.
# New inputs go to BUILD/corpus/<name>; what tests/corpus/<name> holds is read.
# A crash is kept in BUILD/crashes and fails the command.
build=$1 seconds=$2
mkdir -p "$build/crashes"
one() {
	name=$(basename "$1")
	kept=tests/corpus/${name%_fuzz}
	mkdir -p "$build/corpus/$name"
	[ -d "$kept" ] || kept=
	dictionary=src/$(basename "$(dirname "$1")")/$name.dict
	[ -f "$dictionary" ] && dictionary=-dict=$dictionary || dictionary=
	if "$1" -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$build/crashes/$name." \
		$dictionary "$build/corpus/$name" $kept >"$build/$name.log" 2>&1; then
		printf '  ok    %-24s %s runs\n' "$name" "$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$build/$name.log")"
	else
		printf '  CRASH %-24s see %s\n' "$name" "$build/$name.log"
		tail -n 20 "$build/$name.log"
		return 1
	fi
}
if [ "${3:-}" ]; then one "$3" "$2"; exit; fi
find "$build/fuzz" -name '*_fuzz' -type f | sort | xargs -r -P 2 -I{} "$0" "$build" "$seconds" {}
