"""The old chain's validator, written anew from its description: reads the enricher's lines from standard input, and prints those that have 131
columns, an event_id that was not there before, and a label that is JSON where it looks like it. Invalid ones go into the file that is named.
"""

import json
import sys

EVENT_ID, SE_LABEL, COLUMNS = 6, 55, 131


def is_valid(fields):
    if len(fields) != COLUMNS:
        return False
    label = fields[SE_LABEL]
    if label.startswith('{'):
        try:
            json.loads(label)
        except ValueError:
            return False
    return True


def main():
    seen = set()
    write, write_invalid = sys.stdout.write, open(sys.argv[1], 'w', errors='surrogateescape').write
    for line in sys.stdin:
        fields = line.rstrip('\n').split('\t')
        if not is_valid(fields):
            write_invalid(line)
            continue
        event_id = fields[EVENT_ID]
        if event_id in seen:
            continue
        seen.add(event_id)
        write(line)


main()
