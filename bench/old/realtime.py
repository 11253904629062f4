"""The old way to keep what visitors viewed and like in Redis: enriched lines on stdin, redis-py, one pipeline of look-ups and one of puts.

    python3 bench/old/realtime.py --port 6379 [--batch 1000] < lines

--batch 1 looks up and puts event by event. Keys and values are those of pipelines/realtime.ts, all lines taken for arrived at --now.
No position is kept, so what was under way when it was killed is lost or applied twice. Prints what it took as one line of JSON.
"""

import argparse
import json
import math
import re
import resource
import sys
import time

import redis

WEIGHTS = {'page_view': 1, 'product/view': 2, 'cart/add': 5, 'cart/remove': -3, 'transaction_item': 20}
PAGE = re.compile(r'^/p/([a-z]{2}-\d{4})$')
POINTS, SINCE, STEP = 1000, 1790812800, 7 * 86400 / 128
EXPIRY_MS = 90 * 86400 * 1000
KEEP_VIEWED, KEEP, SIMILAR = 20, 100, 20

EVENT, EVENT_ID, USER_ID, DOMAIN_USERID, NETWORK_USERID, PATH = 5, 6, 12, 15, 17, 35
CATEGORY, ACTION, LABEL, ITEM_SKU = 53, 54, 55, 68


def action_of(fields):
    """(user, sku, brand, action) of a line, or nothing."""
    kind = fields[EVENT]
    if kind == 'struct':
        action = fields[CATEGORY] + '/' + fields[ACTION]
        if action not in WEIGHTS or not fields[LABEL].startswith('{'):
            return None
        try:
            label = json.loads(fields[LABEL])
        except ValueError:
            return None
        if 'schema' in label and 'data' in label:
            label = label['data']
        sku, brand = label.get('sku'), label.get('brand')
        sku = sku if isinstance(sku, str) else None
        brand = brand if isinstance(brand, str) else None
    elif kind == 'page_view':
        match = PAGE.match(fields[PATH])
        action, sku, brand = kind, match and match[1].upper(), None
    elif kind == 'transaction_item':
        action, sku, brand = kind, fields[ITEM_SKU] or None, None
    else:
        return None
    user = fields[USER_ID] or fields[DOMAIN_USERID] or fields[NETWORK_USERID]
    return (user, sku, brand, action) if sku and user else None


def rounded(number):
    return math.floor(number + 0.5)


def put(pipe, found, similar, brand_of, bought, now):
    user, sku, brand, action = found
    brand = brand or brand_of
    score = rounded(WEIGHTS[action] * (POINTS * 2 ** (math.floor((now - SINCE) / STEP) / 128)))
    if action.endswith('view'):
        viewed = 'viewed:{%s}' % user
        pipe.lrem(viewed, 0, sku)
        pipe.lpush(viewed, sku)
        pipe.ltrim(viewed, 0, KEEP_VIEWED - 1)
        pipe.pexpire(viewed, EXPIRY_MS)
    for key, member in (('interest:{%s}' % user, sku), ('brands:{%s}' % user, brand)):
        if member:
            pipe.zincrby(key, score, member)
            pipe.zremrangebyrank(key, 0, -KEEP - 1)
            pipe.pexpire(key, EXPIRY_MS)
    recommended = 'recommended:{%s}' % user
    for other, likeness in similar:
        if other not in bought:
            pipe.zincrby(recommended, rounded(likeness * score), other)
    pipe.zremrangebyrank(recommended, 0, -KEEP - 1)
    pipe.pexpire(recommended, EXPIRY_MS)
    if action == 'transaction_item':
        pipe.sadd('bought:{%s}' % user, sku)
        pipe.pexpire('bought:{%s}' % user, EXPIRY_MS)
        pipe.zrem(recommended, sku)


def flush(client, batch, now):
    if not batch:
        return
    reads = client.pipeline(transaction=False)
    for user, sku, _, _ in batch:
        reads.zrevrange('similar:' + sku, 0, SIMILAR - 1, withscores=True)
        reads.get('brand:' + sku)
        reads.smembers('bought:{%s}' % user)
    answers = reads.execute()
    writes = client.pipeline(transaction=False)
    for i, found in enumerate(batch):
        put(writes, found, *answers[3 * i : 3 * i + 3], now)
    writes.execute()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--port', type=int, required=True)
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--now', type=float, default=time.time())
    options = parser.parse_args()
    client = redis.Redis(port=options.port, decode_responses=True)
    client.ping()
    seen, batch, events = set(), [], 0
    started_at, cpu_before = time.monotonic(), time.process_time()
    for line in sys.stdin:
        events += 1
        fields = line.rstrip('\n').split('\t')
        if len(fields) != 131 or fields[EVENT_ID] in seen:
            continue
        seen.add(fields[EVENT_ID])
        found = action_of(fields)
        if not found:
            continue
        batch.append(found)
        if len(batch) == options.batch:
            flush(client, batch, options.now)
            batch = []
    flush(client, batch, options.now)
    took = {'events': events, 'seconds': time.monotonic() - started_at, 'cpuSeconds': time.process_time() - cpu_before}
    print(json.dumps({**took, 'peakMiB': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))


main()
