#!/bin/sh
# Appends the feed to the file $1, each leaf of the log once, for as long as it runs.
#
# The file itself is the state: a page is asked for behind the cursor in its last whole line. Whatever stops this, power
# included, leaves whole lines and at most one that is not, which is removed first.
#
# FEED is the address of the feed, KEY an API key, ONCE=1 ends at the end of the log instead of waiting for more.
set -eu
file=$1
page=$file.page
wait=25
[ -z "${ONCE:-}" ] || wait=0
touch "$file"

# A last line without an end was cut in the middle.
if [ -s "$file" ] && [ -n "$(tail -c 1 "$file")" ]; then
  sed -i '$d' "$file"
fi

while :; do
  cursor=$(tail -n 1 "$file" | sed -n 's/.*"cursor":"\([A-Za-z0-9_-]*\)"}$/\1/p')
  # The key goes in by a file, not among the arguments, which others on this machine can read.
  if printf 'header = "Authorization: Bearer %s"\n' "$KEY" |
    curl --config - --silent --show-error --fail --max-time 60 --get \
      --header 'Accept: application/x-ndjson' \
      --data-urlencode "wait=$wait" ${cursor:+--data-urlencode "after=$cursor"} \
      --output "$page" "$FEED"; then
    if [ -s "$page" ]; then
      cat "$page" >> "$file"
      sync "$file"
    elif [ -n "${ONCE:-}" ]; then
      rm -f "$page"
      exit 0
    fi
  else
    # Overload, a restart, or no network. The next try goes on at the same place.
    sleep 5
  fi
done
