#!/bin/sh
# The old chain, written anew from its description, on a file of what the enricher printed:
#
#     sh chain.sh <lines> <folder> [<url of a Postgres> <table>]
#
# With a database the whole of it, step after step; without one as far as the files that cronolog cuts.
set -eu
here=$(dirname "$0")
lines=$1 folder=$2 database=${3-} table=${4-}
# Without it sed takes ten times as long.
export LC_ALL=C PYTHONUTF8=1 PYTHONIOENCODING=utf-8:surrogateescape

# A file a second instead of a minute: so the records of a short run are cut, too. cronolog ends with 3 where its input ends.
sed '/^\[[^]]*\] INFO [^ ]* - Checkpointing shard shardId-[0-9]*$/d' "$lines" |
  sed 's/\[pool-[0-9]*-thread-[0-9]*\] INFO [^ ]* - Checkpointing shard shardId-[0-9]\{12\}//; /^$/d' |
  "${PYTHON:-python3}" "$here/validate.py" "$folder/invalid" |
  { cronolog --period='1 seconds' "$folder/%Y%m%d-%H%M%S.tsv" || [ $? = 3 ]; }
[ -n "$database" ] || exit 0

# Glues the record back that cronolog cut: its rest is the next file's first line.
previous=
for file in "$folder"/*.tsv; do
  if [ -n "$previous" ] && [ -n "$(tail -c 1 "$previous")" ]; then
    head -n 1 "$file" >>"$previous"
    tail -n +2 "$file" >"$file.rest"
    mv "$file.rest" "$file"
  fi
  previous=$file
done

# What does not convert is passed over: the warehouse had a file for such rows.
for file in "$folder"/*.tsv; do
  psql -q -v ON_ERROR_STOP=1 -c "\\copy $table from '$file' with (format text, null '', encoding 'UTF8', on_error ignore, log_verbosity silent)" "$database"
  gzip "$file"
done
