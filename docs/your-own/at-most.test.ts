import { marble } from '../../src/testing/index.ts';
import { atMost } from './at-most.ts';

const [jane, john, nobody] = [{ user: 'jane' }, { user: 'john' }, {}];

marble('atMost lets two events of a user through in each minute', {
  tick: { seconds: 10 },
  ruler: { minutes: 1 },
  operator: atMost<{ user?: string }>({ events: 2, by: ({ user }) => user }),
  label: 'atMost({ events: 2, by })',
  source: '-aaba-naa-|',
  result: '-aab---aa-|',
  rejected: '------n----',
  given: { a: jane, b: john, n: nobody },
  dropped: { atMost: 1 },
  picture: false, // or a picture beside this file, drawn by vitest -u
});
