import { demo } from '../src/demo/demo.ts';
import { realtime } from './realtime.ts';
import { warehouse } from './warehouse.ts';

/** `npm start`: both pipelines on sample traffic, with no cloud account. */
await demo(warehouse, realtime);
