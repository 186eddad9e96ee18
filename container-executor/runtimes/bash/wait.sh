# Waits in a container for the one script that it will run, as if bash had been started with it.
mapfile -d '' -u 4 record
exec 4<&-
BASH_ARGV0=${record[1]}
set -- "${record[@]:1:record[0]}"
for entry in "${record[@]:record[0]+1}"; do export "$entry"; done
unset record entry
[[ -v BULKHEAD_VALUE_FD ]] || exec 3>&-
source "$@"
