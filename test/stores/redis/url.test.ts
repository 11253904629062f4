import { describe, expect, it } from 'vitest';
import { parseRedisUrl } from '../../../src/stores/redis/url.ts';

describe('a URL of Redis', () => {
  it.each([
    ['redis://host', { user: '', password: '', hosts: 'host', path: '' }],
    ['redis://:secret@host:1/3', { user: '', password: 'secret', hosts: 'host:1', path: '/3' }],
    ['rediss://me@host', { scheme: 'rediss', user: 'me', password: '' }],
    ['redis-cluster://me:pa:ss:@a:1,b:2', { isCluster: true, user: 'me', password: 'pa:ss:', hosts: 'a:1,b:2' }],
    ['redis-cluster://m%3Ae:p%40ss%25@a:1', { user: 'm:e', password: 'p@ss%' }],
  ])('%s', (url, parts) => {
    expect(parseRedisUrl(url)).toMatchObject(parts);
  });

  it.each(['redis://host:1?password=secret', 'rediss://me:pw@host/3?ssl_cert_reqs=none', 'redis-cluster://a:1,b:2?family=6'])(
    'with options of other clients is refused: %s',
    (url) => {
      expect(() => parseRedisUrl(url)).toThrow(
        /^redis: expected a URL without options behind a \?, which are those of other clients$/,
      );
    },
  );

  it.each([
    'redis://',
    'http://host',
    'redis-cluster://a/1',
    'redis-cluster://me:pa%ss@a',
    'redis://me:%ff@a',
    // Of these the client would make other hosts.
    'redis://me:1#ss@a',
    'redis://me:1?ss@a',
    'redis://a#b',
    'redis://a:1\r',
    'redis-cluster://a:1,b:2 ',
  ])('that is none is not shown: %s', (url) => {
    expect(() => parseRedisUrl(url)).toThrow(
      /^redis: expected a URL like redis:\/\/user:password@host:6379\/0 or redis-cluster:.* in the password %2F for \/, %3F for \?, %23 for #/,
    );
  });
});
